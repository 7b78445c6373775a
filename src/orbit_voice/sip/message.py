"""SIP requests and responses (RFC 3261 §7).

A message holds its header fields as text; the typed properties read them when asked, once. A
property raises :class:`~orbit_voice.sip.grammar.ParseError` when its field is malformed, so a
shell asks :mod:`orbit_voice.sip.validation` first and may trust the properties after that. Fields
that no processing depends on (Allow, Expires, Reason, Retry-After, Supported) never raise: what is
malformed in them is ignored, as RFC 3261 §8.2.2 has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar

from orbit_voice.kit.errors import LocalProtocolError
from orbit_voice.sip import grammar
from orbit_voice.sip.fields import Headers
from orbit_voice.sip.grammar import MAX_UINT32, ParseError, parse_number
from orbit_voice.sip.headers import (
    AcceptRange,
    Authorization,
    Challenge,
    CSeq,
    MediaType,
    NameAddr,
    RAck,
    Reason,
    RetryAfter,
    Via,
)
from orbit_voice.sip.reasons import reason_phrase
from orbit_voice.sip.uri import Uri, parse_uri

__all__ = ["MAX_FORWARDS", "SIP_VERSION", "Headers", "Message", "Request", "Response"]

SIP_VERSION: Final = "SIP/2.0"
"""The only version there is."""
MAX_FORWARDS: Final = 255
"""Largest Max-Forwards allowed (RFC 3261 §20.22)."""

_COPIED: Final = frozenset({"Via", "From", "To", "Call-ID", "CSeq"})
_COPIED_TO_100: Final = _COPIED | {"Timestamp"}
"""What a response takes over from its request (RFC 3261 §8.2.6)."""
_TOP_VIA: Final = "top Via"
_T = TypeVar("_T")


class _Message:
    """What requests and responses share.

    Attributes:
        headers: The header fields.
        body: Content; ``Content-Length`` is made from it, whatever ``headers`` says.
    """

    __slots__ = ("body", "headers")

    def __init__(self, headers: Headers | None, body: bytes) -> None:
        self.headers = Headers() if headers is None else headers
        self.body = body

    @property
    def start_line(self) -> str:
        """The first line, without its CRLF."""
        raise NotImplementedError

    @property
    def vias(self) -> list[Via]:
        """Every Via value, topmost first."""
        return self._list("Via", Via.parse)

    @property
    def top_via(self) -> Via:
        """The topmost Via. What stands below it is not read."""
        typed = self.headers.typed
        found: Via | None = typed.get(_TOP_VIA)
        if found is None:
            found = typed[_TOP_VIA] = _parse_top_via(self.headers)
        return found

    @property
    def from_(self) -> NameAddr:
        """The From address."""
        return self._one("From", NameAddr.parse)

    @property
    def to(self) -> NameAddr:
        """The To address."""
        return self._one("To", NameAddr.parse)

    @property
    def from_tag(self) -> str | None:
        """The tag of From; None only from RFC 2543 peers."""
        return self.from_.tag

    @property
    def to_tag(self) -> str | None:
        """The tag of To, or None."""
        return self.to.tag

    @property
    def cseq(self) -> CSeq:
        """The sequence number and method."""
        return self._one("CSeq", CSeq.parse)

    @property
    def call_id(self) -> str:
        """The Call-ID. Compared byte by byte (RFC 3261 §20.8)."""
        return self._one("Call-ID", _call_id)

    @property
    def contacts(self) -> list[NameAddr]:
        """Every Contact; none for ``*``, which ``headers.get("Contact")`` shows."""
        if self.headers.get("Contact") == "*":
            return []
        return self._list("Contact", NameAddr.parse)

    @property
    def record_routes(self) -> list[NameAddr]:
        """Every Record-Route, topmost first."""
        return self._list("Record-Route", NameAddr.parse)

    @property
    def routes(self) -> list[NameAddr]:
        """Every Route, topmost first."""
        return self._list("Route", NameAddr.parse)

    @property
    def media_type(self) -> MediaType | None:
        """Content-Type with its parameters, or None."""
        return self._optional("Content-Type", MediaType.parse)

    @property
    def content_type(self) -> str | None:
        """Content-Type as ``type/subtype`` in lower case, or None."""
        media_type = self.media_type
        return None if media_type is None else media_type.essence

    @property
    def max_forwards(self) -> int | None:
        """Hops left, 0-255, or None from RFC 2543 peers."""
        return self._optional("Max-Forwards", _max_forwards)

    @property
    def expires(self) -> int | None:
        """Expires, seconds, 0 to 2**32 - 1; None where it is missing or malformed."""
        return self._advisory("Expires", _expires)

    @property
    def reasons(self) -> list[Reason]:
        """Every Reason (RFC 3326); none where one is malformed."""
        return self._advisory_list("Reason", Reason.parse)

    @property
    def allow(self) -> list[str]:
        """Methods of Allow; none where it is malformed."""
        return self._advisory_list("Allow", _token)

    @property
    def supported(self) -> list[str]:
        """Option tags of Supported, lower case; none where it is malformed."""
        return [tag.lower() for tag in self._advisory_list("Supported", _token)]

    @property
    def require(self) -> list[str]:
        """Option tags of Require, as written."""
        return self._list("Require", _token)

    @property
    def accept(self) -> list[AcceptRange] | None:
        """Ranges of Accept; None where there is no such field, empty where it allows nothing."""
        if "Accept" not in self.headers:
            return None
        return self._list("Accept", AcceptRange.parse)

    def serialize(self) -> bytes:
        """Return the message as it goes on the wire, Content-Length last of its header fields.

        Raises:
            LocalProtocolError: The start line would break out of its line.
        """
        start_line = self.start_line
        if "\r" in start_line or "\n" in start_line:
            raise LocalProtocolError("a start line holds a line break", section="RFC 3261 §7.1")
        length = f"Content-Length: {len(self.body)}\r\n\r\n"
        head = "\r\n".join((start_line, *self.headers.lines(), length))
        return head.encode("utf-8", "replace") + self.body

    def _one(self, name: str, read: Callable[[str], _T]) -> _T:
        typed = self.headers.typed
        found: _T | None = typed.get(name)
        if found is None:
            found = typed[name] = read(self.headers.require(name))
        return found

    def _optional(self, name: str, read: Callable[[str], _T]) -> _T | None:
        typed = self.headers.typed
        found: _T | None = typed.get(name)
        if found is None and (text := self.headers.get_only(name)) is not None:
            found = typed[name] = read(text)
        return found

    def _list(self, name: str, read: Callable[[str], _T]) -> list[_T]:
        typed = self.headers.typed
        found: list[_T] | None = typed.get(name)
        if found is None:
            found = typed[name] = [read(value) for value in self.headers.values(name)]
        return found.copy()

    def _advisory(self, name: str, read: Callable[[str], _T]) -> _T | None:
        try:
            return self._optional(name, read)
        except ParseError:
            return None

    def _advisory_list(self, name: str, read: Callable[[str], _T]) -> list[_T]:
        try:
            return self._list(name, read)
        except ParseError:
            return []

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Message):
            return NotImplemented
        return (
            self.start_line == other.start_line
            and self.headers == other.headers
            and self.body == other.body
        )

    __hash__ = None  # type: ignore[assignment] # may change

    def __repr__(self) -> str:
        return f"<{self.start_line!r}, {len(self.headers)} fields, {len(self.body)} bytes>"


class Request(_Message):
    """A request.

    Attributes:
        method: As written; case matters.
        uri: The Request-URI as written.
    """

    __slots__ = ("method", "uri")

    def __init__(
        self, method: str, uri: str, headers: Headers | None = None, body: bytes = b""
    ) -> None:
        super().__init__(headers, body)
        self.method = method
        self.uri = uri

    @property
    def start_line(self) -> str:
        """``Request-Line`` without its CRLF."""
        return f"{self.method} {self.uri} {SIP_VERSION}"

    @property
    def request_uri(self) -> Uri:
        """The Request-URI, read anew each time.

        Raises:
            ParseError: Malformed.
        """
        return parse_uri(self.uri)

    @property
    def rack(self) -> RAck:
        """Which provisional response this PRACK acknowledges."""
        return self._one("RAck", RAck.parse)

    @property
    def authorizations(self) -> list[Authorization]:
        """Credentials for us as a user agent."""
        return [Authorization.parse(each) for each in self.headers.get_all("Authorization")]

    @property
    def proxy_authorizations(self) -> list[Authorization]:
        """Credentials for proxies."""
        return [Authorization.parse(each) for each in self.headers.get_all("Proxy-Authorization")]

    def copy(self) -> Request:
        """Return the same request, changeable apart from this one."""
        return Request(self.method, self.uri, self.headers.copy(), self.body)


class Response(_Message):
    """A response.

    Attributes:
        status: 100-699.
        reason: Reason phrase, for people; may be empty.
    """

    __slots__ = ("reason", "status")

    def __init__(
        self, status: int, reason: str, headers: Headers | None = None, body: bytes = b""
    ) -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = reason

    @classmethod
    def to_request(
        cls, request: Request, status: int, reason: str | None = None, *, to_tag: str | None = None
    ) -> Response:
        """Build the response that RFC 3261 §8.2.6 prescribes, also to a malformed request.

        Via, From, To, Call-ID, CSeq (and Timestamp into a 100) are copied as text, so that what
        could not be read is still given back as it came.

        Args:
            request: The request to answer.
            status: 100-699.
            reason: Phrase, or None for the usual one.
            to_tag: Our tag, put into To when it has none; not in a 100.
        """
        headers = request.headers.select(_COPIED_TO_100 if status == 100 else _COPIED)
        if to_tag is not None and _lacks_to_tag(request):
            headers.set("To", f"{headers.get('To')};tag={to_tag}")
        return cls(status, reason_phrase(status) if reason is None else reason, headers)

    @property
    def start_line(self) -> str:
        """``Status-Line`` without its CRLF."""
        return f"{SIP_VERSION} {self.status} {self.reason}"

    @property
    def www_authenticate(self) -> list[Challenge]:
        """Challenges of user agents and registrars."""
        return [Challenge.parse(each) for each in self.headers.get_all("WWW-Authenticate")]

    @property
    def proxy_authenticate(self) -> list[Challenge]:
        """Challenges of proxies."""
        return [Challenge.parse(each) for each in self.headers.get_all("Proxy-Authenticate")]

    @property
    def retry_after(self) -> RetryAfter | None:
        """When to try again; None where it is missing or malformed."""
        return self._advisory("Retry-After", RetryAfter.parse)

    def copy(self) -> Response:
        """Return the same response, changeable apart from this one."""
        return Response(self.status, self.reason, self.headers.copy(), self.body)


Message: TypeAlias = Request | Response


def _parse_top_via(headers: Headers) -> Via:
    if (line := headers.get("Via")) is None:
        raise ParseError("Via is missing", section="RFC 3261 §8.1.1.7")
    return Via.parse(grammar.split_values(line)[0] if "," in line else line)


def _call_id(text: str) -> str:
    if not grammar.call_id.fullmatch(text):
        raise ParseError("Call-ID is malformed", section="RFC 3261 §20.8")
    return text


def _max_forwards(text: str) -> int:
    section = "RFC 3261 §20.22"
    return parse_number(text, "Max-Forwards", maximum=MAX_FORWARDS, section=section)


def _expires(text: str) -> int:
    return parse_number(text, "Expires", maximum=MAX_UINT32, section="RFC 3261 §20.19")


def _token(text: str) -> str:
    if not grammar.token.fullmatch(text):
        raise ParseError("a list of tokens is malformed")
    return text


def _lacks_to_tag(request: Request) -> bool:
    """Tell whether a tag can be put into To; one that is malformed is left as it came."""
    try:
        return request.to_tag is None
    except ParseError:
        return False
