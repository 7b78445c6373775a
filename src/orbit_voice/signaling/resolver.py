"""From a URI to where its messages go: transport, host, port (RFC 3263 §4).

A port in the URI is always honoured and then no SRV record is asked for (RFC 3263 §4.2).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, NamedTuple, TypeAlias

from orbit_voice.kit.errors import TransportError
from orbit_voice.kit.tasks import TaskScope
from orbit_voice.signaling.transport.interfaces import Network, TransportKind
from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.uri import SipUri

DEFAULT_PORT: Final = 5060
"""Of SIP over UDP and TCP (RFC 3261 §19.1.2)."""
MAX_LOOKUPS: Final = 500
"""Names being looked up at once."""
LOOKUP_TIMEOUT_S: Final = 10.0
"""How long a look-up may take, seconds; two tries of an ordinary stub resolver."""


class Target(NamedTuple):
    """Where a message is to go.

    Attributes:
        kind: The transport.
        host: A name or a numeric address, IPv6 without brackets.
        port: 1-65535.
    """

    kind: TransportKind
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.kind.value}"


Resolved: TypeAlias = Callable[[Target | TransportError], None]


@lru_cache(maxsize=4_096)
def target_of(uri: str, default: TransportKind) -> Target:
    """Return where a request for ``uri`` goes.

    Args:
        uri: Next hop: the topmost Route, or the Request-URI.
        default: Transport where the URI names none.

    Raises:
        TransportError: The URI cannot be reached by UDP or TCP.
    """
    try:
        sip_uri = SipUri.parse(uri)
    except ParseError as error:
        raise TransportError(f"cannot send to {uri}: {error.reason}") from error
    if sip_uri.scheme != "sip":
        raise TransportError(f"cannot send to {uri}: TLS is not available")
    kind = _kind(sip_uri, default)
    host = sip_uri.params.get("maddr") or sip_uri.host
    return Target(kind, host.strip("[]"), sip_uri.port or DEFAULT_PORT)


def _kind(uri: SipUri, default: TransportKind) -> TransportKind:
    name = uri.transport
    if name is None:
        return default
    try:
        return TransportKind(name)
    except ValueError:
        raise TransportError(f"cannot send to {uri}: no transport {name}") from None


@lru_cache(maxsize=4_096)
def is_numeric(host: str) -> bool:
    """Whether ``host`` is an IPv4 or IPv6 address without brackets."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class Resolver:
    """Turns names into addresses: numeric ones at once, the rest by the network's resolver.

    Args:
        network: Looks names up.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._tasks = TaskScope("signaling.resolver")

    def resolve(self, target: Target, resolved: Resolved) -> None:
        """Call ``resolved`` with a numeric target, at once if it is numeric already."""
        if is_numeric(target.host):
            resolved(target)
        elif len(self._tasks) >= MAX_LOOKUPS:
            resolved(TransportError(f"cannot resolve {target.host}: too many look-ups"))
        else:
            _ = self._tasks.start(self._look_up(target, resolved), name="look_up")

    async def close(self) -> None:
        """Give up what is being looked up; nobody is called any more."""
        await self._tasks.close()

    async def _look_up(self, target: Target, resolved: Resolved) -> None:
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT_S):
                host = await self._network.resolve(target.host)
        except TimeoutError:
            resolved(TransportError(f"cannot resolve {target.host}: no answer"))
        except TransportError as error:
            resolved(error)
        else:
            resolved(target._replace(host=host))
