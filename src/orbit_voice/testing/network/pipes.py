"""asyncio transports without sockets: what the hosts of a virtual network hand out."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias, cast

from orbit_voice.testing.network.deliveries import DeliveryQueue

Address: TypeAlias = tuple[str, int]

HIGH_WATER_BYTES: Final = 65_536
"""Unread bytes past which the writing protocol is told to pause, as in asyncio."""


class DatagramPipe(asyncio.DatagramTransport):
    """A bound UDP port of a virtual host.

    Args:
        local: Its address.
        remote: Set on a connected endpoint: the only peer, and the default of :meth:`sendto`.
        send: Carries a datagram into the network.
        forget: Called once, when the port is closed.
    """

    def __init__(
        self,
        local: Address,
        remote: Address | None,
        send: Callable[[bytes, Address], None],
        forget: Callable[[], object],
    ) -> None:
        super().__init__({"sockname": local, "peername": remote})
        self._remote = remote
        self._send = send
        self._forget = forget
        self._closing = False
        self._protocol: asyncio.DatagramProtocol | None = None

    def start(self, protocol: asyncio.DatagramProtocol) -> None:
        """Connect the protocol that takes what arrives."""
        self._protocol = protocol
        protocol.connection_made(self)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol given to :meth:`start`."""
        return cast("asyncio.BaseProtocol", self._protocol)

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send one datagram; after :meth:`close` it is dropped.

        Raises:
            ValueError: No address is known, or it is not the connected one.
        """
        destination = self._remote if addr is None else addr[:2]
        if destination is None or (self._remote is not None and destination != self._remote):
            raise ValueError(f"cannot send to {addr} from an endpoint of {self._remote}")
        if not self._closing:
            self._send(bytes(data), destination)

    def is_closing(self) -> bool:
        """Whether the port is closed."""
        return self._closing

    def close(self) -> None:
        """Close the port; ``connection_lost`` follows in the next round of the loop."""
        if self._closing:
            return
        self._closing = True
        self._forget()
        if self._protocol is not None:
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        """Close the port."""
        self.close()

    def deliver(self, data: bytes, source: Address) -> None:
        """Hand a datagram of the network to the protocol."""
        if self._closing or self._protocol is None:
            return
        if self._remote is None or source == self._remote:
            self._protocol.datagram_received(data, source)

    def refuse(self, data: bytes, destination: Address) -> None:
        """Tell a connected endpoint that nobody listens there (ICMP port unreachable)."""
        if not self._closing and self._protocol is not None and self._remote is not None:
            self._protocol.error_received(ConnectionRefusedError(destination))


class StreamPipe(asyncio.Transport):
    """One end of a byte stream between two protocols of one loop.

    Make two with :func:`stream_pair`. Bytes keep their order and arrive after the pipe's delay;
    a peer that pauses reading makes the other end's write buffer grow, as TCP's window does.

    Args:
        local: Address of this end.
        remote: Address of the other end.
        delay_s: Transit time from this end to the other, seconds.
    """

    def __init__(self, local: Address, remote: Address, delay_s: float = 0.0) -> None:
        super().__init__({"sockname": local, "peername": remote, "socket": None})
        self.delay_s = delay_s
        self.cut = False
        self._peer: StreamPipe | None = None
        self._protocol: asyncio.Protocol | None = None
        self._unread: deque[bytes] = deque()
        self._in_flight = DeliveryQueue()
        self._last_arrival = 0.0
        self._in_transit_bytes = 0
        self._high_water_bytes = HIGH_WATER_BYTES
        self._reading = True
        self._writing_paused = False
        self._closing = False
        self._peer_done = False
        self._eof_told = False
        self._lost = False

    def join(self, peer: StreamPipe, protocol: asyncio.Protocol) -> None:
        """Name the other end and the protocol of this one."""
        self._peer = peer
        self._protocol = protocol

    def start(self) -> None:
        """Tell the protocol that it is connected."""
        if self._protocol is not None:
            self._protocol.connection_made(self)

    def write(self, data: Any) -> None:
        """Send bytes; after :meth:`close` they are dropped."""
        if self._closing or self._lost or not data:
            return
        self._in_transit_bytes += len(data)
        if not self.cut:
            self._later(StreamPipe._arrive, bytes(data))
        self._watch_buffer()

    def write_eof(self) -> None:
        """Send the end of this direction."""
        self._later(StreamPipe._end)

    def can_write_eof(self) -> bool:
        """Return True: half-closing works."""
        return True

    def close(self) -> None:
        """Close after what was written has arrived."""
        if not self._closing:
            self._closing = True
            self._later(StreamPipe._end)
            self._lose_soon(None)

    def abort(self) -> None:
        """Reset the connection: the other end sees ``ConnectionResetError``."""
        self._closing = True
        self._later(StreamPipe._reset)
        self._lose_soon(None)

    def is_closing(self) -> bool:
        """Whether this end is closed."""
        return self._closing

    def pause_reading(self) -> None:
        """Leave what arrives unread."""
        self._reading = False

    def resume_reading(self) -> None:
        """Read what has piled up, and go on."""
        self._reading = True
        self._read()

    def is_reading(self) -> bool:
        """Whether arriving bytes go to the protocol."""
        return self._reading and not self._closing

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the other end has not read yet."""
        return self._in_transit_bytes

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the high-water mark; writing resumes when everything is read."""
        self._high_water_bytes = HIGH_WATER_BYTES if high is None else high

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return this end's protocol."""
        return cast("asyncio.BaseProtocol", self._protocol)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Replace this end's protocol."""
        self._protocol = cast("asyncio.Protocol", protocol)

    def _later(self, what: Callable[..., None], *args: Any) -> None:
        if self._peer is None or self.cut:
            return
        now = asyncio.get_running_loop().time()
        self._last_arrival = max(self._last_arrival, now + self.delay_s)
        self._in_flight.add(self._last_arrival, partial(what, self._peer, *args))

    def _arrive(self, data: bytes) -> None:
        self._unread.append(data)
        self._read()

    def _read(self) -> None:
        while self._reading and self._unread and self._protocol is not None:
            data = self._unread.popleft()
            if self._peer is not None:
                self._peer._acknowledge(len(data))
            if not self._lost:
                self._protocol.data_received(data)
        if self._peer_done and not self._unread:
            self._end()

    def _acknowledge(self, size: int) -> None:
        self._in_transit_bytes -= size
        self._watch_buffer()

    def _watch_buffer(self) -> None:
        if self._protocol is None or self._lost:
            return
        if not self._writing_paused and self._in_transit_bytes > self._high_water_bytes:
            self._writing_paused = True
            self._protocol.pause_writing()
        elif self._writing_paused and self._in_transit_bytes == 0:
            self._writing_paused = False
            self._protocol.resume_writing()

    def _end(self) -> None:
        self._peer_done = True
        if self._unread or self._lost or self._eof_told or self._protocol is None:
            return
        self._eof_told = True
        if not self._protocol.eof_received():
            self.close()

    def _reset(self) -> None:
        self._closing = True
        self._lose(ConnectionResetError("the peer reset the connection"))

    def _lose_soon(self, error: Exception | None) -> None:
        asyncio.get_running_loop().call_soon(self._lose, error)

    def _lose(self, error: Exception | None) -> None:
        if not self._lost and self._protocol is not None:
            self._lost = True
            self._protocol.connection_lost(error)


def stream_pair(
    client: asyncio.Protocol,
    server: asyncio.Protocol,
    *,
    client_address: Address = ("192.0.2.1", 40_000),
    server_address: Address = ("192.0.2.2", 5060),
    delay_s: float = 0.0,
) -> tuple[StreamPipe, StreamPipe]:
    """Connect two protocols of the running loop.

    Args:
        client: Its ``connection_made`` is called after the server's.
        server: The other end.
        client_address: What the server sees as the peer.
        server_address: What the client sees as the peer.
        delay_s: Transit time each way, seconds.

    Returns:
        The client's and the server's transport.
    """
    near = StreamPipe(client_address, server_address, delay_s)
    far = StreamPipe(server_address, client_address, delay_s)
    near.join(far, client)
    far.join(near, server)
    far.start()
    near.start()
    return near, far
