"""A call the simulated party makes."""

from __future__ import annotations

from orbit_voice.testing.leg import Session, SimulatedLeg


class OutboundLeg(SimulatedLeg):
    """A call the simulated party makes."""

    def offer(self) -> bytes:
        """Return the SDP of its INVITE."""
        return self._negotiation.make_offer()

    def begin(self, session: Session) -> None:
        """Take the session that the INVITE began."""
        self._session = session

    def abandon(self) -> None:
        """Release the media of a call that could not even begin."""
        self._media.stream.close()
