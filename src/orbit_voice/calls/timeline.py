"""A call's timeline: events numbered from 1 without gaps, each complete in itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from orbit_voice.calls.records import CallEvent, CallRecord, CallStatus, Recording
from orbit_voice.kit.clock import iso_utc
from orbit_voice.kit.ids import new_event_id


class EventType(StrEnum):
    """Types of call events (API contract §10)."""

    INITIATED = "call.initiated"
    RINGING = "call.ringing"
    ANSWERED = "call.answered"
    COMPLETED = "call.completed"
    FAILED = "call.failed"
    BUSY = "call.busy"
    NO_ANSWER = "call.no_answer"
    CANCELLED = "call.cancelled"
    DTMF = "call.dtmf"
    DTMF_SENT = "call.dtmf_sent"
    PLAYBACK_STARTED = "call.playback_started"
    PLAYBACK_FINISHED = "call.playback_finished"
    RECORDING_READY = "call.recording_ready"
    RECORDING_FAILED = "call.recording_failed"


def terminal_type(status: CallStatus) -> EventType:
    """Return the one event that ends a call with ``status``.

    Raises:
        ValueError: ``status`` is no end.
    """
    if not status.is_end:
        raise ValueError(f"{status} is no end")
    return EventType(f"call.{status.value}")


def append_event(
    call: CallRecord, kind: EventType, at: datetime, **extra: Any
) -> tuple[CallRecord, CallEvent]:
    """Return the call with its next sequence number taken, and the event that took it.

    Args:
        call: The record after the change the event tells of.
        kind: The event's type.
        at: When it happened.
        extra: Fields of this type, JSON-ready.
    """
    sequence = call.next_sequence
    data: dict[str, Any] = {
        "call_id": call.id,
        "sequence": sequence,
        "status": call.status.value,
        "direction": call.direction.value,
        "from": call.from_,
        "to": call.to,
        "metadata": dict(call.metadata),
        **extra,
    }
    event = CallEvent(new_event_id(), call.id, call.org_id, sequence, kind.value, at, data)
    return replace(call, next_sequence=sequence + 1), event


def end_fields(call: CallRecord) -> Mapping[str, Any]:
    """Return what a terminal event adds: times, duration, reason, recording, media."""
    return {
        "answered_at": None if call.answered_at is None else iso_utc(call.answered_at),
        "ended_at": None if call.ended_at is None else iso_utc(call.ended_at),
        "duration_seconds": call.duration_seconds,
        "hangup": None if call.hangup is None else asdict(call.hangup),
        "recording": None if call.recording is None else recording_fields(call.recording),
        "media": None if call.media is None else asdict(call.media),
    }


def recording_fields(recording: Recording) -> dict[str, Any]:
    """Return a recording as clients see it."""
    return {
        "id": recording.id,
        "status": recording.status.value,
        "duration_seconds": recording.duration_seconds,
        "channels": recording.channels,
        "size_bytes": recording.size_bytes,
        "sha256": recording.sha256,
    }
