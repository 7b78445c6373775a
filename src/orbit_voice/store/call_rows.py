"""Calls as rows: records to what the driver takes, rows to records.

What a client ordered is written once, with the first change. What has happened since is rewritten
by every change: that half has no index but the ones on open and ended calls, and is cheap.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson
import sqlalchemy as sa

from orbit_voice.calls.records import (
    Attempt,
    CallEvent,
    CallRecord,
    CallStatus,
    Direction,
    Hangup,
    HangupBy,
    MediaSummary,
    Recording,
    RecordingStatus,
)
from orbit_voice.kit.errors import HangupCause
from orbit_voice.signaling.trace import SipTraceEntry
from orbit_voice.store.columns import json_text, optional_micros, to_micros
from orbit_voice.store.tables import calls, recordings

CHANGING: Final = (
    "node_id",
    "status",
    "agent_id",
    "ivr_id",
    "trunk_id",
    "record",
    "ringing_at",
    "answered_at",
    "ended_at",
    "recording_id",
    "hangup",
    "attempts",
    "media",
    "next_sequence",
)
"""Columns that a later change of a call rewrites."""

_RECORDING: Final = {
    column.name: column.label(f"recording_{column.name}")
    for column in recordings.columns
    if column.name not in {"org_id", "call_id", "created_at"}
}


def select_calls() -> sa.Select[Any]:
    """Return a SELECT of whole calls, each with its latest recording."""
    source = calls.outerjoin(recordings, recordings.c.id == calls.c.recording_id)
    own = [column for column in calls.columns if column.name != "recording_id"]
    return sa.select(*own, *_RECORDING.values()).select_from(source)


def changing_row(call: CallRecord) -> dict[str, Any]:
    """Return the :data:`CHANGING` columns of ``call``, and its id as ``call_id``."""
    recording = call.recording
    return {
        "call_id": call.id,
        "node_id": call.node_id,
        "status": call.status.value,
        "agent_id": call.agent_id,
        "ivr_id": call.ivr_id,
        "trunk_id": call.trunk_id,
        "record": call.record,
        "ringing_at": optional_micros(call.ringing_at),
        "answered_at": optional_micros(call.answered_at),
        "ended_at": optional_micros(call.ended_at),
        "recording_id": None if recording is None else recording.id,
        "hangup": json_text(call.hangup),
        "attempts": json_text(call.attempts),
        "media": json_text(call.media),
        "next_sequence": call.next_sequence,
    }


def whole_row(call: CallRecord) -> dict[str, Any]:
    """Return every column of ``call``."""
    row = changing_row(call)
    row.update(
        id=call.id,
        org_id=call.org_id,
        direction=call.direction.value,
        from_address=call.from_,
        to_address=call.to,
        created_at=to_micros(call.created_at),
        max_duration_s=call.max_duration_s,
        ring_timeout_s=call.ring_timeout_s,
        webhook_url=call.webhook_url,
        metadata=json_text(dict(call.metadata)),
        sip_headers=json_text(dict(call.sip_headers)),
    )
    return row


def event_row(event: CallEvent, data: str) -> dict[str, Any]:
    """Return every column of ``event``; ``data`` is its data as JSON text."""
    return {
        "id": event.id,
        "call_id": event.call_id,
        "org_id": event.org_id,
        "sequence": event.sequence,
        "type": event.type,
        "created_at": to_micros(event.created_at),
        "data": data,
    }


def recording_row(call: CallRecord, recording: Recording, created_at: int) -> dict[str, Any]:
    """Return every column of ``recording`` of ``call``."""
    return {
        "id": recording.id,
        "org_id": call.org_id,
        "call_id": call.id,
        "status": recording.status.value,
        "path": recording.path,
        "duration_seconds": recording.duration_seconds,
        "channels": recording.channels,
        "size_bytes": recording.size_bytes,
        "sha256": recording.sha256,
        "created_at": created_at,
    }


def trace_row(call: CallRecord, trace: tuple[SipTraceEntry, ...]) -> dict[str, Any]:
    """Return the row that keeps the SIP messages of ``call``."""
    return {"call_id": call.id, "org_id": call.org_id, "messages": json_text(trace)}


def read_call(row: sa.Row[Any]) -> CallRecord:
    """Make a record of a row of :func:`select_calls`."""
    return CallRecord(
        id=row.id,
        org_id=row.org_id,
        node_id=row.node_id,
        direction=Direction(row.direction),
        from_=row.from_address,
        to=row.to_address,
        status=CallStatus(row.status),
        created_at=row.created_at,
        agent_id=row.agent_id,
        ivr_id=row.ivr_id,
        trunk_id=row.trunk_id,
        record=row.record,
        max_duration_s=row.max_duration_s,
        ring_timeout_s=row.ring_timeout_s,
        webhook_url=row.webhook_url,
        metadata=row.metadata,
        sip_headers=row.sip_headers,
        ringing_at=row.ringing_at,
        answered_at=row.answered_at,
        ended_at=row.ended_at,
        recording=None if row.recording_id is None else read_recording(row, "recording_"),
        hangup=None if row.hangup is None else _read_hangup(row.hangup),
        attempts=tuple(_read_attempt(attempt) for attempt in row.attempts),
        media=None if row.media is None else MediaSummary(**row.media),
        next_sequence=row.next_sequence,
    )


def read_recording(row: sa.Row[Any], prefix: str = "") -> Recording:
    """Make a record of the recording columns of ``row``, whose names start with ``prefix``."""
    values = {name: getattr(row, prefix + name) for name in _RECORDING}
    values["status"] = RecordingStatus(values["status"])
    return Recording(**values)


def read_event(row: sa.Row[Any]) -> CallEvent:
    """Make a record of a row of the events table."""
    return CallEvent(
        id=row.id,
        call_id=row.call_id,
        org_id=row.org_id,
        sequence=row.sequence,
        type=row.type,
        created_at=row.created_at,
        data=row.data,
    )


def read_trace(messages: str) -> list[SipTraceEntry]:
    """Make records of the text that :func:`trace_row` wrote."""
    return [
        SipTraceEntry(**{**message, "at": datetime.fromisoformat(message["at"])})
        for message in orjson.loads(messages)
    ]


def _read_hangup(document: Mapping[str, Any]) -> Hangup:
    return Hangup(
        by=HangupBy(document["by"]),
        cause=HangupCause(document["cause"]),
        sip_code=document["sip_code"],
        sip_reason=document["sip_reason"],
        message=document["message"],
    )


def _read_attempt(document: Mapping[str, Any]) -> Attempt:
    ended_at, cause = document["ended_at"], document["cause"]
    return Attempt(
        trunk_id=document["trunk_id"],
        started_at=datetime.fromisoformat(document["started_at"]),
        ended_at=None if ended_at is None else datetime.fromisoformat(ended_at),
        sip_code=document["sip_code"],
        cause=None if cause is None else HangupCause(cause),
    )
