"""Which trunk carries a call out, and whose call comes in."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from orbit_voice.kit.errors import RemoteProtocolError
from orbit_voice.sip.uri import SipUri
from orbit_voice.trunks.records import Trunk


def choose_trunk(trunks: Iterable[Trunk], trunk_id: str | None) -> Trunk | None:
    """Return the trunk a call goes out by.

    Args:
        trunks: The organization's enabled trunks, most preferred first.
        trunk_id: The one asked for, or None for the first.
    """
    for trunk in trunks:
        if trunk_id is None or trunk.id == trunk_id:
            return trunk
    return None


def trunks_of_source(trunks: Iterable[Trunk], address: str) -> list[Trunk]:
    """Return the trunks that calls from a source address may belong to.

    A trunk claims an address by its ``inbound_uris`` (host, CIDR or SIP URI) or, being where calls
    are sent to, by its ``outbound_uri``. Names are not resolved here: only literal addresses count.

    Args:
        trunks: Enabled trunks of every organization.
        address: Numeric source address of the INVITE.
    """
    source = ipaddress.ip_address(address)
    return [trunk for trunk in trunks if any(source in network for network in _networks(trunk))]


def destination_uri(trunk: Trunk, number: str) -> str:
    """Return the Request-URI that asks ``trunk`` for ``number`` (E.164; RFC 3261 §19.1.6)."""
    carrier = SipUri.parse(trunk.outbound_uri)
    port = "" if carrier.port is None else f":{carrier.port}"
    return f"{carrier.scheme}:{number}@{carrier.host}{port};user=phone"


def _networks(
    trunk: Trunk,
) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    hosts = (trunk.outbound_uri, *trunk.inbound_uris)
    return [network for host in hosts if (network := _network(host)) is not None]


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    host = text
    if text.startswith(("sip:", "sips:")):
        try:
            host = SipUri.parse(text).host.strip("[]")
        except RemoteProtocolError:
            return None
    try:
        return ipaddress.ip_network(host, strict=False)
    except ValueError:
        return None
