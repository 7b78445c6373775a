"""Trunks and numbers as frozen values (API contract §3 and §4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Transport(StrEnum):
    """How signalling travels to a trunk."""

    UDP = "udp"
    TCP = "tcp"


class Encryption(StrEnum):
    """What a trunk protects."""

    NONE = "none"


@dataclass(frozen=True, slots=True)
class Trunk:
    """The link to a carrier.

    Attributes:
        outbound_uri: Where calls are sent, ``sip:host:port;transport=…``.
        inbound_uris: Hosts, CIDRs or SIP URIs whose source address may send us calls.
        username: Digest user name, or None.
        password: Digest password in clear, only in memory; the store seals it.
        codecs: Encoding names in order of preference.
        priority: Lower is tried first.
    """

    id: str
    org_id: str
    name: str
    outbound_uri: str
    created_at: datetime
    updated_at: datetime
    inbound_uris: tuple[str, ...] = ()
    username: str | None = None
    password: str | None = None
    realm: str | None = None
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    encryption: Encryption = Encryption.NONE
    transport: Transport = Transport.UDP
    priority: int = 0
    enabled: bool = True

    def __repr__(self) -> str:
        return f"Trunk(id={self.id!r}, name={self.name!r})"


class RoutingType(StrEnum):
    """What happens to an inbound call of a number."""

    ANSWER = "answer"
    MANUAL = "manual"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Number:
    """A phone number of an organization.

    Attributes:
        number: E.164.
        trunk_id: Trunk it comes in by, or None for any of the organization's.
        is_default: Caller ID of calls that name none.
        routing: What happens to its inbound calls; None refuses them with 404.
    """

    id: str
    org_id: str
    number: str
    created_at: datetime
    updated_at: datetime
    friendly_name: str | None = None
    trunk_id: str | None = None
    is_default: bool = False
    routing: RoutingType | None = None
    webhook_url: str | None = None
