"""What a call's SIP looked like on the wire, kept for ``GET …/sip``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


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
