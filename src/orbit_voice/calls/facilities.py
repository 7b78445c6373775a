"""What a living call works with: SIP, media, speech, the journal, and the limits it obeys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orbit_voice.calls.interfaces import CallJournal
from orbit_voice.media.events import MediaEvent
from orbit_voice.media.plan import StreamPlan
from orbit_voice.media.statistics import StreamStatistics
from orbit_voice.signaling.trace import SipTrace
from orbit_voice.speech import Speech


class SipSession(Protocol):
    """What both kinds of SIP session offer a leg."""

    @property
    def call_id(self) -> str:
        """The Call-ID header field."""

    @property
    def trace(self) -> SipTrace:
        """The session's messages so far."""

    @property
    def is_settled(self) -> bool:
        """Whether it is over and nothing of it is under way any more."""

    def hangup(self, *, reason: str | None = None) -> None:
        """End it, whatever state it is in; may be called twice."""

    def answer_offer(self, sdp: bytes) -> None:
        """Accept the peer's re-INVITE."""

    def refuse_offer(self, status: int = 488) -> None:
        """Refuse the peer's re-INVITE; the session goes on as it was."""


class AudioStream(Protocol):
    """What a leg asks of its media stream."""

    @property
    def local_rtp_port(self) -> int:
        """Where the peer shall send RTP."""

    def configure(self, plan: StreamPlan) -> None:
        """Start, or change what is sent and received."""

    def play(self, prompts: Sequence[Path], *, loop: bool = False) -> int:
        """Play files one after the other; return a play id."""

    def stop_playing(self) -> None:
        """End what is playing."""

    def send_dtmf(self, digits: str) -> None:
        """Queue digits."""

    def start_recording(self, path: Path) -> None:
        """Record both directions from the next tick on."""

    def stop_recording(self) -> None:
        """Finish the recording."""

    def statistics(self) -> StreamStatistics:
        """Return the figures so far."""

    def close(self) -> None:
        """Release it; may be called twice."""


class AudioEngine(Protocol):
    """Where streams come from."""

    def open_stream(self, on_event: Callable[[MediaEvent], None]) -> AudioStream:
        """Open a stream.

        Raises:
            MediaError: No port is free.
        """


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Limits that hold for every call.

    Attributes:
        media_timeout_s: Silence on RTP after which an answered call ends, seconds; None: never.
        recording_grace_s: How long the end of a call waits for its recording to be whole.
        release_grace_s: How long a finished call lingers for the peer to confirm its end; longer
            than 64*T1 (RFC 3261 §17), after which the session has given up by itself.
    """

    media_timeout_s: float | None = 60.0
    recording_grace_s: float = 5.0
    release_grace_s: float = 40.0


@dataclass(frozen=True, slots=True)
class Facilities:
    """What every call of this node works with.

    Attributes:
        node_id: This node, written into each call it carries.
        media_address: Numeric address peers shall send RTP to.
        recordings: Directory the recordings go to.
    """

    node_id: str
    journal: CallJournal
    media: AudioEngine
    speech: Speech
    media_address: str
    recordings: Path
    limits: CallLimits
