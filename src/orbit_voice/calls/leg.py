"""A leg: one party's side of a call, its SIP session and its media stream together.

The leg turns SDP into running media and keeps both sides of the party in step. It decides nothing
about the call; see :mod:`orbit_voice.calls.call`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from orbit_voice.calls.facilities import Facilities, SipSession
from orbit_voice.calls.leg_states import LegAction, LegInput, LegState, step
from orbit_voice.media.errors import MediaError
from orbit_voice.media.events import MediaEvent
from orbit_voice.media.plan import StreamPlan
from orbit_voice.media.statistics import StreamStatistics
from orbit_voice.sdp.errors import SdpError
from orbit_voice.sdp.offer_answer import AudioNegotiation, AudioPlan

_SESSION_ID_BITS: Final = 62
"""Room for the o= line's session id below 2**63 (RFC 8866 §5.2)."""


class Leg:
    """One party's side of a call.

    Args:
        facilities: Where the media stream comes from.
        codecs: Encoding names in order of preference.
        on_media: Takes the stream's events.

    Attributes:
        state: Where the leg stands.
        session: The SIP session, once there is one.
        final_statistics: Of the stream, once it is closed.

    Raises:
        MediaError: No media port is free.
    """

    def __init__(
        self,
        facilities: Facilities,
        *,
        codecs: tuple[str, ...],
        on_media: Callable[[MediaEvent], None],
    ) -> None:
        self.state = LegState.SETUP
        self.session: SipSession | None = None
        self.final_statistics: StreamStatistics | None = None
        self._media_timeout_s = facilities.limits.media_timeout_s
        self.stream = facilities.media.open_stream(on_media)
        self._negotiation = AudioNegotiation(
            local_address=facilities.media_address,
            local_rtp_port=self.stream.local_rtp_port,
            codecs=codecs,
            session_id=secrets.randbits(_SESSION_ID_BITS),
        )
        self._applied: bytes | None = None

    @property
    def plan(self) -> AudioPlan | None:
        """What both sides agreed on, or None."""
        return self._negotiation.plan

    @property
    def statistics(self) -> StreamStatistics:
        """The media in figures: of now, or final once the stream is closed."""
        return self.final_statistics or self.stream.statistics()

    def take(self, what: LegInput) -> LegAction:
        """Step the state table; return what is to be done about ``what``."""
        action, self.state = step(self.state, what)
        return action

    def make_offer(self) -> bytes:
        """Return the SDP of our INVITE, or of our 2xx to an INVITE without SDP."""
        return self._negotiation.make_offer()

    def take_answer(self, sdp: bytes | None) -> None:
        """Run the media as the peer's answer says; an answer seen before changes nothing.

        Raises:
            SdpError: It cannot be used, or there never was one.
        """
        if sdp is None:
            if self._negotiation.plan is None:
                raise SdpError("the answer is missing", section="RFC 3261 §13.2.1")
            return
        if sdp == self._applied:
            return
        self._configure(self._negotiation.receive_answer(sdp))
        self._applied = sdp

    def answer(self, offer: bytes) -> bytes:
        """Take the peer's offer, run the media by it and return our answer.

        Raises:
            SdpError: Nothing in it can be used; the leg goes on as it was.
        """
        self._negotiation.receive_offer(offer)
        sdp, plan = self._negotiation.make_answer()
        self._configure(plan)
        return sdp

    def take_reoffer(self, sdp: bytes | None) -> None:
        """Answer the peer's re-INVITE; without SDP our offer goes into the 2xx (late offer)."""
        assert self.session is not None
        try:
            answer = self.answer(sdp) if sdp is not None else self.make_offer()
        except SdpError as error:
            self.session.refuse_offer(error.status_hint)
        else:
            self.session.answer_offer(answer)

    def release(self, *, reason: str | None = None) -> None:
        """End the session, whatever state it is in."""
        if self.take(LegInput.RELEASE) is LegAction.HANG_UP and self.session is not None:
            self.session.hangup(reason=reason)

    def _configure(self, plan: AudioPlan) -> None:
        try:
            self.stream.configure(StreamPlan.of(plan, media_timeout_s=self._media_timeout_s))
        except MediaError as error:
            raise SdpError(error.detail, section="RFC 3264 §6", status_hint=488) from error
