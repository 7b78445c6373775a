"""What is known of a call at one moment, as frozen values.

A record is what the store keeps and the API shows; the living call (`orbit_voice.calls.call`)
makes a new one at every change. Field names are those of API contract §2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from orbit_voice.kit.errors import HangupCause
from orbit_voice.signaling.trace import SipTraceEntry


class Direction(StrEnum):
    """As seen from this server."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"


class CallStatus(StrEnum):
    """API contract §2, “Statuses”."""

    INITIATING = "initiating"
    RINGING = "ringing"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    CANCELLED = "cancelled"

    @property
    def is_end(self) -> bool:
        """Whether the call is over; an end is final."""
        return self in _ENDS


_ENDS = frozenset(
    {
        CallStatus.COMPLETED,
        CallStatus.FAILED,
        CallStatus.BUSY,
        CallStatus.NO_ANSWER,
        CallStatus.CANCELLED,
    }
)


class HangupBy(StrEnum):
    """Who ended the call."""

    CALLER = "caller"
    CALLEE = "callee"
    API = "api"
    AGENT = "agent"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Hangup:
    """Why a call ended.

    Attributes:
        by: Who ended it.
        cause: Stable cause.
        sip_code: SIP status that ended it, or None (a BYE, the API, a lost node).
        sip_reason: The peer's reason phrase, or None.
        message: One sentence for people.
    """

    by: HangupBy
    cause: HangupCause
    sip_code: int | None
    sip_reason: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One INVITE towards one trunk."""

    trunk_id: str | None
    started_at: datetime
    ended_at: datetime | None = None
    sip_code: int | None = None
    cause: HangupCause | None = None


class RecordingStatus(StrEnum):
    """Life of a recording."""

    RECORDING = "recording"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording of a call.

    Attributes:
        id: ``rec_…``.
        status: Where it stands.
        path: Where the finished file lies, relative to the data directory.
        duration_seconds: Sample-clock length, seconds; None until finished.
        channels: 1 mono, 2 stereo (local left, remote right).
        size_bytes: Size of the file; None until finished.
        sha256: Hex digest of the file; None until finished.
    """

    id: str
    status: RecordingStatus
    path: str
    duration_seconds: float | None = None
    channels: int | None = None
    size_bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class MediaSummary:
    """The call's media in figures; ``mos`` is the E-model's (ITU-T G.107), 1.0-4.5."""

    codec: str | None = None
    encryption: str | None = None
    srtp_suite: str | None = None
    packets_sent: int | None = None
    packets_received: int | None = None
    loss_percent: float | None = None
    jitter_ms: float | None = None
    rtt_ms: float | None = None
    mos: float | None = None


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call at one moment. Values not known yet are None.

    ``to`` and ``from_`` are E.164 or SIP URIs. ``number_id`` is the number of ours involved.
    """

    id: str
    org_id: str
    node_id: str
    direction: Direction
    from_: str | None
    to: str
    status: CallStatus
    created_at: datetime
    agent_id: str | None = None
    ivr_id: str | None = None
    trunk_id: str | None = None
    record: bool = False
    max_duration_s: int = 3600
    ring_timeout_s: int = 60
    webhook_url: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    sip_headers: Mapping[str, str] = field(default_factory=dict)
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    recording: Recording | None = None
    hangup: Hangup | None = None
    attempts: tuple[Attempt, ...] = ()
    media: MediaSummary | None = None
    next_sequence: int = 1

    @property
    def duration_seconds(self) -> int | None:
        """Whole seconds from answer to end; None unless the call was answered and has ended."""
        if self.answered_at is None or self.ended_at is None:
            return None
        return max(0, int((self.ended_at - self.answered_at).total_seconds()))


@dataclass(frozen=True, slots=True)
class CallEvent:
    """One entry of a call's timeline, and the payload of its webhook (API contract §10).

    Attributes:
        id: ``evt_…``.
        call_id: The call it belongs to.
        org_id: The call's organization.
        sequence: Counts from 1 without gaps within the call.
        type: ``call.answered``, ``call.dtmf`` …
        created_at: When it happened.
        data: The event's ``data`` object, JSON-ready; holds ``call_id`` and ``sequence``.
    """

    id: str
    call_id: str
    org_id: str
    sequence: int
    type: str
    created_at: datetime
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CallChange:
    """Everything one step of a call writes, in one transaction.

    Attributes:
        call: The whole record after the step.
        events: New timeline entries; each also goes to the outbox when the call has a
            ``webhook_url``.
        is_new: True for the first change, which inserts the row.
        sip_trace: Messages to keep, written once, with the end of the call.
    """

    call: CallRecord
    events: tuple[CallEvent, ...] = ()
    is_new: bool = False
    sip_trace: tuple[SipTraceEntry, ...] = ()
