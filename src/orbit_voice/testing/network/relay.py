"""A bad network between two real programs: a UDP relay on loopback.

Point the client at :attr:`LossyRelay.address` instead of at the server. Each client address gets a
port of its own towards the server, as behind a NAT, and answers come back the same way::

    async with LossyRelay(("127.0.0.1", 5060), Random(7), LinkConditions(loss=0.05)) as relay:
        ...  # sipp 127.0.0.1:<relay.address[1]>
        print(relay.to_server.counts.dropped)
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from random import Random
from types import TracebackType
from typing import Final, Self, TypeAlias

from orbit_voice.testing.network.deliveries import DeliveryQueue
from orbit_voice.testing.network.link import LinkConditions, LossyLink

MAX_CLIENTS: Final = 512
"""Client addresses served at once; datagrams of further ones are dropped."""
MAX_IN_FLIGHT: Final = 50_000
"""Delayed datagrams held at once; further ones are dropped."""
RECEIVE_BUFFER_BYTES: Final = 4 << 20
"""Asked of the kernel, so that only the link loses datagrams."""
_BATCH: Final = 64
_MAX_DATAGRAM_BYTES: Final = 65_535

Address: TypeAlias = tuple[str, int]


class LossyRelay:
    """Relays datagrams between any number of clients and one server.

    Args:
        server: Where clients' datagrams go; the relay uses the same address family.
        random: Source of chance for both directions; seed it.
        conditions: How bad both directions are; change one while it runs with
            ``relay.to_server.conditions = …``.
        bind: Where clients reach the relay; port 0 takes a free one.

    Attributes:
        to_server: The link that clients' datagrams cross, with its counts.
        to_client: The link back.
        overflowed: Datagrams dropped because a limit of this relay was reached.
    """

    def __init__(
        self,
        server: Address,
        random: Random,
        conditions: LinkConditions | None = None,
        *,
        bind: Address = ("127.0.0.1", 0),
    ) -> None:
        self._server = server
        self._bind = bind
        self.to_server = LossyLink(random, conditions)
        self.to_client = LossyLink(random, conditions)
        self.overflowed = 0
        self._front: _Port | None = None
        self._back: dict[Address, _Port] = {}
        self._in_flight = DeliveryQueue()

    async def __aenter__(self) -> Self:
        self._front = _Port(self._bind, self._from_client)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def address(self) -> Address:
        """Where clients reach the relay.

        Raises:
            RuntimeError: The relay is not open.
        """
        if self._front is None:
            raise RuntimeError("the relay is not open: use it in `async with`")
        return self._front.address

    @property
    def clients(self) -> list[Address]:
        """Addresses that have sent something, oldest first."""
        return list(self._back)

    def close(self) -> None:
        """Close all ports and forget what is in flight. May be called twice."""
        self._in_flight.close()
        for port in (self._front, *self._back.values()):
            if port is not None:
                port.close()
        self._front = None
        self._back.clear()

    def _from_client(self, datagram: bytes, client: Address) -> None:
        port = self._back.get(client)
        if port is None:
            if len(self._back) >= MAX_CLIENTS:
                self.overflowed += 1
                return
            port = _Port((self._bind[0], 0), partial(self._from_server, client))
            self._back[client] = port
        self._carry(self.to_server, datagram, port, self._server)

    def _from_server(self, client: Address, datagram: bytes, source: Address) -> None:
        if self._front is not None and source == self._server:
            self._carry(self.to_client, datagram, self._front, client)

    def _carry(self, link: LossyLink, datagram: bytes, port: _Port, destination: Address) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for deliver_at, copy in link.send(datagram, now):
            if deliver_at <= now and not self._in_flight:
                port.send(copy, destination)
            elif len(self._in_flight) >= MAX_IN_FLIGHT:
                self.overflowed += 1
            else:
                self._in_flight.add(deliver_at, partial(port.send, copy, destination))


class _Port:
    """A UDP socket read on the running loop."""

    def __init__(self, bind: Address, receive: Callable[[bytes, Address], None]) -> None:
        family = socket.AF_INET6 if ":" in bind[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self._socket.bind(bind)
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._read)
        self.address: Address = self._socket.getsockname()[:2]

    def send(self, datagram: bytes, destination: Address) -> None:
        """Send one datagram; what the kernel refuses is lost, as in a network."""
        with suppress(OSError):
            self._socket.sendto(datagram, destination)

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _read(self) -> None:
        for _ in range(_BATCH):
            try:
                datagram, source = self._socket.recvfrom(_MAX_DATAGRAM_BYTES)
            except OSError:  # nothing left, or an ICMP error of an earlier datagram
                return
            self._receive(datagram, source[:2])
            if self._socket.fileno() < 0:
                return
