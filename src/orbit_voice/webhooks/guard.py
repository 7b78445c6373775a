"""The guard against requests to where no stranger's URL may lead (SSRF; API contract §10).

It is asked twice: when a URL is given, so that its owner hears at once, and at every connect, where
the connection goes to the very addresses that were judged. A name that leads elsewhere the second
time (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

from orbit_voice.webhooks.addresses import Address, AllowList, refusal
from orbit_voice.webhooks.resolver import ResolutionError, Resolver
from orbit_voice.webhooks.targets import Target, UrlRefusedError, parse_target

MAX_ADDRESSES: Final = 4
"""Addresses of one name that are tried."""
CHECK_TIMEOUT_S: Final = 3.0
"""Longest look-up while a client of the API waits, seconds."""
_LAST_PRIVILEGED_PORT: Final = 1023
_OPEN_PRIVILEGED_PORTS: Final = frozenset({80, 443})
_BLOCKED_PORTS: Final = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 5060, 5061, 6000, 6566, *range(6665, 6670), 6679, 6697}
)
"""Ports above 1023 where another protocol may take an HTTP request for its own: H.323, PPTP, NFS,
SIP, X11, IRC (the Fetch standard's blocked ports)."""


class UrlGuard:
    """Judges URLs and the addresses behind them.

    Args:
        resolver: Looks names up.
        allow: Names, addresses and CIDRs let through although they are not public
            (``ORBIT_WEBHOOK_ALLOW``). For them any port is allowed too.

    Raises:
        ValueError: An entry of ``allow`` looks like a network and is none.
    """

    def __init__(self, *, resolver: Resolver, allow: Sequence[str] = ()) -> None:
        self._resolver = resolver
        self._allow = AllowList(tuple(allow))

    async def check(self, url: str) -> None:
        """Judge a URL that somebody gives us.

        A name that cannot be looked up now passes: its name server may be back when it is needed,
        and it is judged again then.

        Raises:
            UrlRefusedError: This server will not call it; a ``CallError`` with the code
                ``INVALID_WEBHOOK_URL``.
        """
        target = parse_target(url)
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                await self.pin(target)
        except (ResolutionError, TimeoutError):
            return

    async def pin(self, target: Target) -> list[Address]:
        """Return the addresses to connect to, best first, 1 to :data:`MAX_ADDRESSES`.

        Raises:
            UrlRefusedError: One of the name's addresses is not public (even if others are), or the
                port is one where HTTP has no business.
            ResolutionError: The name has no address now.
        """
        if target.address is not None:
            found = [target.address]
        else:
            found = [ip_address(text) for text in await self._resolver(target.host)]
        if not found:
            raise ResolutionError(f"{target.host} has no address")
        for address in found:
            self._judge(target, address)
        return found[:MAX_ADDRESSES]

    def _judge(self, target: Target, address: Address) -> None:
        if self._allow.has_name(target.host) or self._allow.has_address(address):
            return
        if (kind := refusal(address)) is not None:
            article = "an" if kind[0] in "aeiou" else "a"
            raise UrlRefusedError(f"{target.host} leads to {article} {kind} address")
        if not _is_open_port(target.port):
            raise UrlRefusedError(f"Port {target.port} is not one for HTTP")


def _is_open_port(port: int) -> bool:
    if port <= _LAST_PRIVILEGED_PORT:
        return port in _OPEN_PRIVILEGED_PORTS
    return port not in _BLOCKED_PORTS
