"""All TCP connections of an endpoint: found by the peer's address, opened, limited, ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeAlias

import structlog

from orbit_voice.kit.errors import TransportError
from orbit_voice.kit.tasks import TaskScope
from orbit_voice.signaling.timers import TimerPump
from orbit_voice.signaling.transport.interfaces import Address, Listener, Network
from orbit_voice.signaling.transport.tcp import StreamConnection, StreamReceiver

MAX_CONNECTIONS: Final = 2_000
"""Open at once. Past it the connection unused for longest makes room."""
MAX_CONNECTING: Final = 500
"""Being opened at once."""
CONNECT_TIMEOUT_S: Final = 5.0
"""How long a connection may take to open, seconds: room for two lost SYNs."""
MAX_UNFINISHED_S: Final = 20.0
"""How long a message may take to arrive once it has begun (slow loris), seconds."""
IDLE_S: Final = 600.0
"""How long a connection that no session uses may be silent, seconds."""
KEEP_ALIVE_S: Final = 100.0
"""Silence after which a connection we opened is pinged: 95-120 s (RFC 5626 §4.4.1)."""
SWEEP_S: Final = 5.0
"""How often the limits in time are looked at, seconds."""

_log = structlog.get_logger(__name__)

Connected: TypeAlias = Callable[[StreamConnection | TransportError], None]


class ConnectionPool:
    """Opens, shares and ends connections. Also a :class:`~..timers.Timed`.

    Args:
        network: Where connections come from.
        receiver: Takes messages and losses of every connection.
        pump: Ticks the limits in time.
        loop: Its clock is used.
    """

    def __init__(
        self,
        network: Network,
        receiver: StreamReceiver,
        pump: TimerPump,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._network = network
        self._receiver = receiver
        self._pump = pump
        self._loop = loop
        self._open: dict[Address, StreamConnection] = {}
        self._waiting: dict[Address, list[Connected]] = {}
        self._tasks = TaskScope("signaling.tcp")
        self._sweep_at = 0.0
        self._closed = False

    def __len__(self) -> int:
        return len(self._open)

    async def listen(self, local: Address) -> Listener:
        """Take connections at ``local``.

        Raises:
            TransportError: The address cannot be bound.
        """
        return await self._network.listen(local, self._accept)

    def find(self, remote: Address) -> StreamConnection | None:
        """Return the open connection to ``remote``, if there is one."""
        connection = self._open.get(remote)
        return connection if connection is not None and connection.is_open else None

    def obtain(
        self, remote: Address, connected: Connected, *, patience_s: float = CONNECT_TIMEOUT_S
    ) -> None:
        """Call ``connected`` with a connection to ``remote``, or with why there is none.

        It is called at once when a connection is open already.

        Args:
            remote: Numeric address.
            connected: Called once; never after :meth:`close`.
            patience_s: How long a new connection may take to open, seconds.
        """
        if (connection := self.find(remote)) is not None:
            connected(connection)
        elif (waiting := self._waiting.get(remote)) is not None:
            waiting.append(connected)
        elif self._closed or len(self._waiting) >= MAX_CONNECTING:
            connected(TransportError("no more connections can be opened now"))
        else:
            self._waiting[remote] = [connected]
            _ = self._tasks.start(self._connect(remote, patience_s), name="connect")

    async def close(self) -> None:
        """End every connection after what waits to be sent."""
        self._closed = True
        await self._tasks.close()
        for connection in list(self._open.values()):
            connection.close()
        self._open.clear()
        self._pump.forget(self)

    def next_deadline(self) -> float | None:
        """Return when the limits in time are next looked at, or None without connections."""
        return self._sweep_at if self._open else None

    def tick(self, now: float) -> None:
        """Ping what is silent; end what is idle or will not finish its message."""
        self._sweep_at = now + SWEEP_S
        for connection in list(self._open.values()):
            self._check(connection, now)

    def connection_opened(self, connection: StreamConnection) -> None:
        """Take a new connection in, or cut it when there is no room."""
        if self._closed or not self._make_room():
            connection.abort()
            return
        if not self._open:
            self._sweep_at = self._loop.time() + SWEEP_S
        self._open[connection.remote] = connection
        self._pump.update(self)

    def connection_closed(self, connection: StreamConnection) -> None:
        """Forget a connection and tell those who used it."""
        if self._open.get(connection.remote) is connection:
            del self._open[connection.remote]
            self._pump.update(self)
        self._receiver.connection_lost(connection)

    def _accept(self) -> StreamConnection:
        return StreamConnection(self, self._receiver, self._loop.time, outbound=False)

    def _dial(self) -> StreamConnection:
        return StreamConnection(self, self._receiver, self._loop.time, outbound=True)

    async def _connect(self, remote: Address, patience_s: float) -> None:
        outcome: StreamConnection | TransportError
        try:
            async with asyncio.timeout(patience_s):
                await self._network.connect(remote, self._dial)
            outcome = self.find(remote) or TransportError(f"{_name(remote)} closed at once")
        except TimeoutError:
            outcome = TransportError(f"{_name(remote)} does not take connections: no answer")
        except TransportError as error:
            outcome = error
        finally:
            waiting = self._waiting.pop(remote)
        for connected in waiting:
            connected(outcome)

    def _make_room(self) -> bool:
        if len(self._open) < MAX_CONNECTIONS:
            return True
        unused = [each for each in self._open.values() if each.holders == 0]
        if not unused:
            _log.warning("sip.connection_refused", open=len(self._open))
            return False
        min(unused, key=lambda each: each.active_at).abort()
        return True

    def _check(self, connection: StreamConnection, now: float) -> None:
        begun = connection.unfinished_since
        if begun is not None and now - begun > MAX_UNFINISHED_S:
            connection.abort()
        elif now - connection.active_at < KEEP_ALIVE_S:
            return
        elif connection.holders == 0 and now - connection.used_at > IDLE_S:
            connection.close()
        elif connection.outbound:
            connection.ping()


def _name(remote: Address) -> str:
    return f"{remote[0]}:{remote[1]}"
