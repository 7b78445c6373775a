"""Messages out of a byte stream (RFC 3261 §18.3, §7.5; keep-alives RFC 5626 §3.5.1).

Chunks may be cut anywhere; what comes out does not depend on where. The buffer is bounded by
:data:`~orbit_voice.sip.parser.MAX_MESSAGE_BYTES`. A malformed message whose end is known is
reported and the stream goes on; when the end is not known the stream is over.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, TypeAlias

from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.message import Message
from orbit_voice.sip.parser import (
    MAX_MESSAGE_BYTES,
    Head,
    answerable,
    no_start_line,
    parse_head,
    too_large,
)

__all__ = ["KeepAlive", "StreamFramer", "StreamItem"]

_CRLF: Final = b"\r\n"
_BLANK_LINE: Final = b"\r\n\r\n"


class KeepAlive(Enum):
    """CRLFs between messages."""

    PONG = auto()
    """A single CRLF: the answer to our ping, or the first half of the peer's ping."""
    PING = auto()
    """The second CRLF in a row: the peer wants a single CRLF back."""


StreamItem: TypeAlias = Message | KeepAlive | ParseError
"""What a stream yields. After a ParseError that says ``connection_must_close`` nothing comes."""


class StreamFramer:
    """Cuts one connection's bytes into messages.

    Attributes:
        closed: True after an error that ends the stream; what still comes is ignored.
    """

    def __init__(self) -> None:
        self.closed = False
        self._buffer = bytearray()
        self._searched = 0
        self._head: Head | None = None
        self._head_bytes = 0
        self._half_ping = False

    @property
    def is_unfinished(self) -> bool:
        """Whether a message has begun and waits for more bytes."""
        return bool(self._buffer) or self._head is not None

    def receive(self, data: bytes) -> list[StreamItem]:
        """Take a chunk.

        Args:
            data: Bytes as they came, of any length.

        Returns:
            What is complete now, in order. An error is an item, not an exception, since messages
            before it in the same chunk are good.
        """
        if not self.closed:
            self._buffer += data
        items: list[StreamItem] = []
        while (item := self._next()) is not None:
            items.append(item)
        return items

    def _next(self) -> StreamItem | None:
        if self._head is None:
            if self._buffer.startswith(_CRLF):
                return self._take_crlf()
            self._head = self._take_head()
        return self._check_buffer() if self._head is None else self._take_body(self._head)

    def _take_crlf(self) -> KeepAlive:
        del self._buffer[:2]
        self._half_ping = not self._half_ping
        return KeepAlive.PONG if self._half_ping else KeepAlive.PING

    def _take_head(self) -> Head | None:
        end = self._buffer.find(_BLANK_LINE, self._searched, MAX_MESSAGE_BYTES)
        if end < 0:
            self._searched = max(0, len(self._buffer) - 3)
            return None
        head = parse_head(bytes(self._buffer[:end]))
        self._head_bytes = end + 4
        del self._buffer[: end + 4]
        self._searched = 0
        self._half_ping = False
        return head

    def _check_buffer(self) -> ParseError | None:
        if len(self._buffer) < MAX_MESSAGE_BYTES:
            return None
        return self._fail(parse_head(bytes(self._buffer[:MAX_MESSAGE_BYTES])), too_large())

    def _take_body(self, head: Head) -> StreamItem | None:
        if head.content_length is None:
            return self._fail(head, head.defect or _no_length())
        if self._head_bytes + head.content_length > MAX_MESSAGE_BYTES:
            return self._fail(head, too_large())
        if len(self._buffer) < head.content_length:
            return None
        body = bytes(self._buffer[: head.content_length])
        del self._buffer[: head.content_length]
        self._head = None
        if head.message is None or head.defect is not None:
            return answerable(head, head.defect or no_start_line())
        head.message.body = body
        return head.message

    def _fail(self, head: Head, defect: ParseError) -> ParseError:
        self.closed = True
        self._buffer.clear()
        self._head = None
        defect.connection_must_close = True
        return answerable(head, defect)


def _no_length() -> ParseError:
    return ParseError("Content-Length is missing on a stream", section="RFC 3261 §18.3")
