"""One call's SIP as its owner sees it: events come out, commands go in.

A session runs a sans-IO core (:mod:`orbit_voice.sip.uac_session`,
:mod:`orbit_voice.sip.uas_session`). What the core wants done is queued and done in order, also when
the owner answers an event with a command at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol, TypeAlias

import structlog

from orbit_voice.signaling.trace import SipTrace
from orbit_voice.signaling.transport.flow import Flow
from orbit_voice.signaling.transport.interfaces import Address, TransportKind
from orbit_voice.signaling.transport.tcp import StreamConnection
from orbit_voice.sip.headers import Reason
from orbit_voice.sip.message import Request, Response
from orbit_voice.sip.params import Params
from orbit_voice.sip.session_events import Failed, FailureKind, SessionEvent
from orbit_voice.sip.sessions.outputs import (
    AbandonRequest,
    SendAck,
    SendRequest,
    SendResponse,
    SessionOutput,
)
from orbit_voice.sip.uac_session import InviteClientSession
from orbit_voice.sip.uas_session import InviteServerSession

MAX_WAITING_EVENTS: Final = 64
"""Events kept for an owner that has not set its handler; a call has about ten."""
MAX_ACKS: Final = 8
"""ACKs kept to be repeated: one for each fork that answered, and for re-INVITEs."""
NORMAL_CLEARING: Final = "16"
"""Cause in Reason when an owner hangs up (ITU-T Q.850). Not SIP 200, by which phones understand
"completed elsewhere" and keep silent about a missed call."""

_log = structlog.get_logger(__name__)

EventHandler: TypeAlias = Callable[[SessionEvent], None]


class SentAck(NamedTuple):
    """An ACK for a 2xx as it went; ``ack`` is kept so that its identity stays its own."""

    ack: Request
    flow: Flow
    data: bytes


class SessionDesk(Protocol):
    """Does what sessions want done."""

    def send_request(self, request: Request, session: Session) -> None:
        """Start a client transaction; the session hears what becomes of it, but not at once."""

    def send_ack(self, ack: Request, session: Session) -> None:
        """Send the ACK for a 2xx, or send it again."""

    def send_response(self, request: Request, response: Response, session: Session) -> None:
        """Answer through the server transaction of ``request``."""

    def abandon_request(self, request: Request) -> None:
        """End the client transaction of ``request``."""

    def session_stepped(self, session: Session) -> None:
        """Take the news that the deadline may have moved, or the session be finished."""

    def session_broken(self, session: Session) -> None:
        """Forget a session that failed of a bug."""


class Session:
    """What both kinds of session share. Also a :class:`~orbit_voice.signaling.timers.Timed`.

    Args:
        desk: Does what the core wants done.
        loop: Its clock is used.
        kind: Transport of requests whose target names none.

    Attributes:
        trace: The call's messages.
        kind: As given.
        next_hop: URI that an INVITE outside a dialog goes to, or None for the ordinary way.
        acks: ACKs sent, by the identity of the request.
    """

    core: InviteClientSession | InviteServerSession

    def __init__(
        self, desk: SessionDesk, loop: asyncio.AbstractEventLoop, kind: TransportKind
    ) -> None:
        self.trace = SipTrace()
        self.kind = kind
        self.next_hop: str | None = None
        self.acks: dict[int, SentAck] = {}
        self._desk = desk
        self._clock = loop.time
        self._on_event: EventHandler | None = None
        self._waiting: deque[SessionEvent] = deque(maxlen=MAX_WAITING_EVENTS)
        self._outputs: deque[SessionOutput] = deque()
        self._acting = False
        self._held: list[StreamConnection] = []

    @property
    def call_id(self) -> str:
        """The Call-ID header field."""
        return self.core.call_id

    @property
    def is_settled(self) -> bool:
        """Whether it is over and nothing of it is under way any more: its trace is whole."""
        return self.core.is_finished

    @property
    def key(self) -> tuple[str, str]:
        """What a peer's request inside the dialog is found by: Call-ID and our tag."""
        return (self.core.call_id, self.core.local_tag)

    def hangup(self, *, reason: str | None = None) -> None:
        """End the call, whatever state it is in. May be called twice.

        Args:
            reason: Text for the peer in a Reason header field (RFC 3326), or None.
        """
        field = None
        if reason is not None:
            text = " ".join(reason.split())
            field = Reason("Q.850", Params((("cause", NORMAL_CLEARING), ("text", text))))
        self.perform(self.core.hang_up(self._clock(), reason=field))

    def reoffer(self, sdp: bytes) -> None:
        """Send a re-INVITE; :class:`OfferAccepted` or :class:`OfferRefused` follows."""
        self.perform(self.core.reoffer(sdp, self._clock()))

    def answer_offer(self, sdp: bytes) -> None:
        """Accept the peer's offer."""
        self.perform(self.core.answer_offer(sdp, self._clock()))

    def refuse_offer(self, status: int = 488) -> None:
        """Refuse the peer's re-INVITE; the session goes on as it was."""
        self.perform(self.core.refuse_offer(status, self._clock()))

    def perform(self, outputs: list[SessionOutput]) -> None:
        """Do what the core wants done, after what it wanted before."""
        self._outputs += outputs
        if self._acting:
            return
        self._acting = True
        try:
            while self._outputs:
                self._act(self._outputs.popleft())
        finally:
            self._acting = False
            self._outputs.clear()
        self._desk.session_stepped(self)

    def receive_request(self, request: Request) -> None:
        """Take a request of this session; an ACK for a 2xx and a CANCEL too."""
        self._step(lambda: self.core.receive_request(request, self._clock()))

    def receive_response(self, request: Request, response: Response) -> None:
        """Take a response to a request of this session."""
        self._step(lambda: self.core.receive_response(request, response, self._clock()))

    def request_failed(self, request: Request, kind: FailureKind, detail: str) -> None:
        """Take the news that ``request`` brought no final response."""
        self._step(lambda: self.core.request_failed(request, kind, detail, self._clock()))

    def close(self) -> None:
        """End the call because the endpoint is closing."""
        self._step(lambda: self.core.hang_up(self._clock()))

    def next_deadline(self) -> float | None:
        """Return when :meth:`tick` is next due (loop time, seconds), or None."""
        return self.core.next_deadline()

    def tick(self, now: float) -> None:
        """Fire the core's timers."""
        self._step(lambda: self.core.tick(now))

    def set_handler(self, on_event: EventHandler) -> None:
        """Have events from now on, those that were waiting at once."""
        self._on_event = on_event
        while self._waiting:
            self._deliver(self._waiting.popleft())

    def remember_ack(self, sent: SentAck) -> None:
        """Keep an ACK to be repeated; the oldest makes room."""
        if len(self.acks) >= MAX_ACKS:
            del self.acks[next(iter(self.acks))]
        self.acks[id(sent.ack)] = sent

    def hold(self, flow: Flow) -> None:
        """Keep a connection from being closed as idle while this session lives."""
        if isinstance(flow, StreamConnection) and flow not in self._held:
            self._held.append(flow)
            flow.holders += 1

    def release(self) -> None:
        """Let go of the connections that were held."""
        for connection in self._held:
            connection.holders -= 1
        self._held.clear()

    def _step(self, step: Callable[[], list[SessionOutput]]) -> None:
        """Have the core take a step on behalf of the network; a bug ends this session alone."""
        try:
            self.perform(step())
        except Exception:  # noqa: BLE001 - a bug ends its own call, never the others
            _log.exception("sip.session_broken", sip_call_id=self.call_id)
            self._desk.session_broken(self)
            if not self.core.is_over:
                self._deliver(Failed(FailureKind.TRANSPORT, "the session broke"))

    def _act(self, output: SessionOutput) -> None:
        match output:
            case SendRequest(request):
                self._desk.send_request(request, self)
            case SendAck(ack):
                self._desk.send_ack(ack, self)
            case SendResponse(request, response):
                self._desk.send_response(request, response, self)
            case AbandonRequest(request):
                self._desk.abandon_request(request)
            case _:
                self._deliver(output)

    def _deliver(self, event: SessionEvent) -> None:
        if self._on_event is None:
            self._waiting.append(event)
            return
        try:
            self._on_event(event)
        except Exception:  # noqa: BLE001 - the owner's bug is not ours
            _log.exception("sip.event_handler_failed", sip_call_id=self.call_id)
            self._on_event = _ignore
            self.hangup()


