"""Addresses in header fields: From, To, Contact, Route, Record-Route, Refer-To and kin."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from orbit_voice.sip import grammar
from orbit_voice.sip.grammar import QUOTED_STRING, TOKEN_CHARS, WS, ParseError
from orbit_voice.sip.params import NO_PARAMS, Params
from orbit_voice.sip.uri import Uri, parse_uri

_name_addr: Final = re.compile(
    rf"(?:({QUOTED_STRING}){WS}|([{TOKEN_CHARS} \t]*+))<([^<>\" \t]++)>{WS}"
)
_addr_spec: Final = re.compile(rf"([^;?,<>\" \t]++){WS}")
_SECTION: Final = "RFC 3261 §20.10"


@dataclass(frozen=True, slots=True)
class NameAddr:
    """A ``name-addr`` or ``addr-spec`` with its header parameters (RFC 3261 §25.1).

    Without angle brackets, parameters belong to the header field and not to the URI, which then
    may hold no comma, question mark or semicolon (RFC 3261 §20.10).

    Attributes:
        uri: The address.
        display_name: Unquoted, or None where there is none.
        params: Header parameters, unquoted.
    """

    uri: Uri
    display_name: str | None = None
    params: Params = NO_PARAMS

    @classmethod
    def parse(cls, text: str) -> NameAddr:
        """Read one address.

        Raises:
            ParseError: Malformed.
        """
        if "<" not in text:
            if (match := _addr_spec.match(text)) is None:
                raise ParseError("an address is malformed", section=_SECTION)
            return cls(parse_uri(match[1]), None, _parse_params(text, match.end()))
        if (match := _name_addr.match(text)) is None:
            raise ParseError("an address is malformed", section=_SECTION)
        quoted, tokens, uri = match.groups()
        display_name = grammar.unquote(quoted) if quoted else tokens.strip(" \t") or None
        return cls(parse_uri(uri), display_name, _parse_params(text, match.end()))

    @property
    def tag(self) -> str | None:
        """The ``tag`` parameter of From and To, or None."""
        tag: str | None = self.params.get("tag")
        return tag

    def with_tag(self, tag: str) -> NameAddr:
        """Return this with ``tag`` set."""
        return replace(self, params=self.params.with_param("tag", tag))

    def __str__(self) -> str:
        """Write a name-addr, always with angle brackets and a quoted display name."""
        address = f"<{self.uri}>{self.params}"
        if self.display_name is None:
            return address
        return f"{grammar.quote(self.display_name)} {address}"


def _parse_params(text: str, position: int) -> Params:
    params = Params.parse(text, position)
    if "tag" in params and not grammar.token.fullmatch(params["tag"] or ""):
        raise ParseError("a tag is not a token", section="RFC 3261 §19.3")
    return params
