"""Which IP addresses a URL of a stranger may lead to: public unicast ones only.

IPv6 addresses that carry an IPv4 address inside (mapped, 6to4, NAT64) are judged by both, because
the packet may end at the inner one.
"""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_REFUSED_IPV4: Final = tuple(
    (IPv4Network(network), why)
    for network, why in (
        ("0.0.0.0/8", "unspecified"),  # RFC 1122 §3.2.1.3
        ("10.0.0.0/8", "private"),  # RFC 1918
        ("100.64.0.0/10", "carrier-grade NAT"),  # RFC 6598
        ("127.0.0.0/8", "loopback"),  # RFC 1122 §3.2.1.3
        ("168.63.129.16/32", "metadata"),  # Azure: public, yet only reached from inside
        ("169.254.0.0/16", "link-local"),  # RFC 3927; metadata services live here
        ("172.16.0.0/12", "private"),  # RFC 1918
        ("192.0.0.0/24", "reserved"),  # RFC 6890 §2.1
        ("192.0.2.0/24", "documentation"),  # RFC 5737
        ("192.88.99.0/24", "reserved"),  # RFC 7526: 6to4 relays, withdrawn
        ("192.168.0.0/16", "private"),  # RFC 1918
        ("198.18.0.0/15", "reserved"),  # RFC 2544: benchmarks
        ("198.51.100.0/24", "documentation"),  # RFC 5737
        ("203.0.113.0/24", "documentation"),  # RFC 5737
        ("224.0.0.0/4", "multicast"),  # RFC 5771
        ("240.0.0.0/4", "reserved"),  # RFC 1112 §4, with the limited broadcast
    )
)
_REFUSED_IPV6: Final = tuple(
    (IPv6Network(network), why)
    for network, why in (
        ("::/128", "unspecified"),  # RFC 4291 §2.5.2
        ("::1/128", "loopback"),  # RFC 4291 §2.5.3
        ("fc00::/7", "unique local"),  # RFC 4193
        ("fe80::/10", "link-local"),  # RFC 4291 §2.5.6
        ("fec0::/10", "site-local"),  # RFC 3879
        ("ff00::/8", "multicast"),  # RFC 4291 §2.7
        ("64:ff9b:1::/48", "local-use NAT64"),  # RFC 8215
        ("2001::/23", "reserved"),  # RFC 6890 §2.3: Teredo, benchmarks, ORCHID
        ("2001:db8::/32", "documentation"),  # RFC 3849
        ("3fff::/20", "documentation"),  # RFC 9637
    )
)
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")


def refusal(address: Address) -> str | None:
    """Return what kind of forbidden address this is (``"loopback"``), or None if it is public."""
    if isinstance(address, IPv4Address):
        return next((why for network, why in _REFUSED_IPV4 if address in network), None)
    if (inner := embedded_ipv4(address)) is not None:
        return refusal(inner)
    if address.scope_id is not None:
        return "link-local"
    for network, why in _REFUSED_IPV6:
        if address in network:
            return why
    return None if address in _GLOBAL_UNICAST else "reserved"


def embedded_ipv4(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address inside, or None.

    Mapped (RFC 4291 §2.5.5.2), 6to4 (RFC 3056 §2) or NAT64 (RFC 6052 §2.1).
    """
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None


class AllowList:
    """What an operator lets through although it is not public.

    Args:
        entries: Host names (exact, any case), addresses and CIDRs, as ``ORBIT_WEBHOOK_ALLOW``
            lists them. A name is let through wherever it leads.

    Raises:
        ValueError: An entry looks like a network and is none (``10.0.0.1/8``).
    """

    def __init__(self, entries: tuple[str, ...] = ()) -> None:
        self._names: set[str] = set()
        self._networks: list[Network] = []
        for entry in entries:
            self._add(entry.strip().lower().removesuffix("."))

    def has_name(self, host: str) -> bool:
        """Whether ``host``, in lower case, is let through by name."""
        return host in self._names

    def has_address(self, address: Address) -> bool:
        """Whether ``address``, or the IPv4 address inside it, is let through."""
        inner = embedded_ipv4(address) if isinstance(address, IPv6Address) else None
        return any(one in network for network in self._networks for one in (address, inner) if one)

    def _add(self, entry: str) -> None:
        bare = entry.removeprefix("[").removesuffix("]")
        if "/" in bare:
            self._networks.append(ip_network(bare))
            return
        try:
            self._networks.append(ip_network(ip_address(bare)))
        except ValueError:
            self._names.add(bare)
