"""What signalling needs of a network, as protocols.

:class:`~orbit_voice.signaling.transport.sockets.SocketNetwork` is the real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import Final, Protocol, TypeAlias

Address: TypeAlias = tuple[str, int]
"""Numeric host and port."""


class TransportKind(StrEnum):
    """How a message travels; the value is the URI parameter (RFC 3261 §19.1.1)."""

    UDP = "udp"
    TCP = "tcp"

    @property
    def via_name(self) -> str:
        """Spelling in a Via (RFC 3261 §20.42)."""
        return _VIA_NAMES[self]

    @property
    def reliable(self) -> bool:
        """Whether the transport retransmits for us (RFC 3261 §17)."""
        return self is not TransportKind.UDP


_VIA_NAMES: Final = {TransportKind.UDP: "UDP", TransportKind.TCP: "TCP"}


class DatagramReceiver(Protocol):
    """Takes what a datagram port hears. Called on the loop; must not raise."""

    def datagram_received(self, data: bytes, source: Address) -> None:
        """Take one datagram."""

    def datagram_refused(self, data: bytes, destination: Address) -> None:
        """Take the news that a datagram of ours came back as undeliverable (ICMP).

        Args:
            data: The beginning of what we sent.
            destination: Where we had sent it.
        """


class DatagramPort(Protocol):
    """A bound UDP port."""

    @property
    def address(self) -> Address:
        """Where it is bound."""

    def send(self, data: bytes, destination: Address) -> None:
        """Send one datagram. A full send buffer loses it, as the network may.

        Raises:
            TransportError: It cannot be sent there at all.
        """

    def close(self) -> None:
        """Close the port. May be called twice."""


class Listener(Protocol):
    """A port that takes connections."""

    @property
    def address(self) -> Address:
        """Where it is bound."""

    def close(self) -> None:
        """Take no more connections. May be called twice."""


class Network(Protocol):
    """Where ports, connections and addresses come from."""

    def open_datagrams(self, local: Address, receiver: DatagramReceiver) -> DatagramPort:
        """Bind a UDP port; port 0 takes a free one.

        Raises:
            TransportError: The address cannot be bound.
        """

    async def listen(self, local: Address, factory: Callable[[], asyncio.Protocol]) -> Listener:
        """Take TCP connections at ``local``, each with a protocol of its own.

        Raises:
            TransportError: The address cannot be bound.
        """

    async def connect(self, remote: Address, factory: Callable[[], asyncio.Protocol]) -> None:
        """Connect to ``remote`` over TCP; ``connection_made`` is called before this returns.

        Raises:
            TransportError: Refused or unreachable.
        """

    async def resolve(self, host: str) -> str:
        """Return a numeric address of ``host``.

        Raises:
            TransportError: The name has no address.
        """

    def source_address(self, remote_host: str) -> str:
        """Return the numeric address this machine sends from towards ``remote_host``.

        Raises:
            TransportError: There is no route.
        """
