"""Requests of peers: server transactions on real timers and flows (RFC 3261 §17.2, RFC 6026).

What is refused outside a session is answered without any state (RFC 3261 §8.2.7), so that a flood
of bad requests costs no memory: a repeated request simply gets the same response again.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from typing import Final, TypeAlias

from orbit_voice.signaling.sessions import Session
from orbit_voice.signaling.timers import TimerPump
from orbit_voice.signaling.transport.flow import Flow
from orbit_voice.signaling.transport.interfaces import Address
from orbit_voice.signaling.transport_layer import TransportLayer
from orbit_voice.sip import grammar
from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.headers import Via
from orbit_voice.sip.message import Request, Response
from orbit_voice.sip.transactions import (
    Failed,
    InviteServerTransaction,
    PassAckToUser,
    ServerTransaction,
    TransactionKey,
    TransmitResponse,
    TransmitTrying,
    merge_key,
)

_TAG_BYTES: Final = 8
_TAG_FIELDS: Final = ("Via", "From", "Call-ID", "CSeq")

_Machine: TypeAlias = InviteServerTransaction | ServerTransaction
_Output: TypeAlias = TransmitTrying | TransmitResponse | PassAckToUser | Failed


class ServerExchange:
    """One request of a peer and its latest response. A ``Timed``, ticked by the pump.

    Args:
        owner: Runs what the machine wants done.
        request: As it came.
        key: What repetitions are matched by.
        source: Where it came from.
        flow: The way for responses.
        session: Answers it.
        machine: Its transaction.

    Attributes:
        response: The latest response given by the session, or None.
        data: The latest response as it went on the wire.
    """

    __slots__ = (
        "_owner",
        "data",
        "flow",
        "key",
        "machine",
        "merge",
        "request",
        "response",
        "session",
        "source",
        "via",
    )

    def __init__(
        self,
        owner: InboundRequests,
        request: Request,
        key: TransactionKey,
        source: Address,
        flow: Flow,
        session: Session,
        machine: _Machine,
    ) -> None:
        self._owner = owner
        self.request = request
        self.key = key
        self.via = request.top_via
        self.source = source
        self.flow = flow
        self.session = session
        self.machine = machine
        self.merge = merge_key(request) if request.method == "INVITE" else None
        self.response: Response | None = None
        self.data = b""

    def next_deadline(self) -> float | None:
        """Return when :meth:`tick` is next due (loop time, seconds), or None."""
        return self.machine.next_deadline()

    def tick(self, now: float) -> None:
        """Fire the transaction's timers."""
        self._owner.run(self, self.machine.tick(now))


