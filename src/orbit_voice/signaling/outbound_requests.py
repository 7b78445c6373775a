"""Requests of ours: client transactions on real timers and flows (RFC 3261 §17.1, RFC 6026)."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from typing import Final, TypeAlias

from orbit_voice.kit.errors import TransportError
from orbit_voice.signaling.resolver import Target
from orbit_voice.signaling.sessions import SentAck, Session
from orbit_voice.signaling.timers import TimerPump
from orbit_voice.signaling.transport.flow import Flow
from orbit_voice.signaling.transport_layer import TransportLayer
from orbit_voice.signaling.ways import Departure, WayFinder, next_hop
from orbit_voice.sip.message import Request, Response
from orbit_voice.sip.related_requests import make_failure_ack
from orbit_voice.sip.session_events import FailureKind
from orbit_voice.sip.transactions import (
    ClientTransaction,
    Failed,
    InviteClientTransaction,
    PassToUser,
    ResendRequest,
    TransactionKey,
    TransmitAck,
    client_key,
)

_quoted: Final = re.compile(rb"([^\s:]++) [^\r\n]*+\r\n[^\r\n]*?;branch=([^;,\s]++)")
"""Method and branch of a request of ours: its Via is always the first header line."""
_NO_ANSWER: Final = "no final response in time"
_LOST: Final = "the connection was lost"
_REFUSED: Final = "nobody listens there (ICMP)"

_Machine: TypeAlias = InviteClientTransaction | ClientTransaction
_Output: TypeAlias = ResendRequest | TransmitAck | PassToUser | Failed


class ClientExchange:
    """One request of ours and what it needs to be sent again. A ``Timed``, ticked by the pump.

    Args:
        owner: Runs what the machine wants done.
        request: As the session gave it.
        session: Hears what becomes of it.

    Attributes:
        departure: How it went, or None while its way is sought.
        machine: Its transaction, or None while its way is sought.
        key: What responses are matched by.
        failure_ack: The ACK for a 300-699 response, once there was one.
        is_settled: Whether the session has heard of a final response or a failure.
        is_abandoned: Whether the session wants no response any more.
    """

    __slots__ = (
        "_owner",
        "departure",
        "failure_ack",
        "is_abandoned",
        "is_settled",
        "key",
        "machine",
        "request",
        "session",
    )

    def __init__(self, owner: OutboundRequests, request: Request, session: Session) -> None:
        self._owner = owner
        self.request = request
        self.session = session
        self.departure: Departure | None = None
        self.machine: _Machine | None = None
        self.key: TransactionKey = ()
        self.failure_ack: bytes | None = None
        self.is_settled = False
        self.is_abandoned = False

    def next_deadline(self) -> float | None:
        """Return when :meth:`tick` is next due (loop time, seconds), or None."""
        return None if self.machine is None else self.machine.next_deadline()

    def tick(self, now: float) -> None:
        """Fire the transaction's timers."""
        if self.machine is not None:
            self._owner.run(self, self.machine.tick(now))


