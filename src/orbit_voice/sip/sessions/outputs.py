"""What a session wants done (one closed union): messages to send, and events to report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from orbit_voice.sip.message import Request, Response
from orbit_voice.sip.session_events import SessionEvent


@dataclass(frozen=True, slots=True, eq=False)
class SendRequest:
    """Start a client transaction for ``request``, and feed back what becomes of it.

    The request has no Via: put one on top of this very object, as a CANCEL copies it from there
    (RFC 3261 §9.1). A CANCEL comes with the Via of its INVITE and goes the same way. Otherwise the
    way is given by the first Route, else by the Request-URI (RFC 3261 §8.1.2).
    """

    request: Request


@dataclass(frozen=True, slots=True, eq=False)
class SendAck:
    """Send the ACK for a 2xx; no transaction, no answer (RFC 3261 §13.2.2.4).

    It has no Via the first time, as in :class:`SendRequest`. The same object comes again for every
    retransmission of the 2xx and goes out unchanged.
    """

    ack: Request


@dataclass(frozen=True, slots=True, eq=False)
class SendResponse:
    """Answer ``request`` through its server transaction."""

    request: Request
    response: Response


@dataclass(frozen=True, slots=True, eq=False)
class AbandonRequest:
    """Drop the client transaction of an INVITE that will not be answered (RFC 3261 §9.1)."""

    request: Request


SessionOutput: TypeAlias = SendRequest | SendAck | SendResponse | AbandonRequest | SessionEvent
"""Returned in the order in which to act."""
