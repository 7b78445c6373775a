"""Call control: makes calls, takes calls, finds the living one for a command.

This is the one implementation of :class:`orbit_voice.calls.orders.CallControl`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from orbit_voice.calls import endings
from orbit_voice.calls.call import Call, not_active
from orbit_voice.calls.commands import (
    Accept,
    Command,
    Decline,
    HangUp,
    LimitReached,
    Message,
    PlayFiles,
    SendDtmf,
    StopPlaying,
)
from orbit_voice.calls.endings import Limit
from orbit_voice.calls.facilities import Facilities
from orbit_voice.calls.inbound import InboundBehaviour, InviteReceived
from orbit_voice.calls.interfaces import CallReader, PromptSource
from orbit_voice.calls.orders import CallOrder, PlayOrder, SayOrder
from orbit_voice.calls.outbound import Inviter, OutboundBehaviour
from orbit_voice.calls.planning import CallPlanner
from orbit_voice.calls.records import CallRecord, HangupBy
from orbit_voice.calls.screening import Admission, InboundScreen, Refusal
from orbit_voice.calls.timeline import EventType
from orbit_voice.kit.errors import CallError, ErrorCode, ProviderError
from orbit_voice.kit.tasks import TaskScope
from orbit_voice.signaling.trace import SipTraceEntry

_log = structlog.get_logger(__name__)

BUSY_HERE: Final = 486
SERVICE_UNAVAILABLE: Final = 503
RETRY_AFTER_S: Final = 10
"""What a refused client is told to wait, seconds."""


class CallService:
    """All living calls of this node, and what may be asked of them.

    Args:
        facilities: What calls work with.
        invite: Sends INVITEs.
        planner: Chooses caller ID, trunk and INVITE of an outbound call.
        screen: Says whose an inbound call is, or why it is refused.
        reader: Finds calls that are over.
        prompts: Finds audio to play.
    """

    def __init__(
        self,
        *,
        facilities: Facilities,
        invite: Inviter,
        planner: CallPlanner,
        screen: InboundScreen,
        reader: CallReader,
        prompts: PromptSource,
        max_calls: int = 2000,
    ) -> None:
        self._facilities = facilities
        self._invite = invite
        self._planner = planner
        self._screen = screen
        self._reader = reader
        self._prompts = prompts
        self._max_calls = max_calls
        self._calls: dict[str, Call] = {}
        self._scope = TaskScope("calls")
        self._draining = False

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def living(self) -> Mapping[str, Call]:
        """The calls carried now, by id."""
        return self._calls

    @property
    def accepts_calls(self) -> bool:
        """Whether a new call would be taken now."""
        return not self._draining and len(self._calls) < self._max_calls

    async def create(self, org_id: str, order: CallOrder) -> CallRecord:
        """Make a call; return once it is durable, before it rings.

        Raises:
            CallError: ``NUMBER_NOT_REGISTERED``, ``NO_ROUTE``, ``SERVICE_UNAVAILABLE`` …
        """
        if not self.accepts_calls:
            raise _unavailable()
        planned = await self._planner.plan(org_id, order, node_id=self._facilities.node_id)
        behaviour = OutboundBehaviour(self._invite, planned.invite, planned.codecs)
        call = Call(planned.record, self._facilities, behaviour)
        call.note(EventType.INITIATED)
        await call.write()
        self._start(call)
        return call.record

    def receive(self, session: InviteReceived) -> None:
        """Take an INVITE that a peer sent us; returns at once."""
        if not self.accepts_calls:
            session.reject(SERVICE_UNAVAILABLE, None, (("Retry-After", str(RETRY_AFTER_S)),))
            return
        inbox: asyncio.Queue[Message] = asyncio.Queue()
        session.set_handler(inbox.put_nowait)
        _ = self._scope.start(self._take_in(session, inbox), name="inbound")

    async def hangup(self, org_id: str, call_id: str) -> CallRecord:
        """End a call; return its record once the end is durable."""
        return await self._ask(org_id, call_id, HangUp(endings.by_command(HangupBy.API)))

    async def accept(self, org_id: str, call_id: str) -> CallRecord:
        """Answer an inbound call that a ``manual`` route holds."""
        return await self._ask(org_id, call_id, Accept())

    async def decline(self, org_id: str, call_id: str) -> CallRecord:
        """Refuse an inbound call that a ``manual`` route holds (SIP 486)."""
        return await self._ask(org_id, call_id, Decline(BUSY_HERE))

    async def say(self, org_id: str, call_id: str, order: SayOrder) -> CallRecord:
        """Speak on an answered call; return when speaking starts."""
        await self._living(org_id, call_id)
        speech = self._facilities.speech
        try:
            prompt = await speech.render(order.text, voice=order.voice, language=order.language)
        except ProviderError as error:
            raise _speech_failed(error) from error
        return await self._ask(org_id, call_id, PlayFiles((prompt.path,)))

    async def play(self, org_id: str, call_id: str, order: PlayOrder) -> CallRecord:
        """Play on an answered call; return when playing starts."""
        await self._living(org_id, call_id)
        path = await self._prompts.find_audio(org_id, order)
        return await self._ask(org_id, call_id, PlayFiles((path,), loop=order.loop))

    async def stop(self, org_id: str, call_id: str) -> CallRecord:
        """End what is playing on an answered call."""
        return await self._ask(org_id, call_id, StopPlaying())

    async def dtmf(self, org_id: str, call_id: str, digits: str) -> CallRecord:
        """Send digits on an answered call."""
        return await self._ask(org_id, call_id, SendDtmf(digits))

    def live_trace(self, org_id: str, call_id: str) -> list[SipTraceEntry] | None:
        """Return the SIP messages so far of a call that lives here, or None."""
        call = self._calls.get(call_id)
        if call is None or call.record.org_id != org_id:
            return None
        if call.leg is None or call.leg.session is None:
            return []
        return call.leg.session.trace.entries()

    def active_calls(self, trunk_id: str) -> int:
        """Return how many calls a trunk carries now."""
        living = (call.record for call in self._calls.values())
        return sum(1 for call in living if call.trunk_id == trunk_id and not call.status.is_end)

    async def drain(self, timeout_s: float) -> None:
        """Take no new call, let the living finish for ``timeout_s``, then end them."""
        self._draining = True
        if await self._scope.drain(timeout_s):
            return
        for call in list(self._calls.values()):
            call.post(LimitReached(Limit.SHUTDOWN))
        await self._scope.drain(self._facilities.limits.recording_grace_s)
        await self._scope.close()

    def _start(self, call: Call) -> None:
        self._calls[call.record.id] = call
        _ = self._scope.start(self._run(call), name=call.record.id)

    async def _run(self, call: Call) -> None:
        try:
            await call.run()
        finally:
            self._calls.pop(call.record.id, None)

    async def _take_in(self, session: InviteReceived, inbox: asyncio.Queue[Message]) -> None:
        verdict = await self._screen.judge(session, node_id=self._facilities.node_id)
        if isinstance(verdict, Refusal):
            session.reject(verdict.status)
            return
        call = Call(verdict.record, self._facilities, self._inbound(session, verdict), inbox)
        call.note(EventType.INITIATED)
        self._calls[call.record.id] = call
        await self._run(call)

    def _inbound(self, session: InviteReceived, verdict: Admission) -> InboundBehaviour:
        return InboundBehaviour(session, verdict.routing, verdict.codecs)

    async def _ask(self, org_id: str, call_id: str, command: Command) -> CallRecord:
        return await (await self._living(org_id, call_id)).ask(command)

    async def _living(self, org_id: str, call_id: str) -> Call:
        call = self._calls.get(call_id)
        if call is not None and call.record.org_id == org_id:
            if call.record.status.is_end:
                raise not_active(call.record)
            return call
        record = await self._reader.get_call(org_id, call_id)
        if record is None:
            raise CallError(ErrorCode.NOT_FOUND, details={"id": call_id})
        raise not_active(record)


def _unavailable() -> CallError:
    return CallError(
        ErrorCode.SERVICE_UNAVAILABLE,
        details={"retry_after": RETRY_AFTER_S},
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


def _speech_failed(error: ProviderError) -> CallError:
    if error.category == "rejected":
        details = {"field": "text", "expected": str(error)}
        return CallError(ErrorCode.VALIDATION_ERROR, f"{error}", details=details)
    return CallError(
        ErrorCode.SERVICE_UNAVAILABLE,
        f"Speech is not available now: {error}.",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )
