"""A whole network in one process and in virtual time.

Hosts are addresses; between each pair of hosts and in each direction there is a
:class:`~orbit_voice.testing.network.link.LossyLink`. A :class:`VirtualHost` is a
``Network`` of the signalling shell, so a SIP endpoint runs on it unchanged, and it opens asyncio
endpoints for everything else::

    async def scenario() -> None:
        network = VirtualNetwork(Random(7), LinkConditions(loss=0.05, delay_s=0.02))
        alice, bob = network.host("192.0.2.1"), network.host("192.0.2.2")
        transport, _ = await bob.create_datagram_endpoint(Echo, local_addr=("192.0.2.2", 5060))

    run_virtual(scenario())
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, Final, Protocol, TypeVar

from orbit_voice.kit.errors import TransportError
from orbit_voice.signaling.transport.interfaces import Address, DatagramReceiver
from orbit_voice.testing.network.deliveries import DeliveryQueue
from orbit_voice.testing.network.link import LinkConditions, LossyLink
from orbit_voice.testing.network.pipes import DatagramPipe, StreamPipe

FIRST_EPHEMERAL_PORT: Final = 49_152
"""Where automatic ports begin (RFC 6335 §6)."""
CONNECT_PATIENCE_S: Final = 127.0
"""How long a connection to a host that is not there is tried: Linux's six SYN retransmissions."""

_P = TypeVar("_P", bound=asyncio.DatagramProtocol)


class _DatagramSink(Protocol):
    def deliver(self, data: bytes, source: Address) -> None: ...

    def refuse(self, data: bytes, destination: Address) -> None: ...


class VirtualNetwork:
    """Hosts, and how bad the way between them is. Use inside a running loop.

    Args:
        random: Source of chance for every link; seed it.
        conditions: Of links that :meth:`set_conditions` did not name.
    """

    def __init__(self, random: Random, conditions: LinkConditions | None = None) -> None:
        self._random = random
        self._default = conditions or LinkConditions()
        self._hosts: dict[str, VirtualHost] = {}
        self._names: dict[str, str] = {}
        self._links: dict[tuple[str, str], LossyLink] = {}
        self._in_flight = DeliveryQueue()

    def host(self, address: str) -> VirtualHost:
        """Return the host with a numeric address; it is made when it is first asked for."""
        return self._hosts.setdefault(address, VirtualHost(self, address))

    def name(self, name: str, address: str) -> None:
        """Let ``name`` resolve to ``address``."""
        self._names[name.lower()] = address

    def link(self, source: str, destination: str) -> LossyLink:
        """Return the link from one host to another, to read its counts."""
        key = (source, destination)
        if key not in self._links:
            self._links[key] = LossyLink(self._random, self._default)
        return self._links[key]

    def set_conditions(self, source: str, destination: str, conditions: LinkConditions) -> None:
        """Change one direction between two hosts from now on; a loss of 1.0 cuts it.

        A stream crosses a link late but whole; over a cut link it is half open: nothing arrives,
        not even its end.
        """
        self.link(source, destination).conditions = conditions
        if (host := self._hosts.get(source)) is not None:
            host.apply_conditions(destination, conditions)

    def resolve(self, host: str) -> str:
        """Return the address of a name, or a numeric address as it is.

        Raises:
            TransportError: The network knows neither.
        """
        if host in self._hosts:
            return host
        try:
            return self._names[host.lower()]
        except KeyError:
            raise TransportError(f"cannot resolve {host}: it has no address") from None

    def find_host(self, address: str) -> VirtualHost | None:
        """Return the host with that address if there is one."""
        return self._hosts.get(address)

    def carry_datagram(self, data: bytes, source: Address, destination: Address) -> None:
        """Send a datagram through the link between two hosts."""
        loop = asyncio.get_running_loop()
        link = self.link(source[0], destination[0])
        for deliver_at, copy in link.send(data, loop.time()):
            self._in_flight.add(deliver_at, partial(self._arrive, copy, source, destination))

    def _arrive(self, data: bytes, source: Address, destination: Address) -> None:
        host = self._hosts.get(destination[0])
        if host is None:
            return  # nobody there to say so
        if (sink := host.datagram_sink(destination[1])) is not None:
            sink.deliver(data, source)
        elif (sender := self._hosts[source[0]].datagram_sink(source[1])) is not None:
            sender.refuse(data, destination)


