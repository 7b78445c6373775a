"""Bytes to messages (RFC 3261 §7), for hostile input.

Reading goes over the bytes once, splits lines, and checks what everything else stands on: the start
line, that every header line is one, and where the body ends. What a header field means is read when
somebody asks for it (:mod:`orbit_voice.sip.message`). A defect does not end reading: the request is
read as far as it goes, so that it can be answered.

Maxima: :data:`MAX_MESSAGE_BYTES`, :data:`MAX_LINE_CHARACTERS`, :data:`MAX_HEADER_LINES`,
:data:`MAX_URI_CHARACTERS` here; :data:`~orbit_voice.sip.grammar.MAX_VALUES` and
:data:`~orbit_voice.sip.params.MAX_PARAMS` within a header field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from orbit_voice.sip import grammar
from orbit_voice.sip.fields import KNOWN_NAMES, Headers, canonical_name
from orbit_voice.sip.grammar import ParseError, parse_number
from orbit_voice.sip.message import SIP_VERSION, Message, Request, Response

__all__ = [
    "MAX_HEADER_LINES",
    "MAX_LINE_CHARACTERS",
    "MAX_MESSAGE_BYTES",
    "MAX_URI_CHARACTERS",
    "Head",
    "ParseError",
    "answerable",
    "no_start_line",
    "parse_head",
    "parse_message",
    "too_large",
]

MAX_MESSAGE_BYTES: Final = 65_536
"""Start line, header fields and body: what fits a UDP datagram (RFC 3261 §18.1.1)."""
MAX_LINE_CHARACTERS: Final = 8_192
"""One header line, unfolded."""
MAX_HEADER_LINES: Final = 256
"""Header lines of one message."""
MAX_URI_CHARACTERS: Final = 2_048
"""Request-URI."""

_BLANK_LINE: Final = b"\r\n\r\n"
_line_end: Final = re.compile(r"\r\n|\r|\n")
_fold: Final = re.compile(r"\r\n[ \t]++")
_request_uri: Final = re.compile(r"[A-Za-z][A-Za-z0-9+\-.]*+:[^\x00-\x20\x7f<>\"]++")
_version: Final = re.compile(r"SIP/[0-9]++\.[0-9]++", re.IGNORECASE)
_reason: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*+")


@dataclass(slots=True)
class Head:
    """What stands before the body.

    Attributes:
        message: The message without its body; None, with a defect, when the start line is not one.
        defect: The first thing wrong, or None.
        content_length: Bytes of body that were announced; None without Content-Length, or when a
            header line is not one: what could not be read might have been another length.
    """

    message: Message | None
    defect: ParseError | None
    content_length: int | None


def parse_message(data: bytes) -> Message:
    """Read one datagram.

    CRLFs before the start line are skipped (RFC 3261 §7.5), bytes after the body dropped (§18.3).

    Args:
        data: Bytes as they came.

    Raises:
        ParseError: Malformed, or a maximum is passed.
    """
    start = 0
    while data.startswith(b"\r\n", start):
        start += 2
    if len(data) - start > MAX_MESSAGE_BYTES:
        kept, _, _ = data[start : start + MAX_MESSAGE_BYTES].partition(_BLANK_LINE)
        raise answerable(parse_head(kept), too_large())
    end = data.find(_BLANK_LINE, start)
    if end < 0:
        defect = ParseError("the header fields do not end", section="RFC 3261 §7")
        raise answerable(parse_head(data[start:]), defect)
    head = parse_head(data[start:end])
    body = data[end + 4 :]
    length = head.content_length
    if head.defect is None and length is not None and length > len(body):
        head.defect = ParseError("the body is cut short", section="RFC 3261 §18.3")
    if head.defect is not None or head.message is None:
        raise answerable(head, head.defect or no_start_line())
    head.message.body = body if length is None or length == len(body) else body[:length]
    return head.message


def parse_head(data: bytes) -> Head:
    """Read a start line and header fields.

    Args:
        data: Bytes up to the blank line, without it.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        # Latin-1 display names are met in the wild. A tag or branch cannot be among what is lost.
        text = data.decode(errors="replace")
    text, line_defect = _normalize_line_ends(text)
    start_line, _, rest = text.partition("\r\n")
    message, start_defect = _parse_start_line(start_line)
    entries, entry_defect = _parse_entries(rest)
    headers = Headers.of_entries(entries)
    if message is not None:
        message.headers = headers
    defect = line_defect or entry_defect
    if defect is not None:
        return Head(message, start_defect or defect, None)
    length, length_defect = _content_length(headers)
    return Head(message, start_defect or length_defect, length)


def too_large() -> ParseError:
    """Return the error for a message over :data:`MAX_MESSAGE_BYTES`."""
    return ParseError("the message is too large", status_hint=513, section="RFC 3261 §21.5.7")


