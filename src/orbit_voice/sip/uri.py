"""URIs of SIP: ``sip:`` and ``sips:`` (RFC 3261 §19.1), ``tel:`` (RFC 3966), and any other.

Parts are stored as they are meant: ``%HH`` is undone once, never again (RFC 4475 §3.1.1.3). A URI
that was parsed is written exactly as it came, since ``%3B`` and ``;`` are not the same (RFC 3261
§19.1.4); one that was built is written with the escapes it needs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import unquote

from orbit_voice.sip import grammar
from orbit_voice.sip.grammar import ALPHANUM, HOST, UNRESERVED, ParseError
from orbit_voice.sip.params import MAX_PARAMS, NO_PARAMS, Params, too_many_params

_USER: Final = rf"{UNRESERVED}&=+$,;?/"
_PASSWORD: Final = rf"{UNRESERVED}&=+$,"
_PARAM: Final = rf"{UNRESERVED}\[\]/:&+$"
_HEADER: Final = rf"{UNRESERVED}\[\]/?:+$"

_sip_uri: Final = re.compile(
    rf"(?P<scheme>sips?):(?:(?P<user>[{_USER}%]++)(?::(?P<password>[{_PASSWORD}%]*+))?@)?"
    rf"(?P<host>{HOST})(?::(?P<port>[0-9]++))?"
    rf"(?P<params>(?:;[{_PARAM}%]++(?:=[{_PARAM}%]++)?)*+)"
    rf"(?:\?(?P<headers>[{_HEADER}%]++=[{_HEADER}%]*+(?:&[{_HEADER}%]++=[{_HEADER}%]*+)*+))?",
    re.IGNORECASE,
)
_tel_uri: Final = re.compile(
    rf"tel:(?P<number>\+?[0-9A-F*#\-.()]++)(?P<params>(?:;[{ALPHANUM}\-]++(?:=[{_PARAM}%]++)?)*+)",
    re.IGNORECASE,
)
_scheme: Final = re.compile(rf"([A-Z][{ALPHANUM}+\-.]*+):", re.IGNORECASE)
_absolute: Final = re.compile(rf"[{UNRESERVED};/?:@&=+$,%\[\]]++")
_escaped: Final = re.compile("%([0-9A-Fa-f]{2})")

_not_user: Final = re.compile(rf"[^{_USER}]")
_not_password: Final = re.compile(rf"[^{_PASSWORD}]")
_not_param: Final = re.compile(rf"[^{_PARAM}]")
_not_header: Final = re.compile(rf"[^{_HEADER}]")
_unreserved: Final = re.compile(rf"[{UNRESERVED}]")
_VISUAL_SEPARATORS: Final = str.maketrans("", "", "-.()")

_COMPARED_PARAMS: Final = ("user", "ttl", "method", "maddr", "transport")
"""Must be in both URIs or in neither (RFC 3261 §19.1.4; ``transport`` added there too)."""


@dataclass(frozen=True, slots=True, eq=False)
class SipUri:
    """A ``sip:`` or ``sips:`` URI (RFC 3261 §19.1.1).

    Two are equal by RFC 3261 §19.1.4, which is not transitive: parameters that only one of them
    has are mostly ignored.

    Attributes:
        scheme: ``sip`` or ``sips``, lower case.
        host: Host name, IPv4 address, or IPv6 address in brackets, as written.
        port: 0-65535, or None where the URI has none; never a default.
        user: Unescaped user part with its parameters, or None.
        password: Unescaped, or None.
        params: Unescaped uri-parameters.
        headers: Unescaped names and values after ``?``.
    """

    scheme: str
    host: str
    port: int | None = None
    user: str | None = None
    password: str | None = None
    params: Params = NO_PARAMS
    headers: tuple[tuple[str, str], ...] = ()
    _text: str | None = field(default=None, init=False, repr=False)

    @classmethod
    def parse(cls, text: str) -> SipUri:
        """Read ``SIP-URI`` or ``SIPS-URI`` (RFC 3261 §25.1).

        Raises:
            ParseError: Malformed.
        """
        if (match := _sip_uri.fullmatch(text)) is None:
            raise ParseError("a SIP URI is malformed", section="RFC 3261 §19.1.1")
        grammar.check_escapes(text)
        scheme, user, password, host, port, params, headers = match.groups()
        uri = cls(
            scheme.lower(),
            grammar.check_host(host) if host[0] == "[" else host,
            None if port is None else parse_port(port),
            _undo(user) if user else None,
            _undo(password) if password else password,
            _parse_params(params) if params else NO_PARAMS,
            _parse_headers(headers) if headers else (),
        )
        object.__setattr__(uri, "_text", text)
        return uri

    @property
    def host_port(self) -> str:
        """``host`` or ``host:port``."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def transport(self) -> str | None:
        """The ``transport`` parameter in lower case, or None."""
        value = self.params.get("transport")
        return value.lower() if value else None

    @property
    def is_loose_router(self) -> bool:
        """Whether ``;lr`` is there (RFC 3261 §19.1.1)."""
        return "lr" in self.params

    def __str__(self) -> str:
        """Write the URI: as it came when it was parsed, else with the escapes it needs."""
        if self._text is not None:
            return self._text
        text = f"{self.scheme}:{self._user_info()}{self.host_port}{_write_params(self.params)}"
        if not self.headers:
            return text
        headers = (
            f"{_escape(_not_header, name)}={_escape(_not_header, value)}"
            for name, value in self.headers
        )
        return f"{text}?{'&'.join(headers)}"

    def _user_info(self) -> str:
        if not self.user:
            return ""
        user = _escape(_not_user, self.user)
        if self.password is None:
            return f"{user}@"
        return f"{user}:{_escape(_not_password, self.password)}@"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SipUri):
            return NotImplemented
        return self._identity() == other._identity() and _same_params(self, other)

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[object, ...]:
        """What must be the same in equal URIs, whatever their parameters."""
        match = _sip_uri.fullmatch(str(self))
        user, password = match.group("user", "password") if match else (self.user, self.password)
        return (
            self.scheme,
            _normal(user),
            _normal(password),
            self.host.lower(),
            self.port,
            frozenset((name.lower(), value) for name, value in self.headers),
        )


