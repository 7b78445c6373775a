"""Under which host our messages say we are reached (Via, Contact, o= of SDP)."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from orbit_voice.signaling.transport.interfaces import Network

MAX_REMEMBERED: Final = 4_096
"""Peers whose route is remembered; a flood of sources must not fill the memory."""


class LocalNames:
    """Answers with the advertised host, else the bound address, else what routing says.

    Args:
        network: Knows the routes.
        advertised: Host that peers are told whatever their address, or None.
        bound: Numeric address our ports are bound to; ``0.0.0.0`` and ``::`` mean any.
    """

    def __init__(self, network: Network, advertised: str | None, bound: str) -> None:
        self._network = network
        self._fixed = advertised
        if advertised is None and not ip_address(bound).is_unspecified:
            self._fixed = bound
        self._routes: dict[str, str] = {}

    def towards(self, remote_host: str) -> str:
        """Return our host for a peer at a numeric address, IPv6 without brackets.

        Raises:
            TransportError: There is no route to it.
        """
        if self._fixed is not None:
            return self._fixed
        host = self._routes.get(remote_host)
        if host is None:
            host = self._network.source_address(remote_host)
            if len(self._routes) >= MAX_REMEMBERED:
                self._routes.clear()
            self._routes[remote_host] = host
        return host

    def forget(self) -> None:
        """Ask the routing table anew: routes may have changed."""
        self._routes.clear()
