"""The header fields that both kinds of message have, as values (RFC 3261 §20).

A property reads its field when it is asked, once. It raises
:class:`~orbit_voice.sip.grammar.ParseError` when the field is malformed, so a shell asks
:mod:`orbit_voice.sip.validation` first and may trust the properties after that. Fields that no
processing depends on (Allow, Expires, Reason, Retry-After, Supported) never raise: what is
malformed in them is ignored, as RFC 3261 §8.2.2 has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from orbit_voice.sip import grammar
from orbit_voice.sip.fields import Headers
from orbit_voice.sip.grammar import MAX_UINT32, ParseError, parse_number
from orbit_voice.sip.headers import AcceptRange, CSeq, MediaType, NameAddr, Reason, Via

MAX_FORWARDS: Final = 255
"""Largest Max-Forwards allowed (RFC 3261 §20.22)."""
_TOP_VIA: Final = "top Via"
_T = TypeVar("_T")


class TypedFields:
    """Header fields and what they mean.

    Attributes:
        headers: The header fields as text.
    """

    __slots__ = ("headers",)

    def __init__(self, headers: Headers) -> None:
        self.headers = headers

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
