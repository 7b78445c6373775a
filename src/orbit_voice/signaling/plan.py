"""An INVITE that somebody wants sent."""

from __future__ import annotations

from dataclasses import dataclass

from orbit_voice.sip.digest import Credentials


@dataclass(frozen=True, slots=True)
class OutboundInvite:
    """Whom to call, and how.

    Attributes:
        request_uri: Whom; the Request-URI.
        next_hop: ``sip:`` URI of where to send the INVITE, or None for the Request-URI itself. It
            does not show in the message; later requests of the call go where the peer's Contact
            and Record-Route say (RFC 3261 §8.1.2, §12.2.1.1).
        from_uri: Who calls.
        from_display: Name of who calls, or None.
        to_uri: Whom the caller meant; mostly the Request-URI.
        sdp: Our offer, or None to have the peer offer.
        headers: More header fields.
        credentials: For 401 and 407, or None.
        transport: ``udp`` or ``tcp``, where the URI names none.
    """

    request_uri: str
    next_hop: str | None
    from_uri: str
    from_display: str | None
    to_uri: str
    sdp: bytes | None
    headers: tuple[tuple[str, str], ...] = ()
    credentials: Credentials | None = None
    transport: str = "udp"
