"""The living call: one task that owns it, an inbox that others send to.

Everything that happens to a call is a message in its inbox: SIP session events, media events,
commands of the API, limits. The task takes them one by one, steps the state table, and writes the
change to the journal before it acts on it or tells anyone. After the end it lingers, until the
peer confirmed the end or had long enough for it, so that the SIP trace is whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Final, Protocol

import structlog

from orbit_voice.calls import endings
from orbit_voice.calls.attempts import close_attempt
from orbit_voice.calls.commands import Asked, Command, LimitReached, Message
from orbit_voice.calls.endings import Ending, Limit
from orbit_voice.calls.facilities import Facilities
from orbit_voice.calls.leg import Leg
from orbit_voice.calls.leg_states import LegInput, LegState
from orbit_voice.calls.recording import CallRecording
from orbit_voice.calls.records import (
    CallChange,
    CallEvent,
    CallRecord,
    CallStatus,
    RecordingStatus,
)
from orbit_voice.calls.states import CallInput, next_status
from orbit_voice.calls.summary import canonical_line, summarize_media
from orbit_voice.calls.timeline import (
    EventType,
    append_event,
    end_fields,
    recording_fields,
    terminal_type,
)
from orbit_voice.kit.clock import utc_now
from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.media.events import RecordingFailed, RecordingFinished, StreamClosed
from orbit_voice.signaling.events import Cancelled, Ended, Failed, Rejected
from orbit_voice.signaling.trace import SipTraceEntry

_log = structlog.get_logger(__name__)

FIRST_LOOK_S: Final = 0.02
"""After an end the peer's confirmation is looked for this soon, then ever more seldom."""


class Behaviour(Protocol):
    """What differs between outbound and inbound calls."""

    async def set_up(self, call: Call) -> None:
        """Make or take the call; called once, when its first change is durable."""

    async def take(self, call: Call, message: Message) -> None:
        """Take a message that is not the end of anything."""

    async def obey(self, call: Call, command: Command) -> None:
        """Do what was asked.

        Raises:
            CallError: It cannot be done now.
        """