class OutboundSession(Session):
    """A call we make.

    Args:
        core: Not started.
        desk: Does what the core wants done.
        loop: Its clock is used.
        kind: Transport where a target names none.
        next_hop: Where the INVITE goes, or None for its Request-URI.
        on_event: Takes events.
    """

    def __init__(
        self,
        core: InviteClientSession,
        desk: SessionDesk,
        loop: asyncio.AbstractEventLoop,
        *,
        kind: TransportKind,
        next_hop: str | None,
        on_event: EventHandler,
    ) -> None:
        super().__init__(desk, loop, kind)
        self.core: InviteClientSession = core
        self.next_hop = next_hop
        self._on_event = on_event

    def start(self) -> None:
        """Send the INVITE."""
        self.perform(self.core.start(self._clock()))


class InboundSession(Session):
    """A call that reached us.

    Args:
        core: Made of the INVITE.
        desk: Does what the core wants done.
        loop: Its clock is used.
        flow: The way the INVITE came.

    Attributes:
        request: The INVITE.
        source: Numeric address and port it came from.
        transport: ``udp`` or ``tcp``.
    """

    def __init__(
        self,
        core: InviteServerSession,
        desk: SessionDesk,
        loop: asyncio.AbstractEventLoop,
        *,
        flow: Flow,
    ) -> None:
        super().__init__(desk, loop, flow.kind)
        self.core: InviteServerSession = core
        self.source: Address = flow.remote
        self.transport = flow.kind.value

    @property
    def request(self) -> Request:
        """The INVITE."""
        return self.core.invite

    def ring(self, status: int = 180, sdp: bytes | None = None) -> None:
        """Send a provisional response, 101-199, with early media or without."""
        self.perform(self.core.ring(status, sdp, self._clock()))

    def answer(self, sdp: bytes) -> None:
        """Send the 200 with our answer, or our offer when the INVITE had none."""
        self.perform(self.core.answer(sdp, self._clock()))

    def reject(
        self,
        status: int,
        reason: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Refuse the call with ``status`` (300-699); after an answer, hang up."""
        self.perform(self.core.reject(status, self._clock(), reason=reason, headers=headers))


def _ignore(event: SessionEvent) -> None:
    """Take the events of a session whose owner failed."""
