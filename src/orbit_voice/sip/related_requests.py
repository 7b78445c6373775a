"""Requests that are made of parts of another: the ACK to a failure, and CANCEL."""

from __future__ import annotations

from orbit_voice.kit.errors import LocalProtocolError
from orbit_voice.sip.fields import Headers
from orbit_voice.sip.message import Request, Response


def make_failure_ack(invite: Request, response: Response) -> Request:
    """Build the ACK for a 300-699 response, part of the INVITE's transaction (§17.1.1.3).

    Args:
        invite: The INVITE as it was sent, with its Via.
        response: What it got; gives the To with its tag.
    """
    ack = _repeat(invite, "ACK")
    to = response.headers.get("To")
    if to is not None:
        ack.headers.set("To", to)
    return ack


def make_cancel(invite: Request) -> Request:
    """Build the CANCEL for an INVITE (RFC 3261 §9.1).

    Args:
        invite: The INVITE as it was sent, with its Via.

    Raises:
        LocalProtocolError: It has no Via, so it was never sent.
    """
    return _repeat(invite, "CANCEL")


def _repeat(invite: Request, method: str) -> Request:
    source = invite.headers
    if (via := source.get("Via")) is None:
        raise LocalProtocolError(f"{method} for an INVITE never sent", section="RFC 3261 §9.1")
    headers = Headers([("Via", via)])
    for name in ("Route", "Max-Forwards", "From", "To", "Call-ID"):
        for value in source.get_all(name):
            headers.add(name, value)
    headers.add("CSeq", f"{invite.cseq.number} {method}")
    return Request(method, invite.uri, headers)
