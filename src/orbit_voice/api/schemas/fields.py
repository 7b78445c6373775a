"""Field types of requests: what a value must be, checked and said in words.

Every field of a request carries an :class:`Expected`; an error message is “`field` must be
{expected}”, so the client reads what to send, not what a validator was called.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Final, TypeAlias

import phonenumbers
from pydantic import AfterValidator, BeforeValidator, StrictBool, StringConstraints
from pydantic_core import PydanticCustomError

from orbit_voice.kit.errors import ErrorCode
from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.uri import SipUri

MAX_URI_CHARACTERS: Final = 255
"""Longest SIP URI taken. Registrars and carriers stop at 255; an INVITE repeats it three times."""
MAX_URL_CHARACTERS: Final = 2048
"""Longest URL taken: the least that RFC 9110 §4.1 has others support is 8000, but what is kept
per call should be small; webhook URLs in the wild stay below 500."""

_E164: Final = re.compile(r"\+[1-9][0-9]{1,14}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\x80-\x9f]")
_CONTROL_BUT_LINES: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f]")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}")
_DIGITS: Final = re.compile(r"[0-9*#A-Da-dwW]{1,100}")

_NUMBER_TEXT: Final = "a phone number in E.164 (+, country code, number, no spaces: +14155550123)"
_URI_TEXT: Final = "a SIP URI (sip:user@host:port) without password and headers"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a field must be, in words that follow “must be”."""

    text: str


def wrong(
    expected: str | None = None,
    *,
    code: ErrorCode = ErrorCode.VALIDATION_ERROR,
    field: str | None = None,
    message: str | None = None,
    value: Any = None,
) -> PydanticCustomError:
    """Return the error a validator raises.

    Args:
        expected: Replaces the field's :class:`Expected`.
        code: What the client gets to see as code.
        field: Path below the field that is being checked, or of the model's field.
        message: Replaces “`field` must be {expected}”.
        value: Replaces the value of the field.
    """
    context = {"expected": expected, "field": field, "message": message, "value": value}
    return PydanticCustomError(
        code.name, "wrong", {name: item for name, item in context.items() if item is not None}
    )


@lru_cache(maxsize=4096)
def is_phone_number(text: str) -> bool:
    """Say whether ``text`` is E.164 and has a length its country uses (ITU-T E.164 §6)."""
    if not _E164.fullmatch(text):
        return False
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(text, None))
    except phonenumbers.NumberParseException:
        return False


def read_sip_uri(text: str) -> SipUri | None:
    """Return ``text`` as what may stand in a Request-URI, or None.

    RFC 3261 §19.1.1 table 1 allows no headers there; a password would end up in records and logs.
    """
    if len(text) > MAX_URI_CHARACTERS:
        return None
    try:
        uri = SipUri.parse(text)
    except ParseError:
        return None
    return None if uri.password is not None or uri.headers or uri.port == 0 else uri


def _check_phone_number(text: str) -> str:
    if not is_phone_number(text):
        raise wrong(code=ErrorCode.INVALID_PHONE_NUMBER)
    return text


def _check_sip_uri(text: str) -> str:
    if (uri := read_sip_uri(text)) is None:
        raise wrong(_URI_TEXT, code=ErrorCode.INVALID_SIP_URI)
    if uri.scheme == "sips" or uri.transport not in {None, "udp", "tcp"}:
        raise wrong(
            "a sip: URI over udp or tcp",
            message="SIP over TLS or WebSocket is not served by this release, and what asks for "
            "it never goes out in clear: give a sip: URI with ;transport=udp, ;transport=tcp or "
            "neither.",
        )
    return text[:4].lower() + text[4:]


def _check_destination(text: str) -> str:
    is_uri = text[:5].lower().startswith(("sip:", "sips:"))
    return _check_sip_uri(text) if is_uri else _check_phone_number(text)


