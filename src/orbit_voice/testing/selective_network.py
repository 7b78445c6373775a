"""A network that lets some INVITEs vanish: how a party takes no notice of a call."""

from __future__ import annotations

from collections.abc import Callable

from orbit_voice.signaling.transport.interfaces import Address, DatagramReceiver
from orbit_voice.signaling.transport.sockets import SocketNetwork
from orbit_voice.signaling.transport.udp import UdpPort
from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.message import Request
from orbit_voice.sip.parser import parse_message


class SelectiveNetwork(SocketNetwork):
    """Real sockets, but for the INVITEs over UDP that are not to be heard.

    Args:
        is_heard: Asked about every INVITE, retransmissions too.
    """

    def __init__(self, is_heard: Callable[[Request], bool]) -> None:
        self._is_heard = is_heard

    def open_datagrams(self, local: Address, receiver: DatagramReceiver) -> UdpPort:
        """Bind a UDP port (see :class:`~orbit_voice.signaling.transport.interfaces.Network`)."""
        return super().open_datagrams(local, _Ear(receiver, self._is_heard))


class _Ear:
    """Passes on what is to be heard. What is no INVITE, or none that can be read, always is."""

    def __init__(self, receiver: DatagramReceiver, is_heard: Callable[[Request], bool]) -> None:
        self._receiver = receiver
        self._is_heard = is_heard

    def datagram_received(self, data: bytes, source: Address) -> None:
        if not self._is_to_vanish(data):
            self._receiver.datagram_received(data, source)

    def datagram_refused(self, data: bytes, destination: Address) -> None:
        self._receiver.datagram_refused(data, destination)

    def _is_to_vanish(self, data: bytes) -> bool:
        if not data.startswith(b"INVITE "):
            return False
        try:
            message = parse_message(data)
        except ParseError:
            return False
        return isinstance(message, Request) and not self._is_heard(message)
