"""Which address of this machine peers are told."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

_SOMEWHERE: Final = {4: "192.0.2.1", 6: "2001:db8::1"}
"""Documentation addresses (RFC 5737, RFC 3849): nothing is sent to them."""


def public_address(configured: str, bound_host: str) -> str:
    """Return the numeric address peers reach us at.

    Args:
        configured: ``ORBIT_PUBLIC_ADDRESS``, or empty.
        bound_host: Address that SIP is bound to.

    Returns:
        The configured one; else the bound one unless it stands for all; else the one that a packet
        to the Internet would leave from; without a route anywhere, loopback.
    """
    if configured:
        return configured
    bound = ipaddress.ip_address(bound_host)
    if not bound.is_unspecified:
        return bound_host
    family = socket.AF_INET if bound.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((_SOMEWHERE[bound.version], 9))
        except OSError:
            return "127.0.0.1" if bound.version == 4 else "::1"
        address: str = probe.getsockname()[0]
    return address


def host_port(host: str, port: int) -> str:
    """Return ``host:port``, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
