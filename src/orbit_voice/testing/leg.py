"""One simulated party's side of one call: its SIP session, its media, and what it went through."""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeAlias

from orbit_voice.kit.errors import OrbitError
from orbit_voice.media.errors import MediaError
from orbit_voice.media.events import RecordingFinished
from orbit_voice.media.statistics import StreamStatistics
from orbit_voice.sdp.direction import Direction
from orbit_voice.sdp.errors import SdpError
from orbit_voice.sdp.offer_answer import AudioNegotiation, AudioPlan, State
from orbit_voice.signaling.events import (
    Acknowledged,
    Answered,
    Cancelled,
    Ended,
    Failed,
    OfferAccepted,
    Offered,
    OfferRefused,
    OfferWithdrawn,
    Rejected,
    Ringing,
    SessionEvent,
)
from orbit_voice.signaling.trace import SipTrace
from orbit_voice.testing.audio import Samples, read_wav
from orbit_voice.testing.leg_media import LegMedia
from orbit_voice.testing.transcript import PATIENCE_S, Moment, Transcript

End: TypeAlias = Rejected | Failed | Cancelled | Ended
"""The events that end a session; each has exactly one."""


class LegEndedError(OrbitError):
    """The call ended while something else was waited for."""


class ReofferRefusedError(OrbitError):
    """The peer refused a re-INVITE; the call goes on as it was."""


class LegState(StrEnum):
    """Where a simulated leg stands."""

    NEW = "new"
    RINGING = "ringing"
    TALKING = "talking"
    ENDED = "ended"


class Session(Protocol):
    """What both kinds of SIP session can do."""

    @property
    def trace(self) -> SipTrace:
        """Messages so far."""

    def hangup(self, *, reason: str | None = None) -> None:
        """End it."""

    def reoffer(self, sdp: bytes) -> None:
        """Send a re-INVITE."""

    def answer_offer(self, sdp: bytes) -> None:
        """Accept the peer's re-INVITE."""

    def refuse_offer(self, status: int = 488) -> None:
        """Refuse the peer's re-INVITE."""


def describe_end(end: End) -> str:
    """Return in a few words what ended a call."""
    match end:
        case Rejected(status=status, reason=reason):
            return f"{status} {reason}"
        case Failed(kind=kind, detail=detail):
            return f"{kind}: {detail}"
        case Cancelled():
            return "cancelled by the caller"
        case Ended(remote=remote, reason=reason):
            return f"by {'the peer' if remote else 'us'}" + (f": {reason}" if reason else "")


