"""What a call's SIP looked like on the wire, kept for ``GET …/sip``.

Recording costs a few microseconds: it keeps the bytes that were sent or received anyway. Text,
times and blanked credentials are made when somebody asks.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from orbit_voice.kit.clock import unix_time
from orbit_voice.signaling.transport.interfaces import Address, TransportKind

MAX_MESSAGES: Final = 200
"""Kept per call: the first half and the newest half. A call of an hour with session refreshes
and some transfers has well under a hundred."""
MAX_BYTES: Final = 262_144
"""Kept per call, both halves together."""

_CREDENTIALS: Final = re.compile(
    r"^((?:Proxy-)?Authorization[ \t]*:[ \t]*)(?:[^\r\n]|\r?\n[ \t])*",
    re.IGNORECASE | re.MULTILINE,
)
_MEDIA_KEYS: Final = re.compile(r"^(a=crypto:[^\r\n]*?inline:)[^\s|;]+", re.MULTILINE)
_BLANK: Final = r"\1[redacted]"


@dataclass(frozen=True, slots=True)
class SipTraceEntry:
    """One SIP message of a call.

    Attributes:
        at: When it was sent or received.
        sent: True when we sent it.
        transport: ``udp``, ``tcp`` or ``tls``.
        local: Our ``address:port``.
        remote: The peer's ``address:port``.
        summary: Start line.
        text: The message with credentials blanked.
    """

    at: datetime
    sent: bool
    transport: str
    local: str
    remote: str
    summary: str
    text: str


class _Record(NamedTuple):
    at: float
    sent: bool
    kind: TransportKind
    local: Address
    remote: Address
    data: bytes


class SipTrace:
    """The messages of one call, bounded: when it is full, the middle is lost.

    Attributes:
        omitted: Messages that were not kept or were dropped again.
    """

    __slots__ = ("_head", "_head_bytes", "_tail", "_tail_bytes", "omitted")

    def __init__(self) -> None:
        self._head: list[_Record] = []
        self._tail: deque[_Record] = deque()
        self._head_bytes = 0
        self._tail_bytes = 0
        self.omitted = 0

    def __len__(self) -> int:
        return len(self._head) + len(self._tail)

    def record(
        self, *, sent: bool, kind: TransportKind, local: Address, remote: Address, data: bytes
    ) -> None:
        """Keep one message.

        Args:
            sent: True when we sent it.
            kind: How it travelled.
            local: Our end.
            remote: The peer's.
            data: The message as it was on the wire.
        """
        record = _Record(unix_time(), sent, kind, local, remote, data)
        if not self._tail and self._fits_head(record):
            self._head.append(record)
            self._head_bytes += len(data)
        else:
            self._keep_newest(record)

    def entries(self) -> list[SipTraceEntry]:
        """Return what was kept, in order, with credentials blanked."""
        return [_render(record) for record in (*self._head, *self._tail)]

    def _fits_head(self, record: _Record) -> bool:
        if len(self._head) >= MAX_MESSAGES // 2:
            return False
        return self._head_bytes + len(record.data) <= MAX_BYTES // 2

    def _keep_newest(self, record: _Record) -> None:
        self._tail.append(record)
        self._tail_bytes += len(record.data)
        while len(self._tail) > MAX_MESSAGES // 2 or self._tail_bytes > MAX_BYTES // 2:
            self._tail_bytes -= len(self._tail.popleft().data)
            self.omitted += 1


def _render(record: _Record) -> SipTraceEntry:
    text = record.data.decode("utf-8", errors="replace")
    text = _MEDIA_KEYS.sub(_BLANK, _CREDENTIALS.sub(_BLANK, text))
    return SipTraceEntry(
        at=datetime.fromtimestamp(record.at, UTC),
        sent=record.sent,
        transport=record.kind.value,
        local=_format(record.local),
        remote=_format(record.remote),
        summary=text.partition("\n")[0].rstrip("\r"),
        text=text,
    )


def _format(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
