"""An inbound call: from the INVITE to our answer, or our refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from orbit_voice.calls import conversation, endings
from orbit_voice.calls.call import Call
from orbit_voice.calls.commands import Accept, Command, Decline, Message
from orbit_voice.calls.endings import Ending, Limit
from orbit_voice.calls.facilities import SipSession
from orbit_voice.calls.leg import Leg
from orbit_voice.calls.leg_states import LegInput
from orbit_voice.calls.records import CallStatus
from orbit_voice.calls.states import CallInput
from orbit_voice.calls.timeline import EventType
from orbit_voice.media.errors import MediaError
from orbit_voice.sdp.errors import SdpError
from orbit_voice.signaling.events import (
    Acknowledged,
    Cancelled,
    Ended,
    Failed,
    SessionEvent,
)
from orbit_voice.sip.message import Request
from orbit_voice.trunks.records import RoutingType

_RINGING = 180
_UNAVAILABLE = 503


class InviteReceived(SipSession, Protocol):
    """The SIP session of an INVITE that a peer sent us."""

    @property
    def request(self) -> Request:
        """The INVITE."""

    @property
    def source(self) -> tuple[str, int]:
        """Numeric address and port it came from."""

    def set_handler(self, on_event: Callable[[SessionEvent], None]) -> None:
        """Have the session's events from now on."""

    def ring(self, status: int = _RINGING, sdp: bytes | None = None) -> None:
        """Send a provisional response."""

    def answer(self, sdp: bytes) -> None:
        """Send the 200."""

    def reject(
        self, status: int, reason: str | None = None, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """Send a final refusal."""


class InboundBehaviour:
    """Answers, holds or refuses one INVITE as its number's routing says.

    Args:
        session: The INVITE's session.
        routing: ``answer`` at once, or ``manual``: ring until the API accepts or declines.
        codecs: Encoding names in order of preference.
    """

    def __init__(
        self, session: InviteReceived, routing: RoutingType, codecs: tuple[str, ...]
    ) -> None:
        self._session = session
        self._routing = routing
        self._codecs = codecs
        self._sdp = b""

    async def set_up(self, call: Call) -> None:
        """Agree on media, then answer or ring."""
        if not await self._prepare(call):
            return
        if self._routing is RoutingType.ANSWER:
            await self._answer(call)
            return
        self._session.ring()
        assert call.leg is not None
        call.leg.take(LegInput.PROGRESS)
        call.move(CallInput.RANG)
        call.note(EventType.RINGING, early_media=False)
        call.arm(Limit.RING_TIMEOUT, call.record.ring_timeout_s)
        await call.write()

    async def take(self, call: Call, message: Message) -> None:
        """Take what the caller does; after the answer the conversation does."""
        if call.record.status is CallStatus.IN_PROGRESS:
            await conversation.take(call, message)
            return
        match message:
            case Cancelled(reason) | Ended(_, reason, _):
                _over(call)
                await call.end(endings.by_cancel(reason))
            case Failed(_, detail):
                _over(call)
                await call.end(endings.of_failure(timed_out=False, detail=detail))
            case Acknowledged():
                pass
            case _:
                await conversation.take(call, message)

    async def obey(self, call: Call, command: Command) -> None:
        """Do what was asked.

        Raises:
            CallError: It cannot be done now.
        """
        waits = call.record.status is CallStatus.RINGING
        if waits and isinstance(command, Accept):
            await self._answer(call)
        elif waits and isinstance(command, Decline):
            await self._refuse(call, command.status, endings.by_decline(command.status))
        else:
            await conversation.obey(call, command)

    async def _prepare(self, call: Call) -> bool:
        """Open the media and compose our SDP; False when the call ended of it."""
        try:
            leg = Leg(call.facilities, codecs=self._codecs, on_media=call.post)
        except MediaError as error:
            await self._refuse(call, _UNAVAILABLE, endings.of_capacity(str(error)))
            return False
        call.leg, leg.session = leg, self._session
        offer = self._session.request.body or None
        try:
            self._sdp = leg.make_offer() if offer is None else leg.answer(offer)
        except SdpError as error:
            await self._refuse(call, error.status_hint, endings.of_bad_media(str(error)))
            return False
        return True

    async def _answer(self, call: Call) -> None:
        """Make the answer durable, then send it."""
        call.disarm(Limit.RING_TIMEOUT)
        assert call.leg is not None
        call.leg.take(LegInput.ANSWER)
        call.move(CallInput.ANSWERED)
        conversation.begin(call)
        call.note(EventType.ANSWERED)
        await call.write()
        self._session.answer(self._sdp)

    async def _refuse(self, call: Call, status: int, ending: Ending) -> None:
        self._session.reject(status)
        if call.leg is not None:
            call.leg.take(LegInput.SESSION_OVER)
        await call.end(ending)


def _over(call: Call) -> None:
    if call.leg is not None:
        call.leg.take(LegInput.SESSION_OVER)
