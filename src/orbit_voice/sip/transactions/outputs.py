"""What a transaction wants done.

Transactions see statuses, not messages: whoever owns one keeps its request and its latest response,
and puts them on the wire when told to.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ResendRequest:
    """Put the request on the wire again."""


@dataclass(frozen=True, slots=True)
class TransmitAck:
    """Acknowledge a 300-699 response (RFC 3261 §17.1.1.3)."""


@dataclass(frozen=True, slots=True)
class TransmitTrying:
    """Build a 100 (Trying) and put it on the wire; it is the latest response then."""


@dataclass(frozen=True, slots=True)
class TransmitResponse:
    """Put the latest response on the wire: the one just given, or that of before again."""


@dataclass(frozen=True, slots=True)
class PassToUser:
    """Hand the response to the transaction user."""

    status: int


@dataclass(frozen=True, slots=True)
class PassAckToUser:
    """Hand the ACK to the transaction user: it is one for a 2xx (RFC 6026 §7.1)."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Tell the transaction user that the other side was not reached.

    Attributes:
        timed_out: True when nothing came back in time, False when the transport could not send.
    """

    timed_out: bool
