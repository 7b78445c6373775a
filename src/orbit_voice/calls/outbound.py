"""An outbound call: from the INVITE to the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import structlog

from orbit_voice.calls import conversation, endings
from orbit_voice.calls.attempts import close_attempt, open_attempt
from orbit_voice.calls.call import Call
from orbit_voice.calls.commands import Command, Message
from orbit_voice.calls.endings import Limit
from orbit_voice.calls.facilities import SipSession
from orbit_voice.calls.leg import Leg
from orbit_voice.calls.leg_states import LegAction, LegInput
from orbit_voice.calls.records import CallStatus
from orbit_voice.calls.states import CallInput
from orbit_voice.calls.timeline import EventType
from orbit_voice.kit.clock import utc_now
from orbit_voice.media.errors import MediaError
from orbit_voice.sdp.errors import SdpError
from orbit_voice.signaling.endpoint import OutboundInvite
from orbit_voice.signaling.events import (
    Answered,
    Failed,
    FailureKind,
    Rejected,
    Ringing,
    SessionEvent,
)

_log = structlog.get_logger(__name__)

Inviter = Callable[[OutboundInvite, Callable[[SessionEvent], None]], SipSession]


class OutboundBehaviour:
    """Makes one INVITE and follows it.

    Args:
        invite: Sends an INVITE.
        plan: The INVITE, without its SDP.
        codecs: Encoding names in order of preference.
    """

    def __init__(self, invite: Inviter, plan: OutboundInvite, codecs: tuple[str, ...]) -> None:
        self._invite = invite
        self._plan = plan
        self._codecs = codecs

    async def set_up(self, call: Call) -> None:
        """Open the media and send the INVITE. The call is durable already."""
        try:
            leg = Leg(call.facilities, codecs=self._codecs, on_media=call.post)
        except MediaError as error:
            await call.end(endings.of_capacity(str(error)))
            return
        call.leg = leg
        call.record = open_attempt(call.record, utc_now())
        call.arm(Limit.RING_TIMEOUT, call.record.ring_timeout_s)
        leg.session = self._invite(replace(self._plan, sdp=leg.make_offer()), call.post)

    async def take(self, call: Call, message: Message) -> None:
        """Take what the far end says; after the answer the conversation does."""
        if call.record.status is CallStatus.IN_PROGRESS:
            await conversation.take(call, message)
            return
        assert call.leg is not None
        match message:
            case Ringing(_, _, sdp):
                await self._progress(call, call.leg, sdp)
            case Answered(sdp):
                await self._answer(call, call.leg, sdp)
            case Rejected(status, reason, _):
                call.leg.take(LegInput.SESSION_OVER)
                rang = call.record.status is CallStatus.RINGING
                await call.end(endings.of_rejection(status, reason, rang=rang))
            case Failed(kind, detail):
                call.leg.take(LegInput.SESSION_OVER)
                timed_out = kind is FailureKind.TIMEOUT
                await call.end(endings.of_failure(timed_out=timed_out, detail=detail))
            case _:
                await conversation.take(call, message)

    async def obey(self, call: Call, command: Command) -> None:
        """Do what was asked.

        Raises:
            CallError: It cannot be done now.
        """
        await conversation.obey(call, command)

    async def _progress(self, call: Call, leg: Leg, sdp: bytes | None) -> None:
        if sdp is not None:
            _take_early_media(call, leg, sdp)
        action = leg.take(LegInput.PROGRESS)
        if action is LegAction.REPORT_RINGING and call.move(CallInput.RANG):
            call.note(EventType.RINGING, early_media=sdp is not None)
            await call.write()

    async def _answer(self, call: Call, leg: Leg, sdp: bytes | None) -> None:
        if leg.take(LegInput.ANSWER) is not LegAction.REPORT_ANSWER:
            return
        try:
            leg.take_answer(sdp)
        except SdpError as error:
            await call.end(endings.of_bad_media(str(error)))
            return
        call.disarm(Limit.RING_TIMEOUT)
        call.record = close_attempt(call.record, utc_now(), sip_code=200, cause=None)
        call.move(CallInput.ANSWERED)
        conversation.begin(call)
        call.note(EventType.ANSWERED)
        await call.write()


def _take_early_media(call: Call, leg: Leg, sdp: bytes) -> None:
    """Run the media of a provisional answer; one that cannot be used is as good as none."""
    try:
        leg.take_answer(sdp)
    except SdpError as error:
        _log.info("call.early_media_refused", call_id=call.record.id, reason=str(error))
