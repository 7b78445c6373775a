"""A SIP phone made of baresip: caller and callee, without a sound card.

A program of its own that tests start as a child process: a crash of the stack costs one test, and
one process can hold one stack only. Usage: ``tests/interop/README.md``.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import wave
from collections.abc import Awaitable, Callable, Coroutine

from baresip.call import Call, CallState, DigitEvent
from baresip.config import Account, Config
from baresip.errors import AudioNotActive, AudioRestarted, BaresipError, StaleHandleError
from baresip.events import Event, StackEvent
from baresip.runtime import Runtime
from baresip.ua import UserAgent
from console import QUIT, Console, Order, parse_arguments

RATE_HZ = 8000
FRAME_S = 0.02
FRAME_BYTES = 320
QUEUED_FRAMES = 20
"""Frames written ahead, 0.4 s: enough for a busy machine."""
REINVITE_ATTEMPTS, REINVITE_PAUSE_S = 20, 0.1
RINGING, SESSION_PROGRESS, BUSY_HERE = 180, 183, 486


class Phone:
    """The user agent: takes calls in, places them, and reports."""

    def __init__(self, options, console: Console, runtime: Runtime, agent: UserAgent) -> None:
        self.options = options
        self.console = console
        self.runtime = runtime
        self.agent = agent
        self.calls: dict[int, Call] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        agent.on_incoming(self.take_call)
        agent.on(self.note_outgoing)

    def start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(self.guard(work))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def guard(self, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except StaleHandleError:
            pass  # the peer was faster
        except (BaresipError, OSError) as error:
            self.console.report("failed", reason=str(error))

    async def dial(self, uri: str) -> None:
        if self.options.transport == "tcp" and "transport=" not in uri:
            uri += ";transport=tcp"
        await self.agent.dial(uri)

    def note_outgoing(self, event: StackEvent) -> None:
        """Take an outgoing call over.

        The one that ``dial`` returns comes too late: a fast answer is reported before it.
        """
        if event.event is Event.CALL_OUTGOING:
            state = CallState.OUTGOING
            self.adopt(Call(self.runtime, handle=event.call, ua_handle=event.ua, state=state))

    def take_call(self, call: Call) -> None:
        self.console.report("incoming", call_id=call.call_id, **{"from": call.peer})
        self.adopt(call)
        self.start(self.refuse(call) if self.options.refuse else self.answer(call))

    async def refuse(self, call: Call) -> None:
        if self.options.refuse != BUSY_HERE:
            self.console.report("failed", reason="baresip refuses with 486 only")
        await call.reject()

    async def answer(self, call: Call) -> None:
        await asyncio.sleep(self.options.answer_after)
        await call.answer()

    def adopt(self, call: Call) -> None:
        self.calls[call.handle] = call
        call.on(lambda event: self.note(call, event))
        call.on_dtmf(self.note_digit)

    def note_digit(self, event: DigitEvent) -> None:
        self.console.report("dtmf", digit=event.digit, duration_ms=event.duration_ms)

    def note(self, call: Call, event: StackEvent) -> None:
        match event.event:
            case Event.CALL_RINGING | Event.CALL_PROGRESS:
                status = RINGING if event.event is Event.CALL_RINGING else SESSION_PROGRESS
                self.console.report("ringing", status=status)
            case Event.CALL_HOLD:
                self.console.report("held")
            case Event.CALL_RESUME:
                self.console.report("resumed")
            case Event.CALL_ESTABLISHED:
                self.console.report("confirmed", call_id=call.call_id)
                self.start(self.hold_conversation(call))
            case Event.CALL_CLOSED:
                del self.calls[call.handle]
                self.report_end(call, event.text or "")

    def report_end(self, call: Call, reason: str) -> None:
        status = int(reason[:3]) if reason[:3].isdigit() else None
        self.console.report("disconnected", call_id=call.call_id, status=status, reason=reason)

    async def hold_conversation(self, call: Call) -> None:
        self.start(self.play_and_record(call))
        if self.options.digits:
            await asyncio.sleep(self.options.digits_after)
            await call.send_dtmf(self.options.digits)
        if self.options.seconds is not None:
            await asyncio.sleep(self.options.seconds)
            await call.hangup()

    async def play_and_record(self, call: Call) -> None:
        sound = Loop(self.options.play)
        with contextlib.ExitStack() as stack:
            recording = None
            if self.options.record:
                recording = stack.enter_context(wave.open(self.options.record, "wb"))
                recording.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
            while call.handle in self.calls:
                with contextlib.suppress(AudioNotActive, AudioRestarted):
                    self.exchange(call, sound, recording)
                await asyncio.sleep(FRAME_S / 2)
        if recording is not None:
            self.console.report("recorded", path=self.options.record)

    def exchange(self, call: Call, sound: Loop, recording: wave.Wave_write | None) -> None:
        while heard := call.audio.read(FRAME_BYTES):
            if recording is not None:
                recording.writeframes(heard)
        while sound and call.audio.stats().tx_buffered < QUEUED_FRAMES * FRAME_BYTES:
            if call.audio.write(sound.next_frame()) < FRAME_BYTES:
                return

    async def insist(self, reinvite: Callable[[], Awaitable[None]]) -> None:
        """Repeat what is refused while a re-INVITE before it is on its way."""
        for _ in range(REINVITE_ATTEMPTS):
            with contextlib.suppress(BaresipError):
                return await reinvite()
            await asyncio.sleep(REINVITE_PAUSE_S)
        return await reinvite()

    async def obey(self, order: Order) -> None:
        if order.verb == "dial":
            await self.dial(order.argument)
        for call in list(self.calls.values()):
            match order.verb:
                case "digits":
                    await call.send_dtmf(order.argument)
                case "hold":
                    await self.insist(call.hold)
                case "resume":
                    await self.insist(call.resume)
                case "hangup" | "quit":
                    await call.hangup()


class Loop:
    """A WAV file, frame by frame, for ever."""

    def __init__(self, path: str | None) -> None:
        self._audio = b""
        self._at = 0
        if path:
            with wave.open(path) as file:
                if file.getparams()[:3] != (1, 2, RATE_HZ):
                    raise OSError(f"{path} is not 8 kHz, mono, 16 bit")
                self._audio = file.readframes(file.getnframes())

    def __bool__(self) -> bool:
        return bool(self._audio)

    def next_frame(self) -> bytes:
        frame = bytearray()
        while len(frame) < FRAME_BYTES:
            piece = self._audio[self._at : self._at + FRAME_BYTES - len(frame)]
            self._at = (self._at + len(piece)) % len(self._audio)
            frame += piece
        return bytes(frame)


def configure(options) -> Config:
    first, last = options.rtp_ports
    return Config(
        net_interface=options.address,
        native_log_level="warning",
        extra_config_text=(
            f"sip_listen {options.address}:{options.sip_port}\nrtp_ports {first}-{last}\n"
        ),
    )


async def serve(options, console: Console, runtime: Runtime) -> None:
    account = Account(
        user=options.user,
        domain=f"{options.address}:{options.sip_port}",
        password=options.password,
        auth_user=options.username,
        reg_interval=0,
        audio_codecs=tuple(codec.lower() for codec in options.codecs),
    )
    # An account that names a transport is not found by a request that comes over another one.
    any_transport = account.aor().replace(f";transport={account.transport}", "", 1)
    agent = await UserAgent.create(runtime, any_transport)
    phone = Phone(options, console, runtime, agent)
    orders: asyncio.Queue[Order] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    loop.add_reader(console, lambda: [orders.put_nowait(o) for o in console.take_orders()])
    console.report("ready", address=f"sip:{options.user}@{options.address}:{options.sip_port}")
    if options.target:
        phone.start(phone.dial(options.target))
    while (order := await orders.get()) != QUIT:
        await phone.guard(phone.obey(order))
    loop.remove_reader(console)
    await phone.guard(phone.obey(QUIT))
    if phone.tasks:
        await asyncio.wait(phone.tasks, timeout=1.0)


async def main() -> None:
    options = parse_arguments(__doc__ or "")
    console = Console()
    runtime = Runtime()
    try:
        await runtime.start(configure(options))
        await serve(options, console, runtime)
    except BaresipError as error:
        console.report("failed", reason=str(error))
        sys.exit(1)
    finally:
        await runtime.close()


asyncio.run(main())
