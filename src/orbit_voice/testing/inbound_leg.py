"""A call that reaches the simulated party."""

from __future__ import annotations

from orbit_voice.signaling.endpoint import InboundSession
from orbit_voice.sip.message import Request
from orbit_voice.testing.leg import LegState, SimulatedLeg


class InboundLeg(SimulatedLeg):
    """A call that reaches the simulated party."""

    _incoming: InboundSession
    _sdp: bytes | None = None

    @property
    def invite(self) -> Request:
        """The INVITE."""
        return self._incoming.request

    def begin(self, session: InboundSession) -> None:
        """Take the session that the INVITE began.

        Raises:
            SdpError: The offer in it cannot be used.
        """
        self._session = self._incoming = session
        session.set_handler(self.take)
        if session.request.body:
            self._negotiation.receive_offer(session.request.body)

    def ring(self, status: int = 180, *, early_media: bool = False) -> None:
        """Send a provisional response; with early media, let the caller hear the sound."""
        self._enter(LegState.RINGING, status)
        self._incoming.ring(status, self._local_description() if early_media else None)
        if early_media:
            self._start_sound()

    def answer(self) -> None:
        """Answer the call."""
        self._incoming.answer(self._local_description())
        self._talk()

    def reject(
        self, status: int, reason: str | None = None, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """Refuse the call with ``status`` (300-699)."""
        self._incoming.reject(status, reason, headers)

    def _local_description(self) -> bytes:
        """Return the answer, or the offer when the INVITE had none; always the same one."""
        if self._sdp is None and self.invite.body:
            self._sdp, plan = self._negotiation.make_answer()
            self._media.run(plan)
        elif self._sdp is None:
            self._sdp = self._negotiation.make_offer()
        return self._sdp
