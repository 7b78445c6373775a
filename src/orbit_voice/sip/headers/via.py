"""The Via header field (RFC 3261 §20.42, RFC 3581)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from orbit_voice.sip import grammar
from orbit_voice.sip.grammar import HOST, TOKEN, WS, ParseError
from orbit_voice.sip.params import NO_PARAMS, Params
from orbit_voice.sip.uri import parse_port

BRANCH_COOKIE: Final = "z9hG4bK"
"""Begins every branch that names one transaction (RFC 3261 §8.1.1.7)."""
_SECTION: Final = "RFC 3261 §20.42"

_via: Final = re.compile(
    rf"(?P<protocol>{TOKEN}){WS}/{WS}(?P<version>{TOKEN}){WS}/{WS}(?P<transport>{TOKEN})"
    rf"[ \t]++(?P<host>{HOST})(?:{WS}:{WS}(?P<port>[0-9]++))?{WS}"
)


@dataclass(frozen=True, slots=True)
class Via:
    """One hop that a message took.

    Attributes:
        transport: As written, usually ``UDP``, ``TCP``, ``TLS``, ``WS`` or ``WSS``.
        host: Host of ``sent-by``; an IPv6 address stands in brackets.
        port: Port of ``sent-by``, 0-65535, or None where it has none; never a default.
        params: Parameters, unquoted.
        protocol: Protocol name and version, ``SIP/2.0`` but for torture.
    """

    transport: str
    host: str
    port: int | None = None
    params: Params = NO_PARAMS
    protocol: str = "SIP/2.0"

    @classmethod
    def parse(cls, text: str) -> Via:
        """Read one ``via-parm``.

        Raises:
            ParseError: Malformed.
        """
        if (match := _via.match(text)) is None:
            raise ParseError("a Via header field is malformed", section=_SECTION)
        name, version, transport, host, port = match.groups()
        params = Params.parse(text, match.end())
        if "branch" in params and not grammar.token.fullmatch(params["branch"] or ""):
            raise ParseError("a Via branch is not a token", section=_SECTION)
        via = cls(
            transport,
            grammar.check_host(host) if host[0] == "[" else host,
            None if port is None else parse_port(port),
            params,
            f"{name}/{version}",
        )
        _ = via.rport
        return via

    @property
    def branch(self) -> str | None:
        """The branch, or None from an RFC 2543 peer."""
        branch: str | None = self.params.get("branch")
        return branch

    @property
    def received(self) -> str | None:
        """Where the message really came from, an address without brackets, or None."""
        received: str | None = self.params.get("received")
        return received.strip("[]") if received else None

    @property
    def wants_rport(self) -> bool:
        """Whether ``rport`` is there, with or without a value (RFC 3581 §3)."""
        return "rport" in self.params

    @property
    def rport(self) -> int | None:
        """The port the message really came from, or None where it is not filled in.

        Raises:
            ParseError: Not a port; never after :meth:`parse`.
        """
        text = self.params.get("rport")
        return parse_port(text) if text else None

    @property
    def maddr(self) -> str | None:
        """The ``maddr`` parameter, or None."""
        maddr: str | None = self.params.get("maddr")
        return maddr

    @property
    def sent_by(self) -> str:
        """``host`` or ``host:port``, in lower case for comparing (RFC 3261 §17.2.3)."""
        return (self.host if self.port is None else f"{self.host}:{self.port}").lower()

    def with_source(self, address: str, port: int) -> Via:
        """Return this with where the message came from noted in it.

        ``received`` is added when ``sent-by`` names another host or ``rport`` asks for it (RFC
        3261 §18.2.1, RFC 3581 §4); a ``received`` or ``rport`` value the sender put is replaced.

        Args:
            address: Source IP address, IPv6 without brackets.
            port: Source port.
        """
        params = self.params.without("received")
        if self.wants_rport:
            params = params.with_param("rport", str(port))
        if self.wants_rport or self.host.strip("[]").lower() != address.lower():
            params = params.with_param("received", address)
        return replace(self, params=params)

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"{self.protocol}/{self.transport} {self.host}{port}{self.params}"