@dataclass(frozen=True, slots=True)
class TelUri:
    """A ``tel:`` URI (RFC 3966 §3).

    Attributes:
        number: With its visual separators, as written; global numbers begin with ``+``.
        params: For example ``phone-context`` and ``ext``.
    """

    number: str
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> TelUri:
        """Read ``telephone-uri``.

        Raises:
            ParseError: Malformed, or a local number without ``phone-context``.
        """
        match = _tel_uri.fullmatch(text)
        if match is None or not match["number"].translate(_VISUAL_SEPARATORS).strip("+"):
            raise ParseError("a tel URI is malformed", section="RFC 3966 §3")
        grammar.check_escapes(text)
        params = _parse_params(match["params"])
        if match["number"][0] != "+" and "phone-context" not in params:
            raise ParseError("a local number needs a phone-context", section="RFC 3966 §5.1.5")
        return cls(match["number"], params)

    @property
    def digits(self) -> str:
        """The number without visual separators; a global one keeps its ``+``."""
        return self.number.translate(_VISUAL_SEPARATORS)

    def __str__(self) -> str:
        return f"tel:{self.number}{_write_params(self.params)}"


@dataclass(frozen=True, slots=True)
class AbsoluteUri:
    """A URI of a scheme that means nothing to us; kept as it is.

    Attributes:
        scheme: Lower case.
        rest: What follows the colon, as written.
    """

    scheme: str
    rest: str

    @classmethod
    def parse(cls, text: str) -> AbsoluteUri:
        """Read ``absoluteURI`` (RFC 3261 §25.1).

        Raises:
            ParseError: Malformed.
        """
        match = _scheme.match(text)
        if match is None or not _absolute.fullmatch(text, match.end()):
            raise ParseError("a URI is malformed")
        grammar.check_escapes(text)
        return cls(match[1].lower(), text[match.end() :])

    def __str__(self) -> str:
        return f"{self.scheme}:{self.rest}"


Uri: TypeAlias = SipUri | TelUri | AbsoluteUri


def parse_uri(text: str) -> Uri:
    """Read a URI of any scheme.

    Raises:
        ParseError: Malformed.
    """
    return _parse_short(text) if len(text) <= _SHORT_CHARACTERS else _parse(text)


def _parse(text: str) -> Uri:
    scheme = text[:5].lower()
    if scheme.startswith(("sip:", "sips:")):
        return SipUri.parse(text)
    if scheme.startswith("tel:"):
        return TelUri.parse(text)
    return AbsoluteUri.parse(text)


_SHORT_CHARACTERS: Final = 128
_parse_short: Final = lru_cache(maxsize=1024)(_parse)
"""Every message of a call holds the same few URIs; at most 1024 x 128 characters are kept."""


def uri_scheme(text: str) -> str | None:
    """Return the scheme of ``text`` in lower case, or None if it does not begin with one."""
    match = _scheme.match(text)
    return match[1].lower() if match else None


def parse_port(text: str) -> int:
    """Read a port, 0-65535.

    Raises:
        ParseError: Not a number, or too large.
    """
    return grammar.parse_number(
        text, "a port", maximum=grammar.MAX_PORT, section="RFC 3261 §19.1.1"
    )


def _undo(text: str) -> str:
    return unquote(text) if "%" in text else text


def _escape(unfit: re.Pattern[str], text: str) -> str:
    return unfit.sub(
        lambda match: "".join(f"%{b:02X}" for b in match[0].encode("utf-8", "replace")), text
    )


def _parse_params(text: str) -> Params:
    parts = text.split(";", MAX_PARAMS + 1)[1:]
    if len(parts) > MAX_PARAMS:
        raise too_many_params()
    pairs: list[tuple[str, str | None]] = []
    for part in parts:
        name, equals, value = part.partition("=")
        pairs.append((_undo(name), _undo(value) if equals else None))
    params = Params(pairs)
    if len(params) != len(pairs):
        raise ParseError("a URI parameter is repeated", section="RFC 3261 §19.1.1")
    return params


def _parse_headers(text: str) -> tuple[tuple[str, str], ...]:
    parts = text.split("&", MAX_PARAMS)
    if len(parts) > MAX_PARAMS:
        raise too_many_params()
    pairs = (part.partition("=") for part in parts)
    return tuple((_undo(name), _undo(value)) for name, _, value in pairs)


def _write_params(params: Params) -> str:
    return "".join(
        f";{_escape(_not_param, name)}"
        if value is None
        else f";{_escape(_not_param, name)}={_escape(_not_param, value)}"
        for name, value in params.items()
    )


def _normal(text: str | None) -> str | None:
    """Undo the escapes of unreserved characters, the only ones that mean the same."""
    if text is None or "%" not in text:
        return text
    return _escaped.sub(_normal_escape, text)


def _normal_escape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if _unreserved.match(character) else match[0].upper()


def _same_params(one: SipUri, other: SipUri) -> bool:
    for name in {*one.params, *other.params}:
        in_both = name in one.params and name in other.params
        if not in_both and name in _COMPARED_PARAMS:
            return False
        if in_both and (one.params[name] or "").lower() != (other.params[name] or "").lower():
            return False
    return True
