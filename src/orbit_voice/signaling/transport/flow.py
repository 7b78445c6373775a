"""A flow: a way to one peer that messages can take now."""

from __future__ import annotations

from typing import Final, TypeAlias

from orbit_voice.signaling.transport.interfaces import Address, DatagramPort, TransportKind
from orbit_voice.signaling.transport.tcp import StreamConnection


class UdpFlow:
    """A way to one UDP peer."""

    __slots__ = ("_port", "remote")

    kind: Final = TransportKind.UDP
    is_open: Final = True

    def __init__(self, port: DatagramPort, remote: Address) -> None:
        self._port = port
        self.remote = remote

    @property
    def local(self) -> Address:
        """Where our port is bound."""
        return self._port.address

    def send(self, data: bytes) -> None:
        """Send one message (see :meth:`.interfaces.DatagramPort.send`)."""
        self._port.send(data, self.remote)

    def with_port(self, port: int) -> UdpFlow:
        """Return the way to another port of the same peer."""
        return UdpFlow(self._port, (self.remote[0], port))


Flow: TypeAlias = UdpFlow | StreamConnection
"""Both have ``kind``, ``local``, ``remote``, ``is_open`` and ``send``."""
