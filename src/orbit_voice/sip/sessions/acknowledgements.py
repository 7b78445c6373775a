"""The ACKs for 2xx that we sent in one dialog."""

from __future__ import annotations

from typing import Final

from orbit_voice.sip.message import Request
from orbit_voice.sip.sessions.outputs import SendAck

MAX_ACKS: Final = 4
"""ACKs kept in a dialog: a 2xx is repeated for 32 s, and re-INVITEs are seconds apart."""


class Acknowledgements:
    """Gives the very same ACK for every copy of a 2xx (RFC 3261 §13.2.2.4)."""

    __slots__ = ("_by_number",)

    def __init__(self) -> None:
        self._by_number: dict[int, Request] = {}

    def send(self, ack: Request) -> SendAck:
        """Send ``ack``, and keep it; the oldest makes room."""
        if len(self._by_number) >= MAX_ACKS:
            del self._by_number[next(iter(self._by_number))]
        self._by_number[ack.cseq.number] = ack
        return SendAck(ack)

    def repeat(self, invite: Request) -> SendAck | None:
        """Return what to send for a repeated 2xx to ``invite``; None when it has no ACK yet."""
        ack = self._by_number.get(invite.cseq.number)
        return None if ack is None else SendAck(ack)
