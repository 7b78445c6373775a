"""A SIP phone made of PJSUA2: caller and callee, without a sound card.

PJSIP is GPL-2.0-or-later. So this file is a program of its own that tests start as a child
process; nothing of it is imported by the product or by a test. Usage: ``tests/interop/README.md``.
"""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Callable

import pjsua2 as pj
from console import QUIT, Console, Order, parse_arguments

POLL_MS = 10
REINVITE_ATTEMPTS, REINVITE_PAUSE_S = 20, 0.1
DTMF_IS_END = 2
"""Flag of the last report of a digit (``PJMEDIA_STREAM_DTMF_IS_END``; not in the bindings)."""
GOODBYE_S = 1.0
"""How long the BYE may take when the program is told to end."""


class Phone(pj.Account):
    """The account: takes calls in, and places them."""

    def __init__(self, options, console: Console, timers: Timers) -> None:
        super().__init__()
        self.options = options
        self.console = console
        self.timers = timers
        self.calls: dict[int, PhoneCall] = {}

    def dial(self, uri: str) -> None:
        if self.options.transport == "tcp" and "transport=" not in uri:
            uri += ";transport=tcp"
        call = PhoneCall(self)
        call.makeCall(uri, pj.CallOpParam(True))
        self.calls[call.getId()] = call

    def onIncomingCall(self, prm):  # noqa: N802
        call = PhoneCall(self, prm.callId)
        self.calls[prm.callId] = call
        info = call.getInfo()
        self.console.report("incoming", call_id=info.callIdString, **{"from": info.remoteUri})
        if self.options.refuse:
            call.reply(self.options.refuse)
            return
        call.reply(pj.PJSIP_SC_RINGING)
        self.timers.after(self.options.answer_after, lambda: call.reply(pj.PJSIP_SC_OK))

    def obey(self, order: Order) -> None:
        if order.verb == "dial":
            self.dial(order.argument)
        for call in list(self.calls.values()):
            call.obey(order)