def _check_web_url(text: str) -> str:
    scheme = text[:8].lower()
    is_web = scheme.startswith(("http://", "https://"))
    if not is_web or len(text) > MAX_URL_CHARACTERS or _CONTROL.search(text) or " " in text:
        raise wrong(code=ErrorCode.INVALID_WEBHOOK_URL)
    return text


def _check_line(text: str) -> str:
    if _CONTROL.search(text) or not text.strip():
        raise wrong()
    return text


def _check_text(text: str) -> str:
    if _CONTROL_BUT_LINES.search(text) or not text.strip():
        raise wrong()
    return text


def _check_language(text: str) -> str:
    if not _LANGUAGE.fullmatch(text):
        raise wrong()
    return text


def _check_digits(text: str) -> str:
    if not _DIGITS.fullmatch(text):
        raise wrong()
    return text.upper().replace("W", "w")


def _undo_plus(value: Any) -> Any:
    """Give back the plus sign that a query string turned into a space (WHATWG URL §5.1)."""
    return "+" + value[1:] if isinstance(value, str) and value[:1] == " " else value


def _check_moment(moment: datetime) -> datetime:
    if moment.tzinfo is None or not 1970 <= moment.year <= 9000:
        raise wrong()
    return moment.astimezone(UTC)


PhoneNumber: TypeAlias = Annotated[str, AfterValidator(_check_phone_number), Expected(_NUMBER_TEXT)]
"""E.164."""
Destination: TypeAlias = Annotated[
    str, AfterValidator(_check_destination), Expected(f"{_NUMBER_TEXT} or {_URI_TEXT}")
]
"""E.164 or a SIP URI."""
SipAddress: TypeAlias = Annotated[str, AfterValidator(_check_sip_uri), Expected(_URI_TEXT)]
"""A SIP URI that this release can reach, its scheme in lower case."""
WebUrl: TypeAlias = Annotated[
    str,
    AfterValidator(_check_web_url),
    Expected(f"an http(s) URL of at most {MAX_URL_CHARACTERS} characters"),
]
"""An ``http:``/``https:`` URL; where it may lead is the URL guard's to say."""
Id: TypeAlias = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_]+$"),
    Expected("an id as the API gave it out"),
]
"""An id of ours."""
Line: TypeAlias = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    AfterValidator(_check_line),
    Expected("a text of 1 to 200 characters, not blank, without control characters"),
]
"""A name or other text of one line."""
SpokenText: TypeAlias = Annotated[
    str,
    StringConstraints(min_length=1, max_length=5000),
    AfterValidator(_check_text),
    Expected("a text of 1 to 5000 characters, not blank, without control characters"),
]
"""What is spoken: some minutes of speech."""
Language: TypeAlias = Annotated[
    str, AfterValidator(_check_language), Expected("a BCP 47 language tag, for example en-US")
]
"""RFC 5646."""
Digits: TypeAlias = Annotated[
    str,
    AfterValidator(_check_digits),
    Expected("1 to 100 of the characters 0-9 * # A-D, and w for a pause of 0.5 s"),
]
"""What a keypad sends."""
Flag: TypeAlias = Annotated[StrictBool, Expected("true or false, not a string or a number")]
"""A JSON boolean."""
FilterText: TypeAlias = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_URI_CHARACTERS),
    BeforeValidator(_undo_plus),
    AfterValidator(_check_line),
    Expected("a phone number (its + written as %2B) or a SIP URI, exactly as calls show it"),
]
"""A number or URI to look for."""
Moment: TypeAlias = Annotated[
    datetime,
    AfterValidator(_check_moment),
    Expected("an ISO-8601 time with its zone, for example 2026-01-31T08:00:00Z"),
]
"""An aware time, in UTC."""


def whole_number(lowest: int, highest: int, unit: str = "") -> Expected:
    """Return the words for an integer in a range."""
    return Expected(f"a whole number from {lowest} to {highest}{unit}, not a string")


def one_of(*values: str) -> Expected:
    """Return the words for one of some strings."""
    return Expected("one of " + ", ".join(f'"{value}"' for value in values))
