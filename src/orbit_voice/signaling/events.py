"""What a SIP session tells its owner (one closed union).

Every session ends with exactly one of :class:`Rejected`, :class:`Failed`, :class:`Cancelled` or
:class:`Ended`; nothing follows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class FailureKind(StrEnum):
    """Why no final response was had."""

    TIMEOUT = "timeout"
    TRANSPORT = "transport"


@dataclass(frozen=True, slots=True)
class Ringing:
    """Outbound: the peer sent a provisional response, 101-199, with or without early media."""

    status: int
    reason: str
    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class Answered:
    """Outbound: the first 2xx arrived and was acknowledged; or our re-INVITE was accepted."""

    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Outbound: final response 300-699, including the 487 that follows our CANCEL."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """Outbound: no final response came, or the request could not be sent."""

    kind: FailureKind
    detail: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Inbound: the ACK for our 2xx arrived; ``sdp`` is the answer to an offer in that 2xx."""

    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Inbound: CANCEL came before our final response; the 487 is sent already."""

    reason: str | None


@dataclass(frozen=True, slots=True)
class Offered:
    """The peer sent a re-INVITE: reply with ``answer_offer`` or ``refuse_offer``."""

    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The dialog is over.

    Attributes:
        remote: True when the peer ended it.
        reason: Text of the peer's Reason header (RFC 3326), or None.
        status: SIP status that ended it, or None.
    """

    remote: bool
    reason: str | None
    status: int | None


SessionEvent: TypeAlias = (
    Ringing | Answered | Rejected | Failed | Acknowledged | Cancelled | Offered | Ended
)
