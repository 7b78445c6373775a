"""The transport layer of RFC 3261 §18: sockets below, messages above.

What arrives is parsed and handed up with the flow it came by. What is to be sent gets its flow
here: a UDP port with an address, or a connection that is open, found again or made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, TypeAlias

import structlog

from orbit_voice.kit.errors import TransportError
from orbit_voice.signaling.local_names import LocalNames
from orbit_voice.signaling.resolver import DEFAULT_PORT, Resolver, Target
from orbit_voice.signaling.timers import TimerPump
from orbit_voice.signaling.transport.connections import CONNECT_TIMEOUT_S, ConnectionPool
from orbit_voice.signaling.transport.flow import Flow, UdpFlow
from orbit_voice.signaling.transport.interfaces import (
    Address,
    DatagramPort,
    Listener,
    Network,
    TransportKind,
)
from orbit_voice.signaling.transport.tcp import StreamConnection
from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.headers import Via
from orbit_voice.sip.message import Message
from orbit_voice.sip.parser import parse_message

SMALLEST_MESSAGE_BYTES: Final = 16
"""Nothing shorter can be a message: ``A a: SIP/2.0`` and its line end are 15."""

_log = structlog.get_logger(__name__)

FlowReady: TypeAlias = Callable[[Flow | TransportError], None]


class MessageReceiver(Protocol):
    """Takes what the transport layer hears. Called on the loop; must not raise."""

    def message_received(self, message: Message, flow: Flow, data: bytes) -> None:
        """Take one message; ``data`` is how it looked on the wire."""

    def bad_message_received(self, error: ParseError, flow: Flow) -> None:
        """Take a message that could not be read."""

    def flow_lost(self, flow: Flow) -> None:
        """Take the news that a connection is gone."""

    def datagram_refused(self, data: bytes) -> None:
        """Take the beginning of a datagram of ours that nobody took (ICMP)."""


@dataclass(slots=True)
class TrafficCounts:
    """What came and went since the start.

    Attributes:
        received: Messages that could be read.
        sent: Messages handed to the network.
        malformed: Messages that could not be read.
        junk: Datagrams too short to be a message; keep-alives among them.
        unsent_replies: Responses that could not be delivered.
    """

    received: int = 0
    sent: int = 0
    malformed: int = 0
    junk: int = 0
    unsent_replies: int = 0


class TransportLayer:
    """Every socket of an endpoint.

    Args:
        network: Where sockets come from.
        pump: Ticks the connections' limits in time.
        advertised_host: Host that peers are told, or None for the address they reach us by.
    """

    def __init__(
        self,
        network: Network,
        pump: TimerPump,
        *,
        advertised_host: str | None,
    ) -> None:
        self.counts = TrafficCounts()
        self._network = network
        self._receiver: MessageReceiver
        self._advertised_host = advertised_host
        self._names: dict[TransportKind, LocalNames] = {}
        self._resolver = Resolver(network)
        self._pool = ConnectionPool(network, self, pump, asyncio.get_running_loop())
        self._udp: DatagramPort | None = None
        self._listener: Listener | None = None

    @property
    def udp_address(self) -> Address | None:
        """Where the UDP port is bound, or None without one."""
        return self._udp.address if self._udp is not None else None

    @property
    def tcp_address(self) -> Address | None:
        """Where connections are taken, or None where they are not."""
        return self._listener.address if self._listener is not None else None

    @property
    def connections(self) -> int:
        """How many TCP connections are open."""
        return len(self._pool)

    async def open(
        self, receiver: MessageReceiver, *, udp: Address | None, tcp: Address | None
    ) -> None:
        """Bind the ports.

        Args:
            receiver: Takes what is heard from now on.
            udp: Where to bind a UDP port, or None.
            tcp: Where to take connections, or None.

        Raises:
            TransportError: An address cannot be bound; then nothing is bound.
        """
        self._receiver = receiver
        if udp is not None:
            self._udp = self._network.open_datagrams(udp, self)
        try:
            if tcp is not None:
                self._listener = await self._pool.listen(tcp)
        except TransportError:
            await self.close()
            raise
        for kind, bound in ((TransportKind.UDP, udp or tcp), (TransportKind.TCP, tcp or udp)):
            if bound is not None:
                self._names[kind] = LocalNames(self._network, self._advertised_host, bound[0])

    async def close(self) -> None:
        """Close every socket. May be called twice."""
        if self._udp is not None:
            self._udp.close()
        if self._listener is not None:
            self._listener.close()
        await self._resolver.close()
        await self._pool.close()

    def sent_by(self, kind: TransportKind, remote_host: str) -> str:
        """Return ``host:port`` under which a peer reaches us, for Via and Contact.

        Args:
            kind: The transport it shall use.
            remote_host: The peer's numeric address.

        Raises:
            TransportError: There is no route to it.
        """
        host = self._names[kind].towards(remote_host)
        return f"[{host}]:{self._port(kind)}" if ":" in host else f"{host}:{self._port(kind)}"

    def obtain(
        self, target: Target, ready: FlowReady, *, patience_s: float = CONNECT_TIMEOUT_S
    ) -> None:
        """Call ``ready`` with a flow to ``target``, or with why there is none.

        It is called at once for a numeric UDP target or an open connection.
        """
        self._resolver.resolve(target, partial(self._obtain, ready, patience_s))

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one message.

        Raises:
            TransportError: It could not be sent.
        """
        flow.send(data)
        self.counts.sent += 1

    def send_reply(self, data: bytes, flow: Flow, via: Via) -> None:
        """Send a response where RFC 3261 §18.2.2 and RFC 3581 §4 say; a failure is only counted.

        ``maddr`` is not followed: it would let a request choose who gets the answer.

        Args:
            data: The response.
            flow: The way the request came.
            via: Topmost Via of the request.
        """
        if flow.is_open:
            self._send_reply(data, flow)
        else:
            spare = Target(flow.kind, flow.remote[0], via.port or DEFAULT_PORT)
            self.obtain(spare, partial(self._send_reply, data))

    def reply_flow(self, flow: Flow, via: Via) -> Flow:
        """Return the flow for responses to a request that came by ``flow`` with ``via`` on top."""
        if via.wants_rport or not isinstance(flow, UdpFlow):
            return flow
        return flow.with_port(via.port or DEFAULT_PORT)

    def datagram_received(self, data: bytes, source: Address) -> None:
        """Read a datagram."""
        if len(data) < SMALLEST_MESSAGE_BYTES or self._udp is None:
            self.counts.junk += 1
            return
        flow = UdpFlow(self._udp, source)
        try:
            message = parse_message(data)
        except ParseError as error:
            self.bad_message_received(error, flow)
        else:
            self.counts.received += 1
            self._receiver.message_received(message, flow, data)

    def datagram_refused(self, data: bytes, destination: Address) -> None:
        """Pass the news on; it is about one message and not about the peer."""
        self._receiver.datagram_refused(data)

    def message_received(self, message: Message, connection: StreamConnection) -> None:
        """Pass a message of a connection on."""
        self.counts.received += 1
        self._receiver.message_received(message, connection, message.serialize())

    def bad_message_received(self, error: ParseError, connection: Flow) -> None:
        """Count a message that could not be read, and pass it on."""
        self.counts.malformed += 1
        self._receiver.bad_message_received(error, connection)

    def connection_lost(self, connection: StreamConnection) -> None:
        """Pass the loss on."""
        self._receiver.flow_lost(connection)

    def _port(self, kind: TransportKind) -> int:
        preferred = self.udp_address if kind is TransportKind.UDP else self.tcp_address
        bound = preferred or self.udp_address or self.tcp_address
        return bound[1] if bound is not None else DEFAULT_PORT

    def _obtain(self, ready: FlowReady, patience_s: float, target: Target | TransportError) -> None:
        if isinstance(target, TransportError):
            ready(target)
        elif target.kind is TransportKind.TCP:
            self._pool.obtain((target.host, target.port), ready, patience_s=patience_s)
        elif self._udp is None:
            ready(TransportError("this endpoint has no UDP port"))
        else:
            ready(UdpFlow(self._udp, (target.host, target.port)))

    def _send_reply(self, data: bytes, flow: Flow | TransportError) -> None:
        try:
            if isinstance(flow, TransportError):
                raise flow
            self.send(data, flow)
        except TransportError as error:
            self.counts.unsent_replies += 1
            _log.debug("sip.reply_unsent", error=str(error))
