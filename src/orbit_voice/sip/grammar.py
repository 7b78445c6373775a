"""The ABNF of RFC 3261 §25.1 as compiled patterns, and the error for what does not match it.

Every pattern is linear in its input: repetitions are possessive or cannot overlap, so no text makes
matching slow. Text reaches these patterns unfolded (RFC 3261 §7.3.1) and free of CR and LF.

Where the wire is wider than the ABNF on purpose:

- a label of a host name may begin with a digit (RFC 1123 §2.1) or hold ``_`` (names of containers);
- LWS between a display name and ``<`` may be missing (RFC 4475 §3.1.1.6);
- a parameter's value may be a bare IPv6 address (``received``, RFC 5118 §4.5).
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from typing import TYPE_CHECKING, Final

from orbit_voice.kit.errors import RemoteProtocolError

if TYPE_CHECKING:
    from orbit_voice.sip.message import Request

MAX_VALUES: Final = 128
"""Values of one header field, commas and repeated lines together: twice what 70 hops leave."""
MAX_UINT32: Final = 2**32 - 1
"""Largest CSeq and RSeq number allowed by the grammar of numbers in RFC 3261 §8.1.1.5."""
MAX_PORT: Final = 65_535

ALPHANUM: Final = "A-Za-z0-9"
TOKEN_CHARS: Final = rf"{ALPHANUM}\-.!%*_+`'~"
UNRESERVED: Final = rf"{ALPHANUM}\-_.!~*'()"

TOKEN: Final = rf"[{TOKEN_CHARS}]++"
WORD: Final = rf"[{TOKEN_CHARS}()<>:\\\"/\[\]?{{}}]++"
QUOTED_STRING: Final = r'"(?:[^\x00-\x08\x0a-\x1f\x7f"\\]++|\\[\x00-\x7f])*+"'
LABEL: Final = rf"(?!-)[{ALPHANUM}_\-]++(?<!-)"
IPV6_REFERENCE: Final = r"\[[0-9A-Fa-f:.]{2,45}+\]"
HOST: Final = rf"(?:{IPV6_REFERENCE}|{LABEL}(?:\.{LABEL})*+\.?)"
PARAM_VALUE: Final = rf"{QUOTED_STRING}|[{TOKEN_CHARS}\[\]:]++"
WS: Final = r"[ \t]*+"

token: Final = re.compile(TOKEN)
host: Final = re.compile(HOST)
call_id: Final = re.compile(rf"{WORD}(?:@{WORD})?")
digits: Final = re.compile(r"[0-9]++")
quoted_string: Final = re.compile(QUOTED_STRING)
display_tokens: Final = re.compile(rf"(?:{TOKEN}[ \t]*+)*+")
param: Final = re.compile(rf"{WS};{WS}({TOKEN})(?:{WS}={WS}({PARAM_VALUE}))?{WS}")
auth_param: Final = re.compile(rf"{WS}({TOKEN}){WS}={WS}({QUOTED_STRING}|{TOKEN}){WS}")
comment: Final = re.compile(rf"(\((?:[^\x00-\x08\x0a-\x1f\x7f()\\]++|\\[\x00-\x7f])*+\)){WS}")

_quoted_pair: Final = re.compile(r"\\(.)", re.DOTALL)
_needs_pair: Final = re.compile(r'[\x00-\x08\x0a-\x1f\x7f"\\]')
_plain_value: Final = re.compile(rf"[{TOKEN_CHARS}\[\]:]++")
_split_point: Final = re.compile(r'[",<]')
_bad_escape: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


class ParseError(RemoteProtocolError):
    """What a peer sent does not follow the grammar, or passes a stated maximum.

    The one error that reading a message or a header field can raise.

    Args:
        reason: What is wrong, fit for a reason phrase; never holds the peer's own text.
        status_hint: SIP status to answer with.
        section: Where the rule stands.
        request: The request as far as it could be read, when it can be answered: its method and
            header fields are known. None for responses, ACK and garbage, which get no answer.
        connection_must_close: True when a stream cannot be cut into messages any more
            (RFC 3261 §18.3); answer first, then close.
    """

    def __init__(
        self,
        reason: str,
        *,
        status_hint: int = 400,
        section: str = "RFC 3261 §25.1",
        request: Request | None = None,
        connection_must_close: bool = False,
    ) -> None:
        super().__init__(reason, status_hint=status_hint, section=section)
        self.request = request
        self.connection_must_close = connection_must_close


def parse_number(text: str, what: str, *, maximum: int, section: str) -> int:
    """Read ``1*DIGIT`` with leading zeros allowed.

    Args:
        text: Digits and nothing else.
        what: Name of the field, for the error.
        maximum: Largest value allowed, inclusive.
        section: Where the limit stands, for the error.

    Raises:
        ParseError: Not a number, or too large.
    """
    if not digits.fullmatch(text):
        raise ParseError(f"{what} is not a number", section=section)
    significant = text.lstrip("0") or "0"
    if len(significant) > len(str(maximum)) or (number := int(significant)) > maximum:
        raise ParseError(f"{what} is too large", section=section)
    return number


def check_host(text: str) -> str:
    """Return ``text`` if it is a ``host`` (RFC 3261 §25.1, IPv6 as in RFC 5954 §4.1).

    Raises:
        ParseError: It is not.
    """
    if not host.fullmatch(text):
        raise ParseError("a host is malformed")
    if text[0] == "[":
        try:
            IPv6Address(text[1:-1])
        except AddressValueError as error:
            raise ParseError("an IPv6 address is malformed", section="RFC 5954 §4.1") from error
    return text


def check_escapes(text: str) -> None:
    """Check that every ``%`` in ``text`` begins an ``escaped`` (RFC 3261 §25.1).

    Raises:
        ParseError: One does not.
    """
    if "%" in text and _bad_escape.search(text):
        raise ParseError("a % is not followed by two hexadecimal digits")


def quote(text: str) -> str:
    """Return ``text`` as a quoted-string, with every character that needs it escaped."""
    return f'"{_needs_pair.sub(_pair, text)}"'


def unquote(quoted: str) -> str:
    """Return what a quoted-string means.

    Args:
        quoted: With its double quotes, as matched by :data:`quoted_string`.
    """
    inner = quoted[1:-1]
    return _quoted_pair.sub(r"\1", inner) if "\\" in inner else inner


def quote_if_needed(text: str) -> str:
    """Return ``text`` as it is when it is a token or host, as a quoted-string otherwise."""
    return text if _plain_value.fullmatch(text) else quote(text)


def split_values(text: str) -> list[str]:
    """Split a header value at its commas, but not inside quotes or angle brackets.

    Args:
        text: One header line's value.

    Returns:
        The parts without white space around them; may be empty strings.

    Raises:
        ParseError: A quote or bracket is not closed, or more than :data:`MAX_VALUES` parts.
    """
    if "," not in text:
        return [text.strip(" \t")]
    cuts = _commas(text) if '"' in text or "<" in text else None
    if cuts is None:
        parts = text.split(",", MAX_VALUES)
    else:
        parts = [text[a + 1 : b] for a, b in zip([-1, *cuts], [*cuts, len(text)], strict=True)]
    if len(parts) > MAX_VALUES:
        raise too_many_values()
    return [part.strip(" \t") for part in parts]


def too_many_values() -> ParseError:
    """Return the error for a header field with more than :data:`MAX_VALUES` values."""
    return ParseError(
        "a header field has too many values", status_hint=513, section="RFC 3261 §21.5.7"
    )


def _commas(text: str) -> list[int]:
    cuts: list[int] = []
    position = 0
    while (match := _split_point.search(text, position)) is not None:
        position = match.end()
        if match.group() == ",":
            cuts.append(match.start())
            if len(cuts) >= MAX_VALUES:
                raise too_many_values()
        else:
            position = _closing(text, match.start())
    return cuts


def _closing(text: str, opening: int) -> int:
    if text[opening] == '"':
        if (quoted := quoted_string.match(text, opening)) is None:
            raise ParseError("a quoted string is malformed or does not end")
        return quoted.end()
    if (closing := text.find(">", opening)) < 0:
        raise ParseError("an angle bracket is not closed")
    return closing + 1


def _pair(match: re.Match[str]) -> str:
    return f"\\{match.group()}"
