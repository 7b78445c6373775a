"""SIP requests and responses (RFC 3261 §7)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, TypeAlias

from orbit_voice.kit.errors import LocalProtocolError
from orbit_voice.sip.fields import Headers
from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.headers import Authorization, Challenge, RAck, RetryAfter
from orbit_voice.sip.reasons import reason_phrase
from orbit_voice.sip.typed_fields import MAX_FORWARDS, TypedFields
from orbit_voice.sip.uri import Uri, parse_uri

__all__ = ["MAX_FORWARDS", "SIP_VERSION", "Headers", "Message", "Request", "Response"]

SIP_VERSION: Final = "SIP/2.0"
"""The only version there is."""
_COPIED: Final = frozenset({"Via", "From", "To", "Call-ID", "CSeq"})
_COPIED_TO_100: Final = _COPIED | {"Timestamp"}
"""What a response takes over from its request (RFC 3261 §8.2.6)."""


class _Message(TypedFields, ABC):
    """What requests and responses share.

    Attributes:
        body: Content; ``Content-Length`` is made from it, whatever ``headers`` says.
    """

    __slots__ = ("body",)

    def __init__(self, headers: Headers | None, body: bytes) -> None:
        super().__init__(Headers() if headers is None else headers)
        self.body = body

    @property
    @abstractmethod
    def start_line(self) -> str:
        """The first line, without its CRLF."""

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


def _lacks_to_tag(request: Request) -> bool:
    """Tell whether a tag can be put into To; one that is malformed is left as it came."""
    try:
        return request.to_tag is None
    except ParseError:
        return False
