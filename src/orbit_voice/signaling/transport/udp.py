"""A UDP port read in batches.

``loop.add_reader`` and a loop over ``recvfrom`` cost as little as uvloop's own datagram transport
and a quarter of asyncio's, and unlike both they show which datagram an ICMP error belongs to
(``IP_RECVERR``): a call to a port where nobody listens fails at once and not after Timer B.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final

import structlog

from orbit_voice.kit.errors import TransportError
from orbit_voice.signaling.transport.interfaces import Address, DatagramReceiver

MAX_DATAGRAM_BYTES: Final = 65_535
"""The largest payload UDP has; what is too long for SIP is counted and dropped above."""
BATCH: Final = 64
"""Datagrams taken per wake-up, so that a flood cannot starve the timers."""
RECEIVE_BUFFER_BYTES: Final = 4 << 20
"""What we ask of the kernel (it may give less): a burst of some thousand INVITEs."""
QUOTED_BYTES: Final = 1024
"""How much of an undeliverable datagram is read back; an ICMP error quotes at most 548."""

_IP_RECVERR: Final = 11  # linux/in.h
_IPV6_RECVERR: Final = 25  # linux/in6.h

_log = structlog.get_logger(__name__)


class UdpPort:
    """One bound UDP socket (RFC 3261 §18).

    Args:
        loop: Loop to read on.
        sock: Bound, non-blocking.
        receiver: Takes what arrives.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, receiver: DatagramReceiver
    ) -> None:
        self._loop = loop
        self._socket = sock
        self._receiver = receiver
        self.address: Address = sock.getsockname()[:2]
        loop.add_reader(sock.fileno(), self._read)

    def send(self, data: bytes, destination: Address) -> None:
        """Send one datagram (see :class:`~.interfaces.DatagramPort`)."""
        try:
            self._socket.sendto(data, destination)
        except BlockingIOError:
            return
        except ConnectionError:
            # The error of an earlier datagram, reported at the next call; this one was not sent.
            self._read_errors()
            self._send_again(data, destination)
        except (OSError, OverflowError) as error:
            raise TransportError(
                f"cannot send to {destination[0]}:{destination[1]}: {error}"
            ) from error

    def close(self) -> None:
        """Close the port. May be called twice."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _send_again(self, data: bytes, destination: Address) -> None:
        try:
            self._socket.sendto(data, destination)
        except BlockingIOError:
            return
        except OSError as error:
            raise TransportError(
                f"cannot send to {destination[0]}:{destination[1]}: {error}"
            ) from error

    def _read(self) -> None:
        receive = self._socket.recvfrom
        for taken in range(BATCH):
            try:
                data, source = receive(MAX_DATAGRAM_BYTES)
            except BlockingIOError:
                if taken == 0:
                    self._read_errors()
                return
            except OSError:
                self._read_errors()
                continue
            self._receiver.datagram_received(data, source[:2])
            if self._socket.fileno() < 0:
                return

    def _read_errors(self) -> None:
        for _ in range(BATCH):
            try:
                data, _, _, destination = self._socket.recvmsg(QUOTED_BYTES, 0, socket.MSG_ERRQUEUE)
            except OSError:
                return
            if destination:
                # Later, because the sender whose call brought us here may be in mid-step.
                self._loop.call_soon(self._receiver.datagram_refused, data, destination[:2])


def open_udp_port(
    loop: asyncio.AbstractEventLoop, local: Address, receiver: DatagramReceiver
) -> UdpPort:
    """Bind a UDP port.

    Raises:
        TransportError: The address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in local[0] else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        sock.bind(local)
    except OSError as error:
        sock.close()
        raise TransportError(f"cannot bind UDP {local[0]}:{local[1]}: {error}") from error
    return UdpPort(loop, sock, receiver)