class PhoneCall(pj.Call):
    """One call; plays, records, sends digits and reports."""

    def __init__(self, phone: Phone, call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(phone, call_id)
        self.phone = phone
        self.console = phone.console
        self.options = phone.options
        self.player: pj.AudioMediaPlayer | None = None
        self.recorder: pj.AudioMediaRecorder | None = None
        self.over = False
        self.held = False

    def reply(self, status: int) -> None:
        if self.over:
            return
        parameters = pj.CallOpParam(True)
        parameters.statusCode = status
        self.answer(parameters)

    def obey(self, order: Order) -> None:
        if self.over:
            return
        match order.verb:
            case "digits":
                self.dialDtmf(order.argument)
            case "hold":
                self.insist(lambda: self.setHold(pj.CallOpParam(True)))
            case "resume":
                parameters = pj.CallOpParam(True)
                parameters.opt.flag = pj.PJSUA_CALL_UNHOLD
                self.insist(lambda: self.reinvite(parameters))
            case "hangup" | "quit":
                self.hangup(pj.CallOpParam(True))

    def insist(self, reinvite: Callable[[], None], attempts: int = REINVITE_ATTEMPTS) -> None:
        """Repeat what is refused while a re-INVITE before it is on its way."""
        if self.over:
            return
        try:
            reinvite()
        except pj.Error:
            if not attempts:
                raise
            self.phone.timers.after(REINVITE_PAUSE_S, lambda: self.insist(reinvite, attempts - 1))

    def onCallState(self, prm):  # noqa: N802
        info = self.getInfo()
        match info.state:
            case pj.PJSIP_INV_STATE_EARLY:
                self.console.report("ringing", status=info.lastStatusCode)
            case pj.PJSIP_INV_STATE_CONFIRMED:
                self.console.report("confirmed", call_id=info.callIdString)
                self.schedule()
            case pj.PJSIP_INV_STATE_DISCONNECTED:
                self.finish(info)

    def schedule(self) -> None:
        after, options = self.phone.timers.after, self.options
        if options.digits:
            after(options.digits_after, lambda: self.obey(Order("digits", options.digits)))
        if options.seconds is not None:
            after(options.seconds, lambda: self.obey(Order("hangup")))

    def finish(self, info) -> None:
        self.over = True
        self.player = None
        if self.recorder is not None:
            self.recorder = None  # the header of the file is written now
            self.console.report("recorded", path=self.options.record)
        self.console.report(
            "disconnected",
            call_id=info.callIdString,
            status=info.lastStatusCode,
            reason=info.lastReason,
        )
        self.phone.timers.after(0, lambda: self.phone.calls.pop(info.id, None))

    def onCallMediaState(self, prm):  # noqa: N802
        info = self.getInfo()  # held by name: its parts do not keep it alive
        for index, media in enumerate(info.media):
            if media.type != pj.PJMEDIA_TYPE_AUDIO:
                continue
            self.note_hold(media.status == pj.PJSUA_CALL_MEDIA_REMOTE_HOLD)
            if media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                self.connect(self.getAudioMedia(index))

    def note_hold(self, held: bool) -> None:
        if held != self.held:
            self.held = held
            self.console.report("held" if held else "resumed")

    def connect(self, audio) -> None:
        if self.options.play:
            if self.player is None:
                self.player = pj.AudioMediaPlayer()
                self.player.createPlayer(self.options.play)
            self.player.startTransmit(audio)
        if self.options.record:
            if self.recorder is None:
                self.recorder = pj.AudioMediaRecorder()
                self.recorder.createRecorder(self.options.record)
            audio.startTransmit(self.recorder)

    def onDtmfEvent(self, prm):  # noqa: N802
        if prm.flags & DTMF_IS_END:
            self.console.report("dtmf", digit=prm.digit, duration_ms=prm.duration)


class Timers:
    """Calls back on the one thread that runs the stack."""

    def __init__(self) -> None:
        self._due: list[tuple[float, Callable[[], object]]] = []

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        self._due.append((time.monotonic() + seconds, action))

    def forget(self) -> None:
        self._due.clear()

    def fire(self) -> None:
        now = time.monotonic()
        due = [entry for entry in self._due if entry[0] <= now]
        self._due = [entry for entry in self._due if entry[0] > now]
        for _, action in due:
            action()


def start_stack(options) -> pj.Endpoint:
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.uaConfig.userAgent = "interop-pjsua2"
    config.logConfig.level = config.logConfig.consoleLevel = 3
    config.medConfig.clockRate = config.medConfig.sndClockRate = 8000
    config.medConfig.noVad = True
    config.medConfig.ecTailLen = 0
    endpoint.libInit(config)
    transport = pj.TransportConfig()
    transport.port = options.sip_port
    transport.boundAddress = options.address
    for kind in (pj.PJSIP_TRANSPORT_UDP, pj.PJSIP_TRANSPORT_TCP):
        endpoint.transportCreate(kind, transport)
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    choose_codecs(endpoint, options.codecs)
    return endpoint


def choose_codecs(endpoint: pj.Endpoint, wanted: list[str]) -> None:
    for codec in endpoint.codecEnum2():
        name = codec.codecId.partition("/")[0]
        priority = 255 - wanted.index(name) if name in wanted else 0
        endpoint.codecSetPriority(codec.codecId, priority)


def register_phone(phone: Phone, address: str) -> None:
    options = phone.options
    config = pj.AccountConfig()
    config.idUri = address
    media = config.mediaConfig
    media.transportConfig.boundAddress = options.address
    media.transportConfig.port, last = options.rtp_ports
    media.transportConfig.portRange = last - media.transportConfig.port
    if options.username:
        credentials = pj.AuthCredInfo("digest", "*", options.username, 0, options.password)
        config.sipConfig.authCreds.append(credentials)
    phone.create(config)


def serve(endpoint: pj.Endpoint, phone: Phone) -> None:
    """Run the stack until standard input ends, then hang up and go."""
    end: float | None = None
    while end is None or (phone.calls and time.monotonic() < end):
        endpoint.libHandleEvents(POLL_MS)
        phone.timers.fire()
        if end is None and select.select([phone.console], [], [], 0)[0]:
            for order in phone.console.take_orders():
                phone.obey(order)
                if order == QUIT:
                    end = time.monotonic() + GOODBYE_S


def main() -> None:
    options = parse_arguments(__doc__ or "")
    console = Console()
    try:
        endpoint = start_stack(options)
        phone = Phone(options, console, Timers())
        address = f"sip:{options.user}@{options.address}:{options.sip_port}"
        register_phone(phone, address)
        console.report("ready", address=address)
        if options.target:
            phone.dial(options.target)
        serve(endpoint, phone)
    except pj.Error as error:
        console.report("failed", reason=error.info())
        sys.exit(1)
    phone.timers.forget()
    phone.calls.clear()  # a call that outlives the stack aborts the program
    phone.shutdown()
    endpoint.libDestroy()


main()
