"""One TCP connection (RFC 3261 §18, RFC 5626 §3.5.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol, cast

from orbit_voice.kit.errors import TransportError
from orbit_voice.signaling.transport.interfaces import Address, TransportKind
from orbit_voice.signaling.transport.sockets import tune_connection
from orbit_voice.sip.framing import KeepAlive, StreamFramer
from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.message import Message

MAX_UNSENT_BYTES: Final = 262_144
"""Waiting for one slow peer. Past it the connection is cut."""

_PING: Final = b"\r\n\r\n"
_PONG: Final = b"\r\n"


class ConnectionKeeper(Protocol):
    """Knows every connection. Called on the loop; must not raise."""

    def connection_opened(self, connection: StreamConnection) -> None:
        """Take a connection that is open now; may abort it."""

    def connection_closed(self, connection: StreamConnection) -> None:
        """Take the news that a connection is gone."""


class StreamReceiver(Protocol):
    """Takes what connections hear. Called on the loop; must not raise."""

    def message_received(self, message: Message, connection: StreamConnection) -> None:
        """Take one message."""

    def bad_message_received(self, error: ParseError, connection: StreamConnection) -> None:
        """Take a message that could not be read."""

    def connection_lost(self, connection: StreamConnection) -> None:
        """Take the news that a connection is gone, whoever ended it."""


class StreamConnection(asyncio.Protocol):
    """A connection, and a :class:`~.interfaces.Flow` while it is open.

    Args:
        keeper: Told when it opens and closes.
        receiver: Takes messages.
        clock: Loop time.
        outbound: True when we open it.

    Attributes:
        remote: The peer's end.
        local: Our end.
        active_at: When bytes last went either way (loop time, seconds).
        used_at: When a message last went either way.
        unfinished_since: When the message began whose end has not come, or None.
        holders: Sessions that need this connection.
    """

    kind: Final = TransportKind.TCP

    def __init__(
        self,
        keeper: ConnectionKeeper,
        receiver: StreamReceiver,
        clock: Callable[[], float],
        *,
        outbound: bool,
    ) -> None:
        self.outbound = outbound
        self.remote: Address = ("", 0)
        self.local: Address = ("", 0)
        self.active_at = self.used_at = clock()
        self.unfinished_since: float | None = None
        self.holders = 0
        self._keeper = keeper
        self._receiver = receiver
        self._clock = clock
        self._framer = StreamFramer()
        self._transport: asyncio.Transport | None = None

    @property
    def is_open(self) -> bool:
        """Whether :meth:`send` can still work."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, data: bytes) -> None:
        """Send one message.

        Raises:
            TransportError: The connection is gone, or its peer reads too slowly.
        """
        self._write(data)
        self.used_at = self.active_at

    def ping(self) -> None:
        """Send a keep-alive (RFC 5626 §3.5.1), if that can still be done."""
        with suppress(TransportError):
            self._write(_PING)

    def abort(self) -> None:
        """Cut the connection; what was not sent is lost."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Send what is waiting, then close."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the two ends."""
        self._transport = cast(asyncio.Transport, transport)
        self.remote = transport.get_extra_info("peername", ("", 0))[:2]
        self.local = transport.get_extra_info("sockname", ("", 0))[:2]
        if (sock := transport.get_extra_info("socket")) is not None:
            tune_connection(sock)
        self._keeper.connection_opened(self)

    def data_received(self, data: bytes) -> None:
        """Cut the stream into messages and hand them over."""
        self.active_at = self._clock()
        for item in self._framer.receive(data):
            match item:
                case KeepAlive.PING:
                    self._answer_ping()
                case KeepAlive.PONG:
                    pass
                case ParseError():
                    self._take_bad_message(item)
                case _:
                    self.used_at = self.active_at
                    self._receiver.message_received(item, self)
        if not self._framer.is_unfinished:
            self.unfinished_since = None
        elif self.unfinished_since is None:
            self.unfinished_since = self.active_at

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the keeper."""
        self._transport = None
        self._keeper.connection_closed(self)

    def _write(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            raise TransportError(f"the connection to {self.remote[0]} is closed")
        if transport.get_write_buffer_size() + len(data) > MAX_UNSENT_BYTES:
            transport.abort()
            raise TransportError(f"{self.remote[0]} does not read what it is sent")
        transport.write(data)
        self.active_at = self._clock()

    def _answer_ping(self) -> None:
        with suppress(TransportError):
            self._write(_PONG)

    def _take_bad_message(self, error: ParseError) -> None:
        self._receiver.bad_message_received(error, self)
        if error.connection_must_close:
            self.close()
