"""What a SIP session tells its owner; see :mod:`orbit_voice.sip.session_events`.

Events come on the loop, one at a time and in order. Every session ends with exactly one of
:class:`Rejected`, :class:`Failed`, :class:`Cancelled` or :class:`Ended`; nothing follows it.
"""

from __future__ import annotations

from orbit_voice.sip.session_events import (
    Acknowledged,
    Answered,
    Cancelled,
    Ended,
    Failed,
    FailureKind,
    OfferAccepted,
    Offered,
    OfferRefused,
    OfferWithdrawn,
    Rejected,
    Ringing,
    SessionEvent,
    TerminalEvent,
)

__all__ = [
    "Acknowledged",
    "Answered",
    "Cancelled",
    "Ended",
    "Failed",
    "FailureKind",
    "OfferAccepted",
    "OfferRefused",
    "OfferWithdrawn",
    "Offered",
    "Rejected",
    "Ringing",
    "SessionEvent",
    "TerminalEvent",
]