class OutboundRequests:
    """Every client transaction of an endpoint, and the ACKs for 2xx.

    Args:
        transport: Sends.
        pump: Ticks the transactions.
        ways: Finds the way.
        loop: Its clock is used.
    """

    def __init__(
        self,
        transport: TransportLayer,
        pump: TimerPump,
        ways: WayFinder,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._transport = transport
        self._pump = pump
        self._ways = ways
        self._loop = loop
        self._by_key: dict[TransactionKey, ClientExchange] = {}
        self._by_request: dict[int, ClientExchange] = {}
        self._by_flow: dict[Flow, set[ClientExchange]] = {}

    def __len__(self) -> int:
        return len(self._by_request)

    @property
    def unsettled(self) -> int:
        """How many wait for a final response."""
        return sum(not exchange.is_settled for exchange in self._by_request.values())

    def send(self, request: Request, session: Session) -> None:
        """Start a transaction for ``request``; its failure is told later, never from in here."""
        exchange = ClientExchange(self, request, session)
        self._by_request[id(request)] = exchange
        if request.method == "CANCEL":
            self._send_cancel(exchange)
            return
        try:
            target = next_hop(request, proxy=session.next_hop, default=session.kind)
        except TransportError as error:
            self._fail_soon(exchange, str(error))
        else:
            self._ways.prepare(request, target, partial(self._depart, exchange))

    def refuse(self, request: Request, session: Session, detail: str) -> None:
        """Fail ``request`` unsent; the session hears of it later."""
        kind = FailureKind.TRANSPORT
        self._loop.call_soon(session.request_failed, request, kind, detail)

    def send_ack(self, ack: Request, session: Session) -> None:
        """Send the ACK for a 2xx; the very same bytes the same way, when it was sent before."""
        if (sent := session.acks.get(id(ack))) is not None:
            self._send_quietly(sent.data, sent.flow, session)
            return
        try:
            target = next_hop(ack, proxy=None, default=session.kind)
        except TransportError:
            return  # the peer repeats its 2xx, and gives up after 32 s
        ack.headers.remove("Via")
        self._ways.prepare(ack, target, partial(self._depart_ack, ack, session))

    def abandon(self, request: Request) -> None:
        """End the transaction of ``request``; no response to it is passed on any more."""
        if (exchange := self._by_request.get(id(request))) is None:
            return
        exchange.is_abandoned = exchange.is_settled = True
        if isinstance(exchange.machine, InviteClientTransaction):
            self.run(exchange, exchange.machine.abandon(self._loop.time()))

    def receive_response(self, response: Response, flow: Flow, data: bytes) -> bool:
        """Take a valid response; return False when no transaction waits for it."""
        exchange = self._by_key.get(client_key(response))
        if exchange is None or exchange.machine is None:
            return False
        exchange.session.trace.record(
            sent=False, kind=flow.kind, local=flow.local, remote=flow.remote, data=data
        )
        outputs = exchange.machine.receive_response(response.status, self._loop.time())
        self.run(exchange, outputs, response)
        return True

    def flow_lost(self, flow: Flow) -> None:
        """Fail what waits for responses on a connection that is gone (RFC 3261 §18.4)."""
        for exchange in self._by_flow.pop(flow, ()):
            self._transport_failed(exchange, _LOST)

    def datagram_refused(self, data: bytes) -> None:
        """Fail the request that ``data`` is the beginning of, if it is one."""
        if (match := _quoted.match(data)) is None:
            return
        method, branch = (part.decode("ascii", "replace") for part in match.groups())
        if (exchange := self._by_key.get((branch, method))) is not None:
            self._transport_failed(exchange, _REFUSED)

    def run(
        self,
        exchange: ClientExchange,
        outputs: list[_Output] | list[ResendRequest | PassToUser | Failed],
        response: Response | None = None,
        detail: str = "",
    ) -> None:
        """Do what a transaction wants done.

        Args:
            exchange: Whose transaction it is.
            outputs: What it wants.
            response: The response that this is about, if it is about one.
            detail: Why the transport failed, if it did.
        """
        for output in outputs:
            match output:
                case ResendRequest():
                    self._transmit(exchange)
                case TransmitAck():
                    self._acknowledge_failure(exchange, response)
                case PassToUser(status):
                    assert response is not None
                    exchange.is_settled |= status >= 200
                    exchange.session.receive_response(exchange.request, response)
                case Failed(timed_out):
                    kind = FailureKind.TIMEOUT if timed_out else FailureKind.TRANSPORT
                    self._settle(exchange, kind, detail or _NO_ANSWER)
        if exchange.machine is not None and exchange.machine.is_terminated:
            self._forget(exchange)
        else:
            self._pump.update(exchange)

    def _send_cancel(self, exchange: ClientExchange) -> None:
        """Send a CANCEL after its INVITE, with the same Via (RFC 3261 §9.1)."""
        branch = exchange.request.top_via.branch or ""
        invite = self._by_key.get((branch, "INVITE"))
        if invite is None or invite.departure is None:
            self._fail_soon(exchange, "its INVITE is not under way")
            return
        data = exchange.request.serialize()
        flow = invite.departure.flow
        if flow.is_open:
            self._depart(exchange, Departure(flow, branch, data))
        else:
            again = partial(self._depart_again, exchange, branch, data)
            self._transport.obtain(Target(flow.kind, *flow.remote), again)

    def _depart_again(
        self, exchange: ClientExchange, branch: str, data: bytes, flow: Flow | TransportError
    ) -> None:
        if not isinstance(flow, TransportError):
            self._depart(exchange, Departure(flow, branch, data))
        else:
            self._depart(exchange, flow)

    def _depart(self, exchange: ClientExchange, departure: Departure | TransportError) -> None:
        if exchange.is_abandoned:
            self._forget(exchange)
        elif isinstance(departure, TransportError):
            self._fail_soon(exchange, str(departure))
        else:
            self._begin(exchange, departure)

    def _begin(self, exchange: ClientExchange, departure: Departure) -> None:
        flow = departure.flow
        method = exchange.request.method
        machine = InviteClientTransaction if method == "INVITE" else ClientTransaction
        exchange.departure = departure
        exchange.key = (departure.branch, method)
        exchange.machine = machine(now=self._loop.time(), reliable=flow.kind.reliable)
        self._by_key[exchange.key] = exchange
        if flow.kind.reliable:
            self._by_flow.setdefault(flow, set()).add(exchange)
        exchange.session.hold(flow)
        self._transmit(exchange)
        self._pump.update(exchange)

    def _transmit(self, exchange: ClientExchange) -> None:
        assert exchange.departure is not None
        flow, _, data = exchange.departure
        try:
            self._send(data, flow, exchange.session)
        except TransportError as error:
            self._loop.call_soon(self._transport_failed, exchange, str(error))

    def _acknowledge_failure(self, exchange: ClientExchange, response: Response | None) -> None:
        assert exchange.departure is not None
        if exchange.failure_ack is None and response is not None:
            exchange.failure_ack = make_failure_ack(exchange.request, response).serialize()
        if exchange.failure_ack is not None:
            self._send_quietly(exchange.failure_ack, exchange.departure.flow, exchange.session)

    def _depart_ack(
        self, ack: Request, session: Session, departure: Departure | TransportError
    ) -> None:
        if isinstance(departure, TransportError):
            return
        session.hold(departure.flow)
        session.remember_ack(SentAck(ack, departure.flow, departure.data))
        self._send_quietly(departure.data, departure.flow, session)

    def _send_quietly(self, data: bytes, flow: Flow, session: Session) -> None:
        """Send an ACK: one that is lost is asked for again by a repeated response."""
        try:
            self._send(data, flow, session)
        except TransportError:
            return

    def _send(self, data: bytes, flow: Flow, session: Session) -> None:
        self._transport.send(data, flow)
        session.trace.record(
            sent=True, kind=flow.kind, local=flow.local, remote=flow.remote, data=data
        )

    def _transport_failed(self, exchange: ClientExchange, detail: str) -> None:
        if exchange.machine is not None:
            outputs = exchange.machine.transport_failed(self._loop.time())
            self.run(exchange, outputs, detail=detail)

    def _fail_soon(self, exchange: ClientExchange, detail: str) -> None:
        """Tell later: whoever sends is in mid-step now."""
        self._loop.call_soon(self._fail, exchange, detail)

    def _fail(self, exchange: ClientExchange, detail: str) -> None:
        self._forget(exchange)
        self._settle(exchange, FailureKind.TRANSPORT, detail)

    def _settle(self, exchange: ClientExchange, kind: FailureKind, detail: str) -> None:
        if not exchange.is_abandoned:
            exchange.is_settled = True
            exchange.session.request_failed(exchange.request, kind, detail)

    def _forget(self, exchange: ClientExchange) -> None:
        self._by_request.pop(id(exchange.request), None)
        self._by_key.pop(exchange.key, None)
        self._pump.forget(exchange)
        if exchange.departure is not None:
            users = self._by_flow.get(exchange.departure.flow, set())
            users.discard(exchange)
            if not users:
                self._by_flow.pop(exchange.departure.flow, None)