class Call:
    """One call.

    Args:
        record: The call at its first moment.
        facilities: What it works with.
        behaviour: Outbound or inbound.
        inbox: Where messages arrive; may hold some already.

    Attributes:
        record: The call as the journal knows it.
        leg: Its leg, once set up.
    """

    def __init__(
        self,
        record: CallRecord,
        facilities: Facilities,
        behaviour: Behaviour,
        inbox: asyncio.Queue[Message] | None = None,
    ) -> None:
        self.record = record
        self.facilities = facilities
        self.leg: Leg | None = None
        self.recording: CallRecording | None = None
        self._behaviour = behaviour
        self._inbox: asyncio.Queue[Message] = inbox or asyncio.Queue()
        self._timers: dict[Limit, asyncio.TimerHandle] = {}
        self._unwritten: list[CallEvent] = []
        self._is_new = True

    def post(self, message: Message) -> None:
        """Put ``message`` into the inbox. Never blocks; from the loop's thread only."""
        self._inbox.put_nowait(message)

    async def ask(self, command: Command) -> CallRecord:
        """Have ``command`` done; return the record after it.

        Raises:
            CallError: It cannot be done; ``CALL_NOT_ACTIVE`` when the call has ended.
        """
        if self.record.status.is_end:
            raise not_active(self.record)
        done: asyncio.Future[CallRecord] = asyncio.get_running_loop().create_future()
        self.post(Asked(command, done))
        return await done

    def note(self, kind: EventType, **extra: Any) -> None:
        """Append an event to the timeline; :meth:`write` makes it durable."""
        self.record, event = append_event(self.record, kind, utc_now(), **extra)
        self._unwritten.append(event)

    async def write(self, *, sip_trace: tuple[SipTraceEntry, ...] = ()) -> None:
        """Make the record and the events noted since the last time durable."""
        events, self._unwritten = tuple(self._unwritten), []
        is_new, self._is_new = self._is_new, False
        change = CallChange(self.record, events, is_new=is_new, sip_trace=sip_trace)
        await self.facilities.journal.commit(change)

    def move(self, what: CallInput) -> bool:
        """Step the state table; return False when ``what`` has no effect any more."""
        status = next_status(self.record.status, what)
        if status is None:
            return False
        now = utc_now()
        changes: dict[str, Any] = {"status": status}
        if status is CallStatus.RINGING:
            changes["ringing_at"] = now
        elif status is CallStatus.IN_PROGRESS:
            changes["answered_at"] = now
        elif status.is_end:
            changes["ended_at"] = now
        self.record = replace(self.record, **changes)
        return True

    def arm(self, limit: Limit, delay_s: float) -> None:
        """Have ``limit`` reported in ``delay_s`` seconds, unless disarmed before."""
        self.disarm(limit)
        loop = asyncio.get_running_loop()
        self._timers[limit] = loop.call_later(delay_s, self.post, LimitReached(limit))

    def disarm(self, limit: Limit) -> None:
        """Forget a limit."""
        if (timer := self._timers.pop(limit, None)) is not None:
            timer.cancel()

    async def run(self) -> None:
        """Live: set up, take messages until the end is written, linger, be gone."""
        try:
            await self._guarded(self._behaviour.set_up(self))
            while not self.record.status.is_end:
                await self._guarded(self._dispatch(await self._inbox.get()))
            if self._lingers():
                await self._linger()
                await self.write(sip_trace=self._trace())
        finally:
            self._abandon()

    async def end(self, ending: Ending) -> None:
        """End the call: once, whatever races. Returns when the end is durable."""
        if next_status(self.record.status, ending.what) is None:
            return
        for limit in list(self._timers):
            self.disarm(limit)
        if (leg := self.leg) is not None:
            leg.release()
            leg.stream.close()
            await self._wind_down(self._plays_out, self.facilities.limits.recording_grace_s)
            self.record = replace(self.record, media=summarize_media(leg))
        hangup = ending.hangup
        record = replace(self.record, hangup=hangup)
        self.record = close_attempt(record, utc_now(), sip_code=hangup.sip_code, cause=hangup.cause)
        self.move(ending.what)
        self.note(terminal_type(self.record.status), **end_fields(self.record))
        await self.write(sip_trace=() if self._lingers() else self._trace())
        _log.info("call.ended", **canonical_line(self.record))

    def finish_recording(self, event: RecordingFinished | RecordingFailed) -> None:
        """Note that the recording is whole, or never will be."""
        if self.recording is None:
            return
        recording = self.recording.finish(event)
        self.record = replace(self.record, recording=recording)
        ready = recording.status is RecordingStatus.COMPLETED
        kind = EventType.RECORDING_READY if ready else EventType.RECORDING_FAILED
        self.note(kind, recording=recording_fields(recording))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:  # noqa: BLE001 - a bug ends its own call, never the others
            _log.exception("call.broken", call_id=self.record.id)
            await self.end(endings.of_internal_error())

    async def _dispatch(self, message: Message) -> None:
        match message:
            case Asked(command, done):
                await self._obey(command, done)
            case LimitReached(limit):
                await self.end(endings.by_limit(limit))
            case _:
                await self._behaviour.take(self, message)

    async def _obey(self, command: Command, done: asyncio.Future[CallRecord]) -> None:
        try:
            await self._behaviour.obey(self, command)
        except CallError as error:
            if not done.done():
                done.set_exception(error)
        else:
            if not done.done():
                done.set_result(self.record)

    async def _wind_down(self, pending: Callable[[], bool], grace_s: float) -> None:
        """Take what still comes of an ending call, for ``grace_s`` seconds at most."""
        try:
            async with asyncio.timeout(grace_s):
                while pending():
                    self._take_late(await self._inbox.get())
        except TimeoutError:
            _log.warning("call.lingers", call_id=self.record.id, status=self.record.status.value)

    def _take_late(self, message: Message) -> None:
        match message:
            case RecordingFinished() | RecordingFailed():
                self.finish_recording(message)
            case Rejected() | Failed() | Cancelled() | Ended():
                if self.leg is not None:
                    self.leg.take(LegInput.SESSION_OVER)
            case StreamClosed(statistics) if self.leg is not None:
                self.leg.final_statistics = statistics
            case Asked(_, done) if not done.done():
                done.set_exception(not_active(self.record))
            case _:
                pass

    async def _linger(self) -> None:
        """Wait until the peer confirmed the end, for the trace; it is never waited for long."""
        grace_s = self.facilities.limits.release_grace_s
        await self._wind_down(self._is_releasing, grace_s)
        pause_s = FIRST_LOOK_S
        while self._lingers() and pause_s < grace_s:
            await asyncio.sleep(pause_s)
            pause_s *= 2

    def _lingers(self) -> bool:
        session = None if self.leg is None else self.leg.session
        return session is not None and (self._is_releasing() or not session.is_settled)

    def _is_releasing(self) -> bool:
        return self.leg is not None and self.leg.state is not LegState.RELEASED

    def _plays_out(self) -> bool:
        """Whether the stream has not reported its end, or the recording is not whole."""
        assert self.leg is not None
        recording = self.recording
        records = recording is not None and recording.recording.status is RecordingStatus.RECORDING
        return records or self.leg.final_statistics is None

    def _trace(self) -> tuple[SipTraceEntry, ...]:
        if self.leg is None or self.leg.session is None:
            return ()
        return tuple(self.leg.session.trace.entries())

    def _abandon(self) -> None:
        """Leave nothing behind: no timer, no stream, nobody who waits for an answer."""
        for limit in list(self._timers):
            self.disarm(limit)
        if self.leg is not None:
            self.leg.release()
            self.leg.stream.close()
        while not self._inbox.empty():
            self._take_late(self._inbox.get_nowait())


def not_active(call: CallRecord) -> CallError:
    """Return the error of a command to a call that has ended."""
    return CallError(ErrorCode.CALL_NOT_ACTIVE, details={"status": call.status.value})


def wrong_state(call: CallRecord, expected: str) -> CallError:
    """Return the error of a command that the call's status does not allow."""
    details = {"state": call.status.value, "expected": expected}
    return CallError(ErrorCode.CONFLICT, details=details)
