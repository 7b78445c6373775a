"""Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3).

Keys are plain tuples of strings, made to be looked up in a dict. Ask only for messages that
:mod:`orbit_voice.sip.validation` let through.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from orbit_voice.sip.headers import BRANCH_COOKIE, Via
from orbit_voice.sip.message import Message, Request

TransactionKey: TypeAlias = tuple[str, ...]
"""Equal for messages of the same transaction. Client and server keys never meet in one dict."""

_COOKIE: Final = BRANCH_COOKIE.lower()


def client_key(message: Message) -> TransactionKey:
    """Return the key of the client transaction of a request we send, or of its response.

    Branch and CSeq method decide: a CANCEL has the branch of its INVITE (RFC 3261 §17.1.3). Never
    for an ACK, which has no transaction.
    """
    return (message.top_via.branch or "", message.cseq.method)


def server_key(request: Request, method: str | None = None) -> TransactionKey:
    """Return the key of the server transaction that ``request`` creates, repeats or acknowledges.

    An ACK has the key of its INVITE if it acknowledges a 300-699 response; one for a 2xx has a
    branch of its own, unless its sender knows RFC 2543 only. The To tag is left out for those: it
    differs between an INVITE and its ACK, and a request repeated has the same one anyway.

    Args:
        request: A request as received.
        method: Look for a transaction of this method instead.
    """
    if method is None:
        method = "INVITE" if request.method == "ACK" else request.method
    via = request.top_via
    branch = via.branch or ""
    if branch[: len(_COOKIE)].lower() == _COOKIE:
        return (branch, via.sent_by, method)
    return (
        method,
        request.uri,
        request.call_id,
        request.from_tag or "",
        str(request.cseq.number),
        *_hop(via),
    )


def cancelled_key(cancel: Request) -> TransactionKey:
    """Return the key of the server transaction that ``cancel`` wants to end (RFC 3261 §9.2)."""
    return server_key(cancel, "INVITE")


def merge_key(request: Request) -> TransactionKey | None:
    """Return what is equal in copies of one request that came by different ways, or None.

    A request outside a dialog whose merge key is that of a transaction with another
    :func:`server_key` is such a copy: refuse it with 482 (RFC 3261 §8.2.2.2).
    """
    if request.to_tag is not None:
        return None
    return (request.call_id, request.from_tag or "", str(request.cseq))


def _hop(via: Via) -> TransactionKey:
    return (via.sent_by, via.branch or "", via.transport.lower())
