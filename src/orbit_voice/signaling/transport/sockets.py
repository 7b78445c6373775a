"""The real network: this machine's sockets and resolver."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from orbit_voice.kit.errors import TransportError
from orbit_voice.signaling.transport.interfaces import Address, DatagramReceiver
from orbit_voice.signaling.transport.udp import UdpPort, open_udp_port

BACKLOG: Final = 1024
"""Connections the kernel holds for us while we are busy."""
KEEP_ALIVE_IDLE_S: Final = 60
"""TCP keep-alive starts after this silence, seconds: finds peers that vanished."""
USER_TIMEOUT_MS: Final = 30_000
"""Unacknowledged data older than this ends a connection (RFC 5482): shorter than Timer B and F,
so that a half-open connection is found before the transactions on it expire."""
_ROUTE_PROBE_PORT: Final = 9


class SocketListener:
    """A listening TCP socket."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server
        self.address: Address = server.sockets[0].getsockname()[:2]

    def close(self) -> None:
        """Take no more connections. May be called twice."""
        self._server.close()


class SocketNetwork:
    """A :class:`~.interfaces.Network` of operating-system sockets. Use inside a running loop."""

    def open_datagrams(self, local: Address, receiver: DatagramReceiver) -> UdpPort:
        """Bind a UDP port (see :class:`~.interfaces.Network`)."""
        return open_udp_port(asyncio.get_running_loop(), local, receiver)

    async def listen(
        self, local: Address, factory: Callable[[], asyncio.Protocol]
    ) -> SocketListener:
        """Take TCP connections (see :class:`~.interfaces.Network`)."""
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                factory, local[0], local[1], backlog=BACKLOG, reuse_address=True
            )
        except OSError as error:
            raise TransportError(f"cannot bind TCP {local[0]}:{local[1]}: {error}") from error
        return SocketListener(server)

    async def connect(self, remote: Address, factory: Callable[[], asyncio.Protocol]) -> None:
        """Connect over TCP (see :class:`~.interfaces.Network`)."""
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(factory, remote[0], remote[1])
        except (OSError, OverflowError) as error:
            raise TransportError(f"cannot connect to {remote[0]}:{remote[1]}: {error}") from error

    async def resolve(self, host: str) -> str:
        """Look a name up, IPv4 first (see :class:`~.interfaces.Network`)."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            raise TransportError(f"cannot resolve {host}: {error}") from error
        if not found:
            raise TransportError(f"cannot resolve {host}: it has no address")
        return str(min(found, key=lambda each: each[0] != socket.AF_INET)[4][0])

    def source_address(self, remote_host: str) -> str:
        """Ask the routing table; connecting a UDP socket sends nothing."""
        family = socket.AF_INET6 if ip_address(remote_host).version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            try:
                sock.connect((remote_host, _ROUTE_PROBE_PORT))
            except OSError as error:
                raise TransportError(f"no route to {remote_host}: {error}") from error
            return str(sock.getsockname()[0])


def tune_connection(sock: socket.socket) -> None:
    """Make a TCP socket prompt in sending and in noticing that its peer is gone."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEP_ALIVE_IDLE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
