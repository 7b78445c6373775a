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
    """Outbound: the first 2xx arrived. It was acknowledged, unless our INVITE made no offer.

    Then ``sdp`` is the peer's offer, and the ACK waits for ``answer_offer`` or ``refuse_offer``.
    """

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
    """Inbound: the ACK for our first 2xx arrived.

    ``sdp`` is the answer to an offer in that 2xx, None where the INVITE had brought the offer.
    """

    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Inbound: the caller gave up before our final response; the 487 is sent already.

    ``reason`` is the text of the caller's Reason header field (RFC 3326), or None.
    """

    reason: str | None


@dataclass(frozen=True, slots=True)
class Offered:
    """The peer sent a re-INVITE: reply with ``answer_offer`` or ``refuse_offer``.

    ``sdp`` is None when the peer wants the offer from us (RFC 3261 §14.2): answer with one, and
    its answer comes as :class:`OfferAccepted`.
    """

    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class OfferWithdrawn:
    """The peer cancelled its re-INVITE before we replied: the session is as it was."""


@dataclass(frozen=True, slots=True)
class OfferAccepted:
    """The peer took an offer that we made in a re-INVITE, or in the 2xx to one of its own.

    ``sdp`` is its answer; None when the peer left it out against RFC 3261 §13.2.1.
    """

    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class OfferRefused:
    """The peer refused our re-INVITE: the session is as it was (RFC 3261 §14.1)."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The dialog is over.

    Attributes:
        remote: True when the peer ended it.
        reason: Text of the peer's Reason header field (RFC 3326), or None.
        status: SIP status that ended it, or None.
    """

    remote: bool
    reason: str | None
    status: int | None


TerminalEvent: TypeAlias = Rejected | Failed | Cancelled | Ended
"""The last event of a session."""

SessionEvent: TypeAlias = (
    Ringing
    | Answered
    | Acknowledged
    | Offered
    | OfferWithdrawn
    | OfferAccepted
    | OfferRefused
    | TerminalEvent
)
"""Everything a session reports."""
