"""How calls, their events and their SIP messages are shown (API contract §2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from orbit_voice.api.schemas.common import Answer
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
from orbit_voice.kit.clock import iso_utc
from orbit_voice.kit.errors import HangupCause
from orbit_voice.signaling.trace import SipTraceEntry


class RecordingAnswer(Answer):
    """The recording of a call."""

    id: str
    status: RecordingStatus
    duration_seconds: float | None
    channels: int | None = Field(description="1 mono, 2 stereo (our side left).")
    size_bytes: int | None
    sha256: str | None


class HangupAnswer(Answer):
    """Why a call ended."""

    by: HangupBy
    cause: HangupCause
    sip_code: int | None = Field(description="SIP status that ended it, if one did.")
    sip_reason: str | None
    message: str


class AttemptAnswer(Answer):
    """One INVITE towards one trunk."""

    trunk_id: str | None
    sip_code: int | None
    cause: HangupCause | None
    started_at: str
    ended_at: str | None


class MediaAnswer(Answer):
    """The call's media in figures."""

    codec: str | None
    encryption: str | None
    srtp_suite: str | None
    packets_sent: int | None
    packets_received: int | None
    loss_percent: float | None
    jitter_ms: float | None
    rtt_ms: float | None
    mos: float | None = Field(description="E-model (ITU-T G.107), 1.0-4.5.")


class CallAnswer(Answer):
    """A call."""

    model_config = ConfigDict(populate_by_name=True)

    id: str = Field(examples=["call_01jd3r8m6k8v2t0q4x9w7z5y1b"])
    direction: Direction
    from_: str | None = Field(alias="from", examples=["+14155550100"])
    to: str = Field(examples=["+14155550123"])
    status: CallStatus
    agent_id: str | None
    ivr_id: str | None
    trunk_id: str | None
    record: bool
    max_duration: int
    webhook_url: str | None
    metadata: dict[str, Any]
    created_at: str = Field(examples=["2026-01-31T08:00:00.000Z"])
    ringing_at: str | None
    answered_at: str | None
    ended_at: str | None
    duration_seconds: int | None = Field(description="From answer to end.")
    billed_seconds: int | None = Field(description="From answer to end, in steps of one second.")
    recording_url: str | None = Field(description="WAV; works for an hour without a key.")
    recording: RecordingAnswer | None
    agent_summary: dict[str, Any] | None
    amd_result: str | None
    hangup: HangupAnswer | None
    attempts: list[AttemptAnswer]
    media: MediaAnswer | None


class EventAnswer(Answer):
    """One entry of a call's timeline: the payload of its webhook."""

    id: str
    type: str = Field(examples=["call.answered"])
    created_at: str
    data: dict[str, Any] = Field(description="Holds `call_id` and `sequence`.")


class SipMessageAnswer(Answer):
    """One SIP message of a call; credentials are blanked."""

    at: str
    direction: Literal["sent", "received"]
    transport: str
    local: str = Field(examples=["192.0.2.1:5060"])
    remote: str = Field(examples=["198.51.100.7:5060"])
    summary: str = Field(examples=["SIP/2.0 180 Ringing"])
    text: str


def show_call(call: CallRecord, recording_url: Callable[[str], str]) -> dict[str, Any]:
    """Return a call as :class:`CallAnswer` describes it.

    Args:
        call: The call.
        recording_url: Makes the link of a finished recording from its id.
    """
    recording = call.recording
    is_whole = recording is not None and recording.status is RecordingStatus.COMPLETED
    return {
        "id": call.id,
        "direction": call.direction,
        "from": call.from_,
        "to": call.to,
        "status": call.status,
        "agent_id": call.agent_id,
        "ivr_id": call.ivr_id,
        "trunk_id": call.trunk_id,
        "record": call.record,
        "max_duration": call.max_duration_s,
        "webhook_url": call.webhook_url,
        "metadata": call.metadata,
        "created_at": iso_utc(call.created_at),
        "ringing_at": moment(call.ringing_at),
        "answered_at": moment(call.answered_at),
        "ended_at": moment(call.ended_at),
        "duration_seconds": call.duration_seconds,
        "billed_seconds": call.duration_seconds,
        "recording_url": recording_url(recording.id) if recording and is_whole else None,
        "recording": _show_recording(recording),
        "agent_summary": None,
        "amd_result": None,
        "hangup": _show_hangup(call.hangup),
        "attempts": [_show_attempt(attempt) for attempt in call.attempts],
        "media": _show_media(call.media),
    }


def show_event(event: CallEvent) -> dict[str, Any]:
    """Return one entry of a timeline as :class:`EventAnswer` describes it."""
    return {
        "id": event.id,
        "type": event.type,
        "created_at": iso_utc(event.created_at),
        "data": event.data,
    }


def show_sip_message(entry: SipTraceEntry) -> dict[str, Any]:
    """Return one SIP message as :class:`SipMessageAnswer` describes it."""
    return {
        "at": iso_utc(entry.at),
        "direction": "sent" if entry.sent else "received",
        "transport": entry.transport,
        "local": entry.local,
        "remote": entry.remote,
        "summary": entry.summary,
        "text": entry.text,
    }


def moment(value: datetime | None) -> str | None:
    """Return a moment as the API writes it, or None."""
    return None if value is None else iso_utc(value)


def _show_recording(recording: Recording | None) -> dict[str, Any] | None:
    if recording is None:
        return None
    return {
        "id": recording.id,
        "status": recording.status,
        "duration_seconds": recording.duration_seconds,
        "channels": recording.channels,
        "size_bytes": recording.size_bytes,
        "sha256": recording.sha256,
    }


def _show_hangup(hangup: Hangup | None) -> dict[str, Any] | None:
    if hangup is None:
        return None
    return {
        "by": hangup.by,
        "cause": hangup.cause,
        "sip_code": hangup.sip_code,
        "sip_reason": hangup.sip_reason,
        "message": hangup.message,
    }


def _show_attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "trunk_id": attempt.trunk_id,
        "sip_code": attempt.sip_code,
        "cause": attempt.cause,
        "started_at": iso_utc(attempt.started_at),
        "ended_at": moment(attempt.ended_at),
    }


def _show_media(media: MediaSummary | None) -> dict[str, Any] | None:
    if media is None:
        return None
    return {
        "codec": media.codec,
        "encryption": media.encryption,
        "srtp_suite": media.srtp_suite,
        "packets_sent": media.packets_sent,
        "packets_received": media.packets_received,
        "loss_percent": media.loss_percent,
        "jitter_ms": media.jitter_ms,
        "rtt_ms": media.rtt_ms,
        "mos": media.mos,
    }
