"""The header fields of a message: ordered, without case, compact forms known (RFC 3261 §7.3).

Values are kept as text, one entry a header line, and read only when somebody asks: most header
fields of most messages are never looked at. What was read is kept until a field changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from orbit_voice.kit.errors import LocalProtocolError
from orbit_voice.sip import grammar
from orbit_voice.sip.grammar import ParseError

_COMPACT: Final = {
    "Accept-Contact": "a",
    "Allow-Events": "u",
    "Call-ID": "i",
    "Contact": "m",
    "Content-Encoding": "e",
    "Content-Length": "l",
    "Content-Type": "c",
    "Event": "o",
    "From": "f",
    "Identity": "y",
    "Refer-To": "r",
    "Referred-By": "b",
    "Reject-Contact": "j",
    "Request-Disposition": "d",
    "Session-Expires": "x",
    "Subject": "s",
    "Supported": "k",
    "To": "t",
    "Via": "v",
}
"""Compact forms (RFC 3261 §7.3.3, 3515, 3841, 3892, 4028, 6665, 8224)."""

_NAMES: Final = (
    *_COMPACT,
    *("Accept", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow"),
    *("Authentication-Info", "Authorization", "CSeq", "Call-Info", "Content-Disposition"),
    *("Content-Language", "Date", "Diversion", "Error-Info", "Expires", "History-Info"),
    *("In-Reply-To", "Join", "MIME-Version", "Max-Forwards", "Min-Expires", "Min-SE"),
    *("Organization", "P-Asserted-Identity", "P-Preferred-Identity", "Path", "Priority"),
    *("Privacy", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Require", "RAck", "RSeq"),
    *("Reason", "Record-Route", "Remote-Party-ID", "Replaces", "Reply-To", "Require"),
    *("Retry-After", "Route", "Server", "Service-Route", "Subscription-State", "Timestamp"),
    *("Unsupported", "User-Agent", "WWW-Authenticate", "Warning"),
)


def _spellings() -> dict[str, str]:
    known = {}
    for name in _NAMES:
        forms = [name, _COMPACT.get(name, name)]
        known.update({each: name for form in forms for each in (form, form.lower(), form.upper())})
    return known


KNOWN_NAMES: Final = _spellings()
"""Usual spellings to the one we write. Others take the slow way of :func:`canonical_name`."""


def canonical_name(name: str) -> str:
    """Return how we write the header field ``name``: long form, RFC spelling.

    Args:
        name: Any spelling, or compact. An unknown name comes back as it is.

    Raises:
        ParseError: Not a token.
    """
    if (known := KNOWN_NAMES.get(name)) is not None:
        return known
    if not grammar.token.fullmatch(name):
        raise ParseError("a header field name is malformed", section="RFC 3261 §7.3.1")
    return KNOWN_NAMES.get(name.lower(), name)


class Headers:
    """The header fields of one message, in order.

    Names are told apart without case, and the compact form of a name is that name. Values hold
    neither CR nor LF: a folded line is unfolded when it is read, and nothing else gets in.

    Args:
        items: Names and values, in order.

    Attributes:
        typed: What was read of these fields; for :mod:`orbit_voice.sip.message` alone, emptied when
            a field changes.

    Raises:
        LocalProtocolError: A name is no token, or a value would break out of its line.
    """

    __slots__ = ("_entries", "_index", "typed")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._entries = [(_own_name(name), _own_value(value)) for name, value in items]
        self._index: dict[str, list[str]] | None = None
        self.typed: dict[str, Any] = {}

    @classmethod
    def of_entries(cls, entries: list[tuple[str, str]]) -> Headers:
        """Take entries that are known to be good, without copying.

        Args:
            entries: Names as :func:`canonical_name` gives them, and values without CR and LF.
        """
        headers = cls.__new__(cls)
        headers._entries = entries
        headers._index = None
        headers.typed = {}
        return headers

    def get(self, name: str) -> str | None:
        """Return the first value of ``name``, or None."""
        values = self._find(name)
        return values[0] if values else None

    def get_all(self, name: str) -> list[str]:
        """Return every value of ``name`` in order, one a header line."""
        return self._find(name).copy()

    def get_only(self, name: str) -> str | None:
        """Return the value of ``name``, a field that may stand once, or None.

        Raises:
            ParseError: It stands more than once.
        """
        values = self._find(name)
        if len(values) > 1:
            raise ParseError(f"{canonical_name(name)} is repeated", section="RFC 3261 §7.3.1")
        return values[0] if values else None

    def require(self, name: str) -> str:
        """Return the value of ``name``, a field that must stand exactly once.

        Raises:
            ParseError: It is missing or stands more than once.
        """
        if (value := self.get_only(name)) is None:
            raise ParseError(f"{canonical_name(name)} is missing", section="RFC 3261 §8.1.1")
        return value

    def values(self, name: str) -> list[str]:
        """Return every value of a comma-separated field, over all its lines; empty lists are none.

        Raises:
            ParseError: A quote is not closed, or there are too many.
        """
        lines = self._find(name)
        if len(lines) == 1:
            return grammar.split_values(lines[0]) if lines[0] else []
        found: list[str] = []
        for line in lines:
            found += grammar.split_values(line)
            if len(found) > grammar.MAX_VALUES:
                raise grammar.too_many_values()
        return found

    def add(self, name: str, value: str) -> None:
        """Append a line.

        Raises:
            LocalProtocolError: ``name`` is no token, or ``value`` would break out of its line.
        """
        self._entries.append((_own_name(name), _own_value(value)))
        self._changed()

    def prepend(self, name: str, value: str) -> None:
        """Put a line before all others.

        Raises:
            LocalProtocolError: As :meth:`add`.
        """
        self._entries.insert(0, (_own_name(name), _own_value(value)))
        self._changed()

    def set(self, name: str, value: str) -> None:
        """Have ``name`` once, with ``value``: where it stood first, or at the end.

        Raises:
            LocalProtocolError: As :meth:`add`.
        """
        entry = (_own_name(name), _own_value(value))
        key = _key(entry[0])
        places = [i for i, each in enumerate(self._entries) if _key(each[0]) == key]
        if not places:
            self._entries.append(entry)
        else:
            self._entries[places[0]] = entry
            for place in reversed(places[1:]):
                del self._entries[place]
        self._changed()

    def remove(self, name: str) -> None:
        """Drop every line of ``name``; no error where there is none."""
        key = _key(name)
        self._entries = [entry for entry in self._entries if _key(entry[0]) != key]
        self._changed()

    def remove_first(self, name: str) -> None:
        """Drop the first line of ``name``; no error where there is none."""
        key = _key(name)
        for place, (each, _) in enumerate(self._entries):
            if _key(each) == key:
                del self._entries[place]
                break
        self._changed()

    def items(self) -> list[tuple[str, str]]:
        """Return names and values in order."""
        return self._entries.copy()

    def select(self, names: Collection[str]) -> Headers:
        """Return the fields whose name is among ``names``, in their order.

        Args:
            names: Known names, spelled as :func:`canonical_name` does.
        """
        return self.of_entries([entry for entry in self._entries if entry[0] in names])

    def lines(self) -> list[str]:
        """Return the header lines as sent, but for Content-Length: that follows from the body."""
        return [f"{name}: {value}" for name, value in self._entries if name != "Content-Length"]

    def copy(self) -> Headers:
        """Return the same fields, changeable apart from these."""
        return self.of_entries(self._entries.copy())

    def _find(self, name: str) -> list[str]:
        if self._index is None:
            self._index = _index(self._entries)
        return self._index.get(KNOWN_NAMES.get(name) or _key(name)) or _NOTHING

    def _changed(self) -> None:
        self._index = None
        if self.typed:
            self.typed = {}

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __len__(self) -> int:
        return len(self._entries)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return self._entries == other._entries

    __hash__ = None  # type: ignore[assignment] # may change

    def __repr__(self) -> str:
        return f"Headers({self._entries!r})"


_NOTHING: Final[list[str]] = []


def _key(name: str) -> str:
    """Return what all spellings of ``name`` have in common."""
    return KNOWN_NAMES.get(name) or KNOWN_NAMES.get(lower := name.lower(), lower)


def _index(entries: list[tuple[str, str]]) -> dict[str, list[str]]:
    index: dict[str, list[str]] = {}
    for name, value in entries:
        key = KNOWN_NAMES.get(name) or name.lower()
        if key in index:
            index[key].append(value)
        else:
            index[key] = [value]
    return index


def _own_name(name: str) -> str:
    try:
        return canonical_name(name)
    except ParseError as error:
        raise LocalProtocolError(error.reason, section=error.section) from error


def _own_value(value: str) -> str:
    if "\n" in value or "\r" in value:
        raise LocalProtocolError(
            "a header field value holds a line break", section="RFC 3261 §7.3.1"
        )
    return value