class SimulatedLeg:
    """One side of a call, given out by :class:`~orbit_voice.testing.phone.SipPhone` and
    :class:`~orbit_voice.testing.carrier.CarrierSimulator`.

    Args:
        peer: URI of the other party.
        media: Its mouth and ears.
        negotiation: Its side of offer and answer.
        transcript: Takes what happens.
        sound: WAV file it plays in a loop once the call is answered; None: silence.

    Attributes:
        peer: URI of the other party.
        state: Where it stands.
        end: The event that ended it, or None.
    """

    def __init__(
        self,
        *,
        peer: str,
        media: LegMedia,
        negotiation: AudioNegotiation,
        transcript: Transcript,
        sound: Path | None,
    ) -> None:
        self._media = media
        self._negotiation = negotiation
        self._transcript = transcript
        self._sound = sound
        self._sounds = False
        self._session: Session | None = None
        self._applied: bytes | None = None
        self.peer = peer
        self.state = LegState.NEW
        self.end: End | None = None

    @property
    def plan(self) -> AudioPlan | None:
        """The media agreed on, or None."""
        return self._negotiation.plan

    @property
    def transcript(self) -> list[Moment]:
        """What happened so far, in order."""
        return list(self._transcript.moments)

    @property
    def heard_digits(self) -> str:
        """DTMF heard so far."""
        return self._media.heard_digits

    @property
    def statistics(self) -> StreamStatistics:
        """The media in figures: of now, or final once the call is over."""
        return self._media.statistics

    @property
    def trace(self) -> SipTrace:
        """The SIP messages of the call so far."""
        return self._begun().trace

    def hangup(self, *, reason: str | None = None) -> None:
        """End the call, or give up calling. May be called twice."""
        self._begun().hangup(reason=reason)

    def play(self, sound: Path, *, loop: bool = False) -> None:
        """Play a WAV file in place of what plays now.

        Raises:
            MediaError: The file cannot be played, or the call is over.
        """
        self._media.stream.play([sound], loop=loop)

    def send_dtmf(self, digits: str, *, duration_ms: int = 100, gap_ms: int = 50) -> None:
        """Send telephone events (RFC 4733); ``w`` pauses half a second.

        Raises:
            MediaError: A digit is unknown, the peer does not take events, or the call is over.
        """
        self._media.stream.send_dtmf(digits, duration_ms=duration_ms, gap_ms=gap_ms)

    async def hold(
        self, direction: Direction = Direction.SENDONLY, *, timeout_s: float = PATIENCE_S
    ) -> None:
        """Send a re-INVITE with another direction, and return once the peer took it.

        Args:
            direction: ``SENDONLY`` holds with music, ``INACTIVE`` without.
            timeout_s: How long to wait, seconds.

        Raises:
            LegEndedError: The call ended instead.
            ReofferRefusedError: The peer refused.
            TimeoutError: It did not respond in time.
        """
        self._transcript.note("reoffer", direction)
        self._begun().reoffer(self._negotiation.make_offer(direction))
        await self._transcript.until(
            lambda: self._negotiation.state is not State.REOFFER_SENT or self.end is not None,
            "a response to the re-INVITE",
            timeout_s,
        )
        if self.end is not None:
            raise LegEndedError(f"instead of another direction: {describe_end(self.end)}")
        if self._negotiation.state is State.SETTLED:
            raise ReofferRefusedError(f"the peer refused {direction}")

    async def resume(self, *, timeout_s: float = PATIENCE_S) -> None:
        """Send a re-INVITE that lets both talk again. Raises as :meth:`hold` does."""
        await self.hold(Direction.SENDRECV, timeout_s=timeout_s)

    async def ringing(self, *, timeout_s: float = PATIENCE_S) -> None:
        """Return once it rings, or is answered without.

        Raises:
            LegEndedError: It ended instead.
            TimeoutError: It did neither in time.
        """
        await self._reach({LegState.RINGING, LegState.TALKING}, "ringing", timeout_s)

    async def answered(self, *, timeout_s: float = PATIENCE_S) -> None:
        """Return once the call is answered.

        Raises:
            LegEndedError: It ended instead.
            TimeoutError: It did neither in time.
        """
        await self._reach({LegState.TALKING}, "an answer", timeout_s)

    async def ended(self, *, timeout_s: float = PATIENCE_S) -> End:
        """Return what ended the call.

        Raises:
            TimeoutError: It has not ended in time.
        """
        await self._transcript.until(lambda: self.end is not None, "the end", timeout_s)
        assert self.end is not None
        return self.end

    async def lasts(self, duration_s: float) -> bool:
        """Wait, and return whether the call is still there; False as soon as it is not."""
        with suppress(TimeoutError):
            await self.ended(timeout_s=duration_s)
        return self.end is None

    async def heard(self, digits: str, *, timeout_s: float = PATIENCE_S) -> None:
        """Return once the digits heard so far end in ``digits``.

        Raises:
            TimeoutError: They do not in time.
        """
        await self._transcript.until(
            lambda: self.heard_digits.endswith(digits), f"the digits {digits}", timeout_s
        )

    async def recorded(self, *, timeout_s: float = PATIENCE_S) -> Samples:
        """Return the recording, int16 at 8000 Hz, once the call is over.

        Raises:
            TimeoutError: It was not finished in time, or nothing was to be recorded.
            ValueError: Recording failed.
        """
        media = self._media
        await self._transcript.until(lambda: media.recorded is not None, "the recording", timeout_s)
        if not isinstance(media.recorded, RecordingFinished):
            raise ValueError(f"recording failed: {media.recorded}")
        return read_wav(media.recorded.path).channel()

    def take(self, event: SessionEvent) -> None:
        """Take what the SIP session tells. For whoever made the session."""
        match event:
            case Ringing(status=status, sdp=sdp):
                self._enter(LegState.RINGING, status)
                self._take_answer(sdp)
            case Answered(sdp=sdp):
                self._take_sdp(sdp)
                self._talk()
            case Acknowledged(sdp=sdp) | OfferAccepted(sdp=sdp):
                self._take_answer(sdp)
            case Offered(sdp=sdp):
                self._take_offer(sdp)
            case OfferRefused() | OfferWithdrawn():
                self._transcript.note("offer dropped", event)
                self._negotiation.roll_back()
            case Rejected() | Failed() | Cancelled() | Ended():
                self.end = event
                self._enter(LegState.ENDED, describe_end(event))
                self._media.stream.close()

    def _talk(self) -> None:
        if self.state is not LegState.TALKING:
            self._enter(LegState.TALKING)
            self._start_sound()

    def _start_sound(self) -> None:
        if self._sound is not None and not self._sounds:
            self._sounds = True
            self._media.stream.play([self._sound], loop=True)

    def _take_sdp(self, sdp: bytes | None) -> None:
        """Take the SDP of a 2xx: an answer, or the offer that our INVITE did not make."""
        if self._negotiation.state is State.NEW:
            self._take_offer(sdp)
        else:
            self._take_answer(sdp)

    def _take_answer(self, sdp: bytes | None) -> None:
        if sdp is None or sdp == self._applied:
            return
        try:
            self._media.run(self._negotiation.receive_answer(sdp))
            self._applied = sdp
        except (SdpError, MediaError) as error:
            self._transcript.note("unusable answer", error)
            self.hangup()

    def _take_offer(self, sdp: bytes | None) -> None:
        self._transcript.note("offered", "" if sdp is not None else "nothing")
        try:
            answer = self._negotiation.make_offer() if sdp is None else self._answer(sdp)
        except SdpError as error:
            self._begun().refuse_offer(error.status_hint)
        else:
            self._begun().answer_offer(answer)

    def _answer(self, offer: bytes) -> bytes:
        self._negotiation.receive_offer(offer)
        sdp, plan = self._negotiation.make_answer()
        self._media.run(plan)
        return sdp

    def _enter(self, state: LegState, detail: object = "") -> None:
        self.state = state
        self._transcript.note(state, detail)

    def _begun(self) -> Session:
        if self._session is None:
            raise RuntimeError("the leg has no session yet")
        return self._session

    async def _reach(self, states: set[LegState], wish: str, timeout_s: float) -> None:
        await self._transcript.until(
            lambda: self.state in states or self.end is not None, wish, timeout_s
        )
        if self.state not in states:
            assert self.end is not None
            raise LegEndedError(f"instead of {wish}: {describe_end(self.end)}")
