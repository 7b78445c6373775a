"""What a user agent must refuse before it acts (RFC 3261 §8.2 and §8.1.3, RFC 4475).

Ask :func:`check_request` and :func:`check_response` once, as soon as a message is read: the typed
properties they look at (those a user agent needs) can be trusted afterwards. Checks run in the
order of RFC 3261 §8.2, syntax first; the first that fails decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.headers import BRANCH_COOKIE
from orbit_voice.sip.message import Request, Response
from orbit_voice.sip.reasons import reason_phrase
from orbit_voice.sip.uri import SipUri, uri_scheme

KNOWN_METHODS: Final = frozenset(
    {
        *("ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS"),
        *("PRACK", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE"),
    }
)
"""Methods with a meaning: refused with 405 where we do not support them, others with 501."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this user agent supports.

    Attributes:
        methods: In the order Allow lists them.
        extensions: Option tags, lower case (RFC 3261 §19.2).
        content_types: Bodies understood, ``type/subtype`` in lower case.
        schemes: URI schemes a Request-URI may have, lower case.
    """

    methods: tuple[str, ...] = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS")
    extensions: tuple[str, ...] = ()
    content_types: tuple[str, ...] = ("application/sdp",)
    schemes: tuple[str, ...] = ("sip", "sips", "tel")


BASIC: Final = Capabilities()
"""RFC 3261 and SDP, nothing more."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """How to refuse a request. An ACK is never answered: drop it instead.

    Attributes:
        status: 400-699.
        reason: Reason phrase.
        headers: Header fields that belong to this status.
    """

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()


def check_request(request: Request, capabilities: Capabilities = BASIC) -> Rejection | None:
    """Return how to refuse ``request``, or None when it may be processed.

    Max-Forwards of zero is no reason to refuse what ends here (RFC 4475 §3.3.11); ask
    :func:`check_forwarding` before a request makes another one.
    """
    try:
        return next(filter(None, (check(request, capabilities) for check in _CHECKS)), None)
    except ParseError as error:
        return reject_malformed(error)


def reject_malformed(error: ParseError) -> Rejection:
    """Return how to refuse a request that could not be read.

    The reason phrase says what is wrong (RFC 3261 §21.4.1).
    """
    phrase = reason_phrase(error.status_hint)
    return Rejection(error.status_hint, f"{phrase} ({error.reason})")


def check_forwarding(request: Request) -> Rejection | None:
    """Return how to refuse a request that must not lead to another one, or None.

    Max-Forwards of zero ends loops of proxies and of back-to-back user agents alike (RFC 3261
    §16.3 item 3, RFC 7332 §3).
    """
    if request.max_forwards == 0:
        return Rejection(483, reason_phrase(483))
    return None


def check_response(response: Response) -> ParseError | None:
    """Return why ``response`` must be dropped, or None when it may be processed.

    More than one Via means it went astray (RFC 3261 §8.1.3.3).
    """
    try:
        _ = (response.from_, response.to, response.call_id, response.cseq)
        if response.status < 300:
            _ = (response.contacts, response.record_routes, response.media_type)
        if len(response.vias) == 1:
            return None
        return ParseError("the response is not for us", section="RFC 3261 §8.1.3.3")
    except ParseError as error:
        return error


def _check_syntax(request: Request, capabilities: Capabilities) -> Rejection | None:
    """Read every field that processing relies on; what is malformed raises."""
    branch = request.top_via.branch
    if branch is not None and branch.lower() == BRANCH_COOKIE.lower():
        raise ParseError("the Via branch names no transaction", section="RFC 3261 §8.1.1.7")
    _ = (request.from_, request.to, request.call_id, request.cseq, request.max_forwards)
    _ = (request.contacts, request.record_routes, request.media_type, request.require)
    if request.method == "INVITE" and len(request.contacts) > 1:
        raise ParseError("INVITE has more than one Contact", section="RFC 3261 §8.1.1.8")
    return None


def _check_method(request: Request, capabilities: Capabilities) -> Rejection | None:
    """RFC 3261 §8.2.1 and §21.5.2; before the CSeq method, as RFC 4475 §3.1.2.18 advises."""
    if request.method in capabilities.methods:
        return None
    status = 405 if request.method in KNOWN_METHODS else 501
    return Rejection(status, reason_phrase(status), (("Allow", ", ".join(capabilities.methods)),))


def _check_cseq_method(request: Request, capabilities: Capabilities) -> Rejection | None:
    if request.cseq.method != request.method:
        raise ParseError("CSeq names another method", section="RFC 3261 §8.1.1.5")
    return None


def _check_request_uri(request: Request, capabilities: Capabilities) -> Rejection | None:
    """RFC 3261 §8.2.2.1; header fields have no place in a Request-URI (§19.1.1, table 1)."""
    if uri_scheme(request.uri) not in capabilities.schemes:
        return Rejection(416, reason_phrase(416))
    uri = request.request_uri
    if isinstance(uri, SipUri) and uri.headers:
        raise ParseError("Request-URI holds header fields", section="RFC 3261 §19.1.1")
    return None


def _check_require(request: Request, capabilities: Capabilities) -> Rejection | None:
    """RFC 3261 §8.2.2.3: every unknown extension is listed; ACK and CANCEL may not be refused."""
    unknown = [tag for tag in request.require if tag.lower() not in capabilities.extensions]
    if not unknown or request.method in ("ACK", "CANCEL"):
        return None
    return Rejection(420, reason_phrase(420), (("Unsupported", ", ".join(unknown)),))


def _check_body(request: Request, capabilities: Capabilities) -> Rejection | None:
    """RFC 3261 §8.2.3, unless the sender says the body is optional (§20.11)."""
    if not request.body or _is_optional(request):
        return None
    encoding = request.headers.get("Content-Encoding")
    if encoding is not None and encoding.lower() != "identity":
        return Rejection(415, reason_phrase(415), (("Accept-Encoding", "identity"),))
    if request.content_type is None:
        raise ParseError("the body has no Content-Type", section="RFC 3261 §20.15")
    if request.content_type not in capabilities.content_types:
        accepted = ", ".join(capabilities.content_types)
        return Rejection(415, reason_phrase(415), (("Accept", accepted),))
    return None


def _is_optional(request: Request) -> bool:
    disposition = request.headers.get("Content-Disposition") or ""
    return "handling=optional" in disposition.replace(" ", "").lower()


def _check_accept(request: Request, capabilities: Capabilities) -> Rejection | None:
    """RFC 3261 §21.4.7: an INVITE is answered with a session description or not at all."""
    if request.method != "INVITE" or (ranges := request.accept) is None:
        return None
    for accepted in ranges:
        if accepted.quality > 0 and any(map(accepted.matches, capabilities.content_types)):
            return None
    warning = '399 orbit-voice "no format in Accept can be sent"'
    return Rejection(406, reason_phrase(406), (("Warning", warning),))


_Check: TypeAlias = Callable[[Request, Capabilities], Rejection | None]

_CHECKS: Final[tuple[_Check, ...]] = (
    _check_syntax,
    _check_method,
    _check_cseq_method,
    _check_request_uri,
    _check_require,
    _check_body,
    _check_accept,
)
"""In the order they decide."""
