"""A session description as a value, and its wire form (RFC 8866).

:func:`parse_sdp` is strict in what a description is made of (order, required lines, syntax of each
structured line) and keeps what it does not know the meaning of: unknown attributes, media types and
protocols. Nothing of a peer's description is ever copied into one of ours except what RFC 3264
demands, so text that is not UTF-8 may lose the offending bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from orbit_voice.kit.errors import LocalProtocolError
from orbit_voice.sdp.errors import SdpError
from orbit_voice.sdp.lines import Attribute, Bandwidth, Connection, MediaLine, Origin, Timing

MAX_SDP_BYTES: Final = 16_384
"""Offers of browsers with many codecs and candidates stay under 8 kB."""
MAX_LINES: Final = 1_000
MAX_MEDIA: Final = 32
"""Streams of one description."""
MAX_FORMATS: Final = 128
"""Formats of one stream: as many as there are RTP payload types."""

_ORDER_SECTION: Final = "RFC 8866 §5"
_SESSION_RANKS: Final = {letter: rank for rank, letter in enumerate("vosiuepcbtka")} | {
    "r": "vosiuepcbtka".index("t"),
    "z": "vosiuepcbtka".index("t"),
}
"""Place of each line type in the session part; lines of one rank form a group."""
_MEDIA_RANKS: Final = {letter: rank for rank, letter in enumerate("micbka")}
_REPEATABLE_IN_SESSION: Final = frozenset("epbtra")
_REPEATABLE_IN_MEDIA: Final = frozenset("cba")


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """An ``m=`` line and what follows it.

    Attributes:
        line: The ``m=`` line.
        title: ``i=``.
        connections: ``c=``; more than one only for multicast.
        bandwidths: ``b=``.
        key: ``k=``, as it is (obsolete).
        attributes: ``a=``, in order.
    """

    line: MediaLine
    title: str | None = None
    connections: tuple[Connection, ...] = ()
    bandwidths: tuple[Bandwidth, ...] = ()
    key: str | None = None
    attributes: tuple[Attribute, ...] = ()

    def attribute(self, name: str) -> Attribute | None:
        """Return the first attribute with this name, or None."""
        return _first(self.attributes, name)

    def lines(self) -> Iterator[str]:
        """Return the wire form, line by line, without line ends."""
        yield f"m={self.line}"
        yield from _optional("i", self.title)
        yield from (f"c={connection}" for connection in self.connections)
        yield from (f"b={bandwidth}" for bandwidth in self.bandwidths)
        yield from _optional("k", self.key)
        yield from (f"a={attribute}" for attribute in self.attributes)


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A whole session description.

    Attributes:
        origin: ``o=``.
        name: ``s=``; ``-`` says nothing (RFC 3264 §5).
        information: ``i=``.
        uri: ``u=``.
        emails: ``e=``, as they are.
        phones: ``p=``, as they are.
        connection: ``c=``, for streams that have none of their own.
        bandwidths: ``b=``.
        timings: ``t=``, at least one.
        key: ``k=``, as it is (obsolete).
        attributes: ``a=``, in order.
        media: The streams, in order.
    """

    origin: Origin
    name: str = "-"
    information: str | None = None
    uri: str | None = None
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    connection: Connection | None = None
    bandwidths: tuple[Bandwidth, ...] = ()
    timings: tuple[Timing, ...] = field(default=(Timing(),))
    key: str | None = None
    attributes: tuple[Attribute, ...] = ()
    media: tuple[MediaDescription, ...] = ()

    def attribute(self, name: str) -> Attribute | None:
        """Return the first session attribute with this name, or None."""
        return _first(self.attributes, name)

    def serialize(self) -> bytes:
        r"""Return the wire form, UTF-8 with CRLF.

        Raises:
            LocalProtocolError: A value holds CR, LF or NUL and would forge a line.
        """
        lines = [*self._lines(), *(line for media in self.media for line in media.lines())]
        if any(mark in line for line in lines for mark in "\r\n\0"):
            raise LocalProtocolError("a value holds a line end or NUL", section="RFC 8866 §9")
        return ("\r\n".join(lines) + "\r\n").encode()

    def _lines(self) -> Iterator[str]:
        yield "v=0"
        yield f"o={self.origin}"
        yield f"s={self.name}"
        yield from _optional("i", self.information)
        yield from _optional("u", self.uri)
        yield from (f"e={email}" for email in self.emails)
        yield from (f"p={phone}" for phone in self.phones)
        yield from _optional("c", self.connection)
        yield from (f"b={bandwidth}" for bandwidth in self.bandwidths)
        for timing in self.timings:
            yield f"t={timing}"
            yield from (f"r={repeat}" for repeat in timing.repeats)
            yield from _optional("z", timing.zone)
        yield from _optional("k", self.key)
        yield from (f"a={attribute}" for attribute in self.attributes)


def parse_sdp(data: bytes) -> SessionDescription:
    """Read one session description.

    Args:
        data: A body of type ``application/sdp``. Lines end in CRLF or LF (RFC 8866 §5).

    Raises:
        SdpError: It is not a session description, or is larger than :data:`MAX_SDP_BYTES`,
            :data:`MAX_LINES`, :data:`MAX_MEDIA` or :data:`MAX_FORMATS`.
    """
    sections = _split_sections(_split_lines(data))
    session = _parse_session(sections[0])
    media = tuple(_parse_media(lines) for lines in sections[1:])
    for stream in media:
        if stream.line.port and not stream.connections and session.connection is None:
            raise SdpError("a stream has no c= line", section="RFC 8866 §5.7")
    return replace(session, media=media)


