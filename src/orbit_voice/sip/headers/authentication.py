"""Challenges and credentials (RFC 3261 §20.7, §20.27, §20.44; digest: RFC 7616, RFC 8760).

One header line holds one challenge or one set of credentials; SIP does not join them with commas
(RFC 3261 §7.3.1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from orbit_voice.sip import grammar
from orbit_voice.sip.grammar import TOKEN, ParseError
from orbit_voice.sip.params import MAX_PARAMS, Params, too_many_params

_scheme: Final = re.compile(rf"({TOKEN})[ \t]++")

_QUOTED_IN_CHALLENGE: Final = frozenset({"realm", "domain", "nonce", "opaque", "qop"})
_QUOTED_IN_CREDENTIALS: Final = frozenset(
    {"username", "realm", "nonce", "uri", "response", "cnonce", "opaque"}
)
"""Quoted always; the rest never where a token will do (RFC 3261 §25.1, RFC 7616 §3.3 and §3.4)."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """A WWW-Authenticate or Proxy-Authenticate value.

    Attributes:
        scheme: As written, ``Digest`` for all that matters.
        params: Unquoted parameters.
    """

    scheme: str
    params: Params

    @classmethod
    def parse(cls, text: str) -> Challenge:
        """Read ``challenge``.

        Raises:
            ParseError: Malformed.
        """
        return cls(*_parse(text))

    @property
    def is_digest(self) -> bool:
        """Whether the scheme is Digest."""
        return self.scheme.lower() == "digest"

    @property
    def realm(self) -> str:
        """The realm; empty where it is missing."""
        return self.params.get("realm") or ""

    @property
    def nonce(self) -> str:
        """The nonce; empty where it is missing."""
        return self.params.get("nonce") or ""

    @property
    def opaque(self) -> str | None:
        """To be sent back as it is, or None."""
        opaque: str | None = self.params.get("opaque")
        return opaque

    @property
    def algorithm(self) -> str:
        """The algorithm as written; ``MD5`` where none is given (RFC 7616 §3.3)."""
        return self.params.get("algorithm") or "MD5"

    @property
    def is_stale(self) -> bool:
        """Whether only the nonce of the refused credentials was wrong."""
        return str(self.params.get("stale")).lower() == "true"

    @property
    def qop(self) -> tuple[str, ...]:
        """The qualities of protection offered, lower case; empty for RFC 2069 peers."""
        offered = (self.params.get("qop") or "").split(",")
        return tuple(each.strip(" \t").lower() for each in offered if each.strip(" \t"))

    def __str__(self) -> str:
        return _write(self.scheme, self.params, _QUOTED_IN_CHALLENGE)


@dataclass(frozen=True, slots=True)
class Authorization:
    """An Authorization or Proxy-Authorization value.

    Attributes:
        scheme: As written, ``Digest`` for all that matters.
        params: Unquoted parameters.
    """

    scheme: str
    params: Params

    @classmethod
    def parse(cls, text: str) -> Authorization:
        """Read ``credentials``.

        Raises:
            ParseError: Malformed.
        """
        return cls(*_parse(text))

    @property
    def is_digest(self) -> bool:
        """Whether the scheme is Digest."""
        return self.scheme.lower() == "digest"

    @property
    def nonce_count(self) -> int | None:
        """``nc`` as a number, or None where it is missing.

        Raises:
            ParseError: Not eight hexadecimal digits.
        """
        if (text := self.params.get("nc")) is None:
            return None
        if not re.fullmatch("[0-9A-Fa-f]{8}", text):
            raise ParseError("nc is not eight hexadecimal digits", section="RFC 7616 §3.4")
        return int(text, 16)

    def __str__(self) -> str:
        return _write(self.scheme, self.params, _QUOTED_IN_CREDENTIALS)


def _parse(text: str) -> tuple[str, Params]:
    if (match := _scheme.match(text)) is None:
        raise ParseError("an authentication scheme is malformed")
    scheme, position = match[1], match.end()
    pairs: list[tuple[str, str | None]] = []
    while len(pairs) < MAX_PARAMS:
        if (found := grammar.auth_param.match(text, position)) is None:
            raise ParseError("an authentication parameter is malformed")
        name, value = found.groups()
        pairs.append((name, grammar.unquote(value) if value[0] == '"' else value))
        position = found.end()
        if position == len(text):
            return scheme, _unique(pairs)
        if text[position] != ",":
            raise ParseError("authentication parameters are not separated by commas")
        position += 1
    raise too_many_params()


def _unique(pairs: list[tuple[str, str | None]]) -> Params:
    params = Params(pairs)
    if len(params) != len(pairs):
        raise ParseError("an authentication parameter is repeated")
    return params


def _write(scheme: str, params: Mapping[str, str | None], quoted: frozenset[str]) -> str:
    written = (
        f"{name}={grammar.quote(value or '') if name in quoted else _as_token(value or '')}"
        for name, value in params.items()
    )
    return f"{scheme} {', '.join(written)}"


def _as_token(value: str) -> str:
    return value if grammar.token.fullmatch(value) else grammar.quote(value)