class VirtualHost:
    """One address of a virtual network; a ``Network`` of the signalling shell.

    Args:
        network: Where it is.
        address: Its numeric address.
    """

    def __init__(self, network: VirtualNetwork, address: str) -> None:
        self._network = network
        self.address = address
        self._datagram_sinks: dict[int, _DatagramSink] = {}
        self._listeners: dict[int, Callable[[], asyncio.Protocol]] = {}
        self._streams: list[StreamPipe] = []
        self._next_port = FIRST_EPHEMERAL_PORT

    async def create_datagram_endpoint(
        self,
        protocol_factory: Callable[[], _P],
        local_addr: Address | None = None,
        remote_addr: Address | None = None,
    ) -> tuple[DatagramPipe, _P]:
        """Open a UDP port as ``loop.create_datagram_endpoint`` does.

        Args:
            protocol_factory: Makes the protocol.
            local_addr: Where to bind; None or port 0 takes a free port.
            remote_addr: Connects the endpoint to one peer.

        Raises:
            TransportError: The port is taken, or the address is not this host's.
        """
        local = self._free(local_addr or (self.address, 0), self._datagram_sinks)
        pipe = DatagramPipe(
            local,
            remote_addr,
            partial(self._send_from, local),
            partial(self._datagram_sinks.pop, local[1], None),
        )
        self._datagram_sinks[local[1]] = pipe
        protocol = protocol_factory()
        pipe.start(protocol)
        return pipe, protocol

    def open_datagrams(self, local: Address, receiver: DatagramReceiver) -> VirtualDatagramPort:
        """Bind a UDP port for the signalling shell.

        Raises:
            TransportError: The port is taken, or the address is not this host's.
        """
        address = self._free(local, self._datagram_sinks)
        port = VirtualDatagramPort(
            address,
            receiver,
            partial(self._send_from, address),
            partial(self._datagram_sinks.pop, address[1], None),
        )
        self._datagram_sinks[address[1]] = port
        return port

    async def listen(
        self, local: Address, factory: Callable[[], asyncio.Protocol]
    ) -> VirtualListener:
        """Take stream connections, each with a protocol of its own.

        Raises:
            TransportError: The port is taken, or the address is not this host's.
        """
        address = self._free(local, self._listeners)
        self._listeners[address[1]] = factory
        return VirtualListener(address, partial(self._listeners.pop, address[1], None))

    async def connect(self, remote: Address, factory: Callable[[], asyncio.Protocol]) -> None:
        """Open a stream; ``connection_made`` is called before this returns.

        Raises:
            TransportError: Nobody listens there (at once), or nobody is there (after
                :data:`CONNECT_PATIENCE_S`).
        """
        there, back = (
            self._network.link(self.address, remote[0]).conditions,
            self._network.link(remote[0], self.address).conditions,
        )
        host = self._network.find_host(remote[0])
        if host is None or 1.0 in (there.loss, back.loss):
            await asyncio.sleep(CONNECT_PATIENCE_S)
            raise TransportError(f"cannot connect to {remote[0]}:{remote[1]}: timed out")
        await asyncio.sleep(there.delay_s + back.delay_s)
        local = self._free((self.address, 0), {})
        near = StreamPipe(local, remote, there.delay_s)
        far = StreamPipe(remote, local, back.delay_s)
        host.accept(far, near)
        near.join(far, factory())
        self._streams.append(near)
        near.start()

    async def resolve(self, host: str) -> str:
        """Look a name up in the network's table.

        Raises:
            TransportError: The network does not know it.
        """
        return self._network.resolve(host)

    def source_address(self, remote_host: str) -> str:
        """Return this host's address."""
        return self.address

    def accept(self, far: StreamPipe, near: StreamPipe) -> None:
        """Take a connection at the port that ``far`` is bound to.

        Raises:
            TransportError: Nobody listens there.
        """
        local: Address = far.get_extra_info("sockname")
        factory = self._listeners.get(local[1])
        if factory is None:
            raise TransportError(f"cannot connect to {local[0]}:{local[1]}: refused")
        far.join(near, factory())
        self._streams.append(far)
        far.start()

    def datagram_sink(self, port: int) -> _DatagramSink | None:
        """Return what is bound to a UDP port."""
        return self._datagram_sinks.get(port)

    def apply_conditions(self, destination: str, conditions: LinkConditions) -> None:
        """Apply a link's new conditions to streams that cross it."""
        self._streams = [stream for stream in self._streams if not stream.is_closing()]
        for stream in self._streams:
            if stream.get_extra_info("peername")[0] == destination:
                stream.delay_s = conditions.delay_s
                stream.cut = conditions.loss == 1.0

    def _send_from(self, local: Address, data: bytes, destination: Address) -> None:
        self._network.carry_datagram(data, local, destination)

    def _free(self, wanted: Address, taken: dict[int, Any]) -> Address:
        if wanted[0] not in (self.address, "0.0.0.0", "::"):
            raise TransportError(f"cannot bind {wanted[0]}: this host is {self.address}")
        if wanted[1] in taken:
            raise TransportError(f"cannot bind {self.address}:{wanted[1]}: in use")
        if wanted[1] != 0:
            return (self.address, wanted[1])
        while self._next_port in taken:
            self._next_port += 1
        self._next_port += 1
        return (self.address, self._next_port - 1)


class VirtualDatagramPort:
    """A bound UDP port of a virtual host, as the signalling shell wants it.

    Args:
        address: Where it is bound.
        receiver: Takes what arrives.
        send: Carries a datagram into the network.
        forget: Called when the port is closed.
    """

    def __init__(
        self,
        address: Address,
        receiver: DatagramReceiver,
        send: Callable[[bytes, Address], None],
        forget: Callable[[], object],
    ) -> None:
        self.address = address
        self._receiver = receiver
        self._send = send
        self._forget = forget
        self._open = True

    def send(self, data: bytes, destination: Address) -> None:
        """Send one datagram.

        Raises:
            TransportError: The port is closed.
        """
        if not self._open:
            raise TransportError(f"{self.address[0]}:{self.address[1]} is closed")
        self._send(data, destination)

    def close(self) -> None:
        """Close the port. May be called twice."""
        if self._open:
            self._open = False
            self._forget()

    def deliver(self, data: bytes, source: Address) -> None:
        """Hand a datagram to the receiver."""
        self._receiver.datagram_received(data, source)

    def refuse(self, data: bytes, destination: Address) -> None:
        """Tell the receiver that nobody listens there (ICMP port unreachable)."""
        self._receiver.datagram_refused(data, destination)


class VirtualListener:
    """A port that takes connections.

    Args:
        address: Where it is bound.
        forget: Called when it is closed.
    """

    def __init__(self, address: Address, forget: Callable[[], object]) -> None:
        self.address = address
        self._forget = forget

    def close(self) -> None:
        """Take no more connections. May be called twice."""
        self._forget()