_Line = tuple[str, str]


def _split_lines(data: bytes) -> list[_Line]:
    if len(data) > MAX_SDP_BYTES:
        raise SdpError(f"larger than {MAX_SDP_BYTES} bytes", status_hint=413)
    text = data.decode("utf-8", errors="replace")
    lines = [line.removesuffix("\r") for line in text.rstrip("\r\n").split("\n")]
    if len(lines) > MAX_LINES:
        raise SdpError(f"more than {MAX_LINES} lines")
    if "\0" in text or any("\r" in line for line in lines):
        raise SdpError("NUL or a lone CR", section="RFC 8866 §9")
    return [_split_line(line) for line in lines]


def _split_line(line: str) -> _Line:
    if line[1:2] != "=":
        raise SdpError("a line is not of the form x=value", section=_ORDER_SECTION)
    return line[0], line[2:]


def _split_sections(lines: list[_Line]) -> list[list[_Line]]:
    """Cut before each ``m=`` line."""
    sections: list[list[_Line]] = [[]]
    for line in lines:
        if line[0] == "m":
            sections.append([])
        sections[-1].append(line)
    if len(sections) > MAX_MEDIA + 1:
        raise SdpError(f"more than {MAX_MEDIA} streams")
    return sections


class _Fields:
    """The values of one section by type, once their order is found to be right."""

    def __init__(
        self, lines: list[_Line], ranks: dict[str, int], repeatable: frozenset[str]
    ) -> None:
        self._values: dict[str, list[str]] = {}
        rank = -1
        for letter, value in lines:
            if letter not in ranks:
                raise SdpError(f"unknown line {letter}=", section=_ORDER_SECTION)
            if ranks[letter] < rank:
                raise SdpError(f"{letter}= is out of order", section=_ORDER_SECTION)
            if letter in self._values and letter not in repeatable and letter != "z":
                raise SdpError(f"{letter}= is there twice", section=_ORDER_SECTION)
            rank = ranks[letter]
            self._values.setdefault(letter, []).append(value)

    def all(self, letter: str) -> list[str]:
        return self._values.get(letter, [])

    def one(self, letter: str) -> str:
        if letter not in self._values:
            raise SdpError(f"{letter}= is missing", section=_ORDER_SECTION)
        return self._values[letter][0]

    def optional(self, letter: str) -> str | None:
        return next(iter(self.all(letter)), None)


def _parse_session(lines: list[_Line]) -> SessionDescription:
    fields = _Fields(lines, _SESSION_RANKS, _REPEATABLE_IN_SESSION)
    if fields.one("v").strip() != "0":
        raise SdpError("not version 0", section="RFC 8866 §5.1")
    connection = fields.optional("c")
    return SessionDescription(
        origin=Origin.parse(fields.one("o")),
        # Some carriers leave it empty, which the grammar forbids and nobody needs.
        name=fields.one("s") or "-",
        information=fields.optional("i"),
        uri=fields.optional("u"),
        emails=tuple(fields.all("e")),
        phones=tuple(fields.all("p")),
        connection=None if connection is None else Connection.parse(connection),
        bandwidths=tuple(map(Bandwidth.parse, fields.all("b"))),
        timings=_parse_timings(lines),
        key=fields.optional("k"),
        attributes=tuple(map(Attribute.parse, fields.all("a"))),
    )


def _parse_timings(lines: list[_Line]) -> tuple[Timing, ...]:
    timings: list[Timing] = []
    for letter, value in lines:
        if letter == "t":
            timings.append(Timing.parse(value))
        elif letter in "rz":
            if not timings or timings[-1].zone is not None:
                raise SdpError(f"{letter}= belongs to no t=", section="RFC 8866 §5.10")
            timings[-1] = _extend(timings[-1], letter, value)
    if not timings:
        raise SdpError("t= is missing", section="RFC 8866 §5.9")
    return tuple(timings)


def _extend(timing: Timing, letter: str, value: str) -> Timing:
    if letter == "r":
        return replace(timing, repeats=(*timing.repeats, value))
    if not timing.repeats:
        raise SdpError("z= belongs to no r=", section="RFC 8866 §5.11")
    return replace(timing, zone=value)


def _parse_media(lines: list[_Line]) -> MediaDescription:
    fields = _Fields(lines, _MEDIA_RANKS, _REPEATABLE_IN_MEDIA)
    return MediaDescription(
        line=MediaLine.parse(fields.one("m"), max_formats=MAX_FORMATS),
        title=fields.optional("i"),
        connections=tuple(map(Connection.parse, fields.all("c"))),
        bandwidths=tuple(map(Bandwidth.parse, fields.all("b"))),
        key=fields.optional("k"),
        attributes=tuple(map(Attribute.parse, fields.all("a"))),
    )


def _first(attributes: tuple[Attribute, ...], name: str) -> Attribute | None:
    return next((attribute for attribute in attributes if attribute.name == name), None)


def _optional(letter: str, value: object | None) -> Iterator[str]:
    if value is not None:
        yield f"{letter}={value}"
