"""A URL taken apart the strict way, so that what is checked is what is called.

Most holes in URL checks come from two readers who understand one text differently. Here the text is
read once, everything ambiguous is refused, and only the parts travel on.
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.webhooks.addresses import Address

MAX_URL_CHARACTERS: Final = 2048
"""Longest URL taken; RFC 9110 §4.1 asks for 8000 octets at least, no receiver needs them."""

_AMBIGUOUS: Final = re.compile(r"[\x00-\x20\x7f\\]")
_NUMERIC_LABEL: Final = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)")
_NAME: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
    r"(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_KEPT_IN_PATH: Final = "/%:@!$&'()*+,;=~-._"
_KEPT_IN_QUERY: Final = _KEPT_IN_PATH + "?[]|^`{}"


class UrlRefusedError(CallError):
    """A URL this server does not call.

    Args:
        reason: Why not, a sentence without its full stop.
    """

    def __init__(self, reason: str) -> None:
        spec = ErrorCode.INVALID_WEBHOOK_URL.spec
        super().__init__(
            ErrorCode.INVALID_WEBHOOK_URL,
            f"{reason}. {spec.hint}",
            details={"expected": "an http(s) URL of a public host", "reason": reason},
        )
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes.

    Attributes:
        scheme: ``http`` or ``https``.
        host: Name or address in its one spelling: ASCII, lower case, without brackets, without a
            trailing dot.
        address: The address when ``host`` is one, else None.
        port: 1-65535.
        path: Path and query, ASCII; begins with ``/``.
    """

    scheme: str
    host: str
    address: Address | None
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the Host header says (RFC 9110 §7.2); a default port is left out."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse_target(url: str) -> Target:
    """Take ``url`` apart.

    A fragment is dropped. Nothing is looked up, no address is judged.

    Raises:
        UrlRefusedError: Not http(s), a user in it, no or a bad host, a bad port, too long, or a
            character that programs read differently.
    """
    if len(url) > MAX_URL_CHARACTERS:
        raise UrlRefusedError(f"The URL is longer than {MAX_URL_CHARACTERS} characters")
    if _AMBIGUOUS.search(url):
        raise UrlRefusedError("The URL holds a space, a backslash or a control character")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UrlRefusedError("The URL's host or port cannot be read") from error
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        raise UrlRefusedError("The URL is not http or https")
    if "@" in parts.netloc:
        raise UrlRefusedError("The URL names a user or password")
    if port == 0 or parts.netloc.endswith(":"):
        raise UrlRefusedError("The URL's port is not 1-65535")
    host, address = _read_host(parts)
    return Target(scheme, host, address, port or _DEFAULT_PORTS[scheme], _path(parts))


def _read_host(parts: SplitResult) -> tuple[str, Address | None]:
    text = parts.hostname or ""
    if "[" in parts.netloc:
        return _read_ipv6(text)
    try:
        host = text.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError as error:
        raise UrlRefusedError("The URL's host is not a valid name") from error
    if _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]):
        return _read_ipv4(host)
    if not _NAME.fullmatch(host):
        raise UrlRefusedError("The URL's host is not a valid name")
    return host, None


def _read_ipv6(text: str) -> tuple[str, Address]:
    try:
        address = IPv6Address(text)
    except ValueError as error:
        raise UrlRefusedError("The URL's IPv6 address cannot be read") from error
    return str(address), address


def _read_ipv4(host: str) -> tuple[str, Address]:
    """Read any spelling resolvers take: ``127.1``, ``0x7f.1``, ``2130706433``, ``0177.0.0.1``."""
    try:
        address = IPv4Address(socket.inet_aton(host))
    except OSError as error:
        raise UrlRefusedError("The URL's IPv4 address cannot be read") from error
    return str(address), address


def _path(parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe=_KEPT_IN_PATH)
    query = quote(parts.query, safe=_KEPT_IN_QUERY)
    return f"{path}?{query}" if query else path