def answerable(head: Head, defect: ParseError) -> ParseError:
    """Give ``defect`` the request it can be answered to, if there is one."""
    request = head.message
    if isinstance(request, Request) and request.method != "ACK" and "Via" in request.headers:
        defect.request = request
    return defect


def _parse_entries(text: str) -> tuple[list[tuple[str, str]], ParseError | None]:
    if not text:
        return [], None
    if "\r\n " in text or "\r\n\t" in text:
        text = _fold.sub(" ", text)
    lines = text.split("\r\n", MAX_HEADER_LINES + 1)
    defect = _check_sizes(text, lines)
    entries: list[tuple[str, str]] = []
    for line in lines[:MAX_HEADER_LINES]:
        name, colon, value = line.partition(":")
        known = KNOWN_NAMES.get(name)
        if known is None or not colon:
            try:
                known = _parse_name(name, colon)
            except ParseError as error:
                defect = defect or error
                continue
        entries.append((known, value.strip(" \t")))
    return entries, defect


def _check_sizes(text: str, lines: list[str]) -> ParseError | None:
    section = "RFC 3261 §21.5.7"
    if len(lines) > MAX_HEADER_LINES:
        return ParseError("there are too many header fields", status_hint=513, section=section)
    if len(text) > MAX_LINE_CHARACTERS and max(map(len, lines)) > MAX_LINE_CHARACTERS:
        return ParseError("a header field is too long", status_hint=513, section=section)
    return None


def _parse_name(name: str, colon: str) -> str:
    if not colon:
        raise ParseError("a header line has no colon", section="RFC 3261 §7.3.1")
    return canonical_name(name.rstrip(" \t"))


def _parse_start_line(line: str) -> tuple[Message | None, ParseError | None]:
    if len(line) > MAX_LINE_CHARACTERS:
        return None, no_start_line()
    if line[:4].upper() == "SIP/":
        return _parse_status_line(line)
    return _parse_request_line(line)


def _parse_request_line(line: str) -> tuple[Request | None, ParseError | None]:
    """Read ``Method SP Request-URI SP SIP-Version`` (RFC 3261 §7.1)."""
    method, _, rest = line.partition(" ")
    uri, _, version = rest.rpartition(" ")
    if not grammar.token.fullmatch(method):
        return None, no_start_line()
    request = Request(method, uri)
    if version == SIP_VERSION and len(uri) <= MAX_URI_CHARACTERS and _request_uri.fullmatch(uri):
        return request, None
    return request, _request_line_defect(uri, version)


def _request_line_defect(uri: str, version: str) -> ParseError | None:
    if len(uri) > MAX_URI_CHARACTERS:
        return ParseError("Request-URI is too long", status_hint=414, section="RFC 3261 §21.4.12")
    if not _request_uri.fullmatch(uri) or not _version.fullmatch(version):
        return ParseError("the request line is malformed", section="RFC 3261 §7.1")
    if version.upper() != SIP_VERSION:
        return ParseError(
            "this SIP version is not supported", status_hint=505, section="RFC 3261 §21.5.6"
        )
    return None


def _parse_status_line(line: str) -> tuple[Response | None, ParseError | None]:
    """Read ``SIP-Version SP Status-Code SP Reason-Phrase`` (RFC 3261 §7.2)."""
    version, _, rest = line.partition(" ")
    status, _, reason = rest.partition(" ")
    defect = ParseError("the status line is malformed", section="RFC 3261 §7.2")
    if version.upper() != SIP_VERSION or len(status) != 3 or not grammar.digits.fullmatch(status):
        return None, defect
    if not 100 <= int(status) <= 699 or not _reason.fullmatch(reason):
        return None, defect
    return Response(int(status), reason), None


def _content_length(headers: Headers) -> tuple[int | None, ParseError | None]:
    try:
        if (text := headers.get_only("Content-Length")) is None:
            return None, None
        section = "RFC 3261 §20.14"
        return parse_number(text, "Content-Length", maximum=2**31 - 1, section=section), None
    except ParseError as error:
        return None, error


def _normalize_line_ends(text: str) -> tuple[str, ParseError | None]:
    """Have CRLF everywhere, so that no value holds a line break, whoever is answered with it."""
    ends = text.count("\r\n")
    if text.count("\n") == ends and text.count("\r") == ends:
        return text, None
    defect = ParseError("a line does not end with CRLF", section="RFC 3261 §7")
    return _line_end.sub("\r\n", text), defect


def no_start_line() -> ParseError:
    """Return the error for what begins neither as a request nor as a response."""
    return ParseError("this is no SIP message", section="RFC 3261 §7")