class InboundRequests:
    """Every server transaction of an endpoint, and the answers that need none.

    Args:
        transport: Sends.
        pump: Ticks the transactions.
        loop: Its clock is used.
        product: For Server.
    """

    def __init__(
        self,
        transport: TransportLayer,
        pump: TimerPump,
        loop: asyncio.AbstractEventLoop,
        product: str,
    ) -> None:
        self._transport = transport
        self._pump = pump
        self._loop = loop
        self._product = product
        self._tag_key = secrets.token_bytes()
        self._by_key: dict[TransactionKey, ServerExchange] = {}
        self._by_request: dict[int, ServerExchange] = {}
        self._merges: dict[TransactionKey, ServerExchange] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def find(self, key: TransactionKey) -> ServerExchange | None:
        """Return the transaction with ``key``, if there is one."""
        return self._by_key.get(key)

    def is_merged(self, invite: Request) -> bool:
        """Whether ``invite`` is a copy of one that came another way (RFC 3261 §8.2.2.2)."""
        key = merge_key(invite)
        return key is not None and key in self._merges

    def open(
        self, request: Request, key: TransactionKey, flow: Flow, session: Session
    ) -> ServerExchange:
        """Start a transaction for a request that ``session`` will answer."""
        reliable = flow.kind.reliable
        machine: _Machine
        if request.method == "INVITE":
            machine = InviteServerTransaction(now=self._loop.time(), reliable=reliable)
        else:
            machine = ServerTransaction(reliable=reliable)
        way = self._transport.reply_flow(flow, request.top_via)
        exchange = ServerExchange(self, request, key, flow.remote, way, session, machine)
        self._by_key[key] = self._by_request[id(request)] = exchange
        if exchange.merge is not None:
            self._merges[exchange.merge] = exchange
        self._pump.update(exchange)
        return exchange

    def repeat(self, exchange: ServerExchange) -> None:
        """Take a request again."""
        now = self._loop.time()
        if isinstance(exchange.machine, InviteServerTransaction):
            self.run(exchange, exchange.machine.receive_invite(now))
        else:
            self.run(exchange, exchange.machine.receive_request(now))

    def acknowledge(self, exchange: ServerExchange, ack: Request) -> None:
        """Take an ACK that matches an INVITE transaction."""
        if isinstance(exchange.machine, InviteServerTransaction):
            self.run(exchange, exchange.machine.receive_ack(self._loop.time()), ack)

    def respond(self, request: Request, response: Response) -> None:
        """Answer through the transaction of ``request``; it may be forgotten already."""
        if (exchange := self._by_request.get(id(request))) is None:
            return
        outputs = exchange.machine.send_response(response.status, self._loop.time())
        if TransmitResponse() in outputs and exchange.response is not response:
            exchange.response = response
            exchange.data = _serialize(response, exchange)
        self.run(exchange, outputs)

    def refuse_rest(self, session: Session) -> None:
        """Answer with 500 what a broken session left unanswered."""
        for exchange in list(self._by_key.values()):
            if exchange.session is session:
                tag = self._stateless_tag(exchange.request)
                response = Response.to_request(exchange.request, 500, to_tag=tag)
                self.respond(exchange.request, response)

    def respond_statelessly(
        self,
        request: Request,
        flow: Flow,
        status: int,
        reason: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Answer a request once and forget it (RFC 3261 §8.2.7).

        Args:
            request: May be malformed.
            flow: The way it came.
            status: 200-699.
            reason: Phrase, or None for the usual one.
            headers: More header fields.
        """
        tag = self._stateless_tag(request)
        response = Response.to_request(request, status, reason, to_tag=tag)
        response.headers.add("Server", self._product)
        for name, value in headers:
            response.headers.add(name, value)
        try:
            via = request.top_via
            note_source(response, via, flow.remote)
        except ParseError:
            # Nothing says where the sender listens: only its source address is left.
            via = Via(flow.kind.via_name, flow.remote[0], flow.remote[1])
        way = self._transport.reply_flow(flow, via)
        self._transport.send_reply(response.serialize(), way, via)

    def run(
        self,
        exchange: ServerExchange,
        outputs: list[_Output] | list[TransmitResponse | Failed],
        ack: Request | None = None,
    ) -> None:
        """Do what a transaction wants done.

        Args:
            exchange: Whose transaction it is.
            outputs: What it wants.
            ack: The ACK that this is about, if it is about one.
        """
        for output in outputs:
            match output:
                case TransmitTrying():
                    trying = Response.to_request(exchange.request, 100)
                    exchange.data = _serialize(trying, exchange)
                    self._transmit(exchange)
                case TransmitResponse():
                    self._transmit(exchange)
                case PassAckToUser():
                    assert ack is not None
                    exchange.session.receive_request(ack)
                case Failed():
                    pass  # an ACK for a refusal never came: nothing depends on it
        if exchange.machine.is_terminated:
            self._forget(exchange)
        else:
            self._pump.update(exchange)

    def _transmit(self, exchange: ServerExchange) -> None:
        flow = exchange.flow
        exchange.session.trace.record(
            sent=True, kind=flow.kind, local=flow.local, remote=flow.remote, data=exchange.data
        )
        self._transport.send_reply(exchange.data, flow, exchange.via)

    def _forget(self, exchange: ServerExchange) -> None:
        self._by_key.pop(exchange.key, None)
        self._by_request.pop(id(exchange.request), None)
        if exchange.merge is not None and self._merges.get(exchange.merge) is exchange:
            del self._merges[exchange.merge]
        self._pump.forget(exchange)

    def _stateless_tag(self, request: Request) -> str:
        """Return the tag that every copy of ``request`` gets (RFC 3261 §8.2.7)."""
        fields = [request.headers.get(name) or "" for name in _TAG_FIELDS]
        text = "\n".join(fields).encode("utf-8", "replace")
        return hashlib.blake2s(text, key=self._tag_key, digest_size=_TAG_BYTES).hexdigest()


def _serialize(response: Response, exchange: ServerExchange) -> bytes:
    note_source(response, exchange.via, exchange.source)
    return response.serialize()


def note_source(response: Response, via: Via, source: Address) -> None:
    """Write into the topmost Via where the request came from (RFC 3261 §18.2.1, RFC 3581 §4).

    It is only read when the response is routed, so it is not written into the request.

    Args:
        response: To be sent; has the Vias of its request.
        via: The topmost of them.
        source: Where the request came from.
    """
    noted = via.with_source(*source)
    if noted == via:
        return
    line = response.headers.get("Via") or ""
    below = grammar.split_values(line)[1:] if "," in line else []
    response.headers.remove_first("Via")
    response.headers.prepend("Via", ", ".join([str(noted), *below]))
