"""An audio stream as the peer describes it, as far as we can use it.

An attribute whose value makes no sense is taken as not there, as RFC 8866 §5.13 asks for what is
not understood: a broken ``rtpmap`` of some codec we do not speak must not cost the call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias

from orbit_voice.sdp.description import MediaDescription, SessionDescription
from orbit_voice.sdp.direction import Direction, read_direction
from orbit_voice.sdp.errors import SdpError
from orbit_voice.sdp.lines import MAX_PORT, Connection

PLAIN_PROTOCOLS: Final = frozenset({"RTP/AVP", "RTP/AVPF"})
"""AVPF without feedback messages agreed on differs in RTCP timing only (RFC 4585 §3.1)."""
SECURE_PROTOCOLS: Final = frozenset(
    {"RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"}
)
NOT_AUDIO: Final = "the stream is not audio"
TELEPHONE_EVENT: Final = "TELEPHONE-EVENT"
"""RFC 4733, in the spelling of :attr:`Format.encoding`."""
CLOCK_RATE_HZ: Final = 8000
"""RTP clock of both G.711 laws and of the events beside them."""
STATIC_PAYLOAD_TYPES: Final = {"PCMU": 0, "PCMA": 8}
"""RFC 3551 §6. Every codec we speak is in it."""

IpAddress: TypeAlias = IPv4Address | IPv6Address

_STATIC_ENCODINGS: Final = {number: name for name, number in STATIC_PAYLOAD_TYPES.items()}
_RTPMAP: Final = re.compile(r"\s*([0-9]{1,3})\s+([^\s/]+)/([0-9]{1,9})(?:/1)?\s*", re.ASCII)
_PAYLOAD_TYPE: Final = re.compile(r"[0-9]{1,3}", re.ASCII)
_MILLISECONDS: Final = re.compile(r"\s*([0-9]{1,5})(?:\.[0-9]+)?\s*", re.ASCII)
_RTCP: Final = re.compile(r"\s*([0-9]{1,5})(?:\s.*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Format:
    """What one payload type means.

    Attributes:
        payload_type: 0-127.
        encoding: Name in upper case; encoding names know no case (RFC 4855 §3).
    """

    payload_type: int
    encoding: str


@dataclass(frozen=True, slots=True)
class RemoteAudio:
    """A stream of the peer that we could use.

    Attributes:
        index: Place of its ``m=`` line, from 0.
        protocol: ``RTP/AVP`` or ``RTP/AVPF``.
        address: Where it wants media: numeric, unicast; unspecified when ``black_hole``.
        port: Where it wants RTP.
        rtcp_port: Where it wants RTCP (RFC 3605; the next port if it does not say).
        rtcp_mux: Whether it can do both on one port (RFC 5761).
        black_hole: Whether it gave no address to send to (RFC 3264 §8.4).
        direction: As the peer sees it.
        formats: With a clock of :data:`CLOCK_RATE_HZ`, in the peer's order of preference.
        payload_types: Every payload type of the stream, usable or not.
        ptime_ms: What it would like a packet to hold, or None.
        max_ptime_ms: What a packet may hold at most, or None.
    """

    index: int
    protocol: str
    address: IpAddress
    port: int
    rtcp_port: int
    rtcp_mux: bool
    black_hole: bool
    direction: Direction
    formats: tuple[Format, ...]
    payload_types: frozenset[int]
    ptime_ms: int | None
    max_ptime_ms: int | None

    def find(self, encoding: str) -> Format | None:
        """Return the peer's first format with this encoding, or None."""
        return next((known for known in self.formats if known.encoding == encoding), None)


def read_audio(session: SessionDescription, index: int, *, family: int) -> RemoteAudio:
    """Read the stream at ``index``.

    Args:
        session: The peer's description.
        index: Place of the ``m=`` line, from 0.
        family: IP version of our own address, 4 or 6.

    Raises:
        SdpError: It cannot be used (488) or contradicts itself (400).
    """
    media = session.media[index]
    _require_plain_audio(media)
    connection = media.connections[0] if media.connections else session.connection
    if connection is None:
        raise SdpError("a stream has no c= line", section="RFC 8866 §5.7")
    address, black_hole = _read_address(connection, family)
    return RemoteAudio(
        index=index,
        protocol=media.line.protocol,
        address=address,
        port=media.line.port,
        rtcp_port=_read_rtcp_port(media),
        rtcp_mux=media.attribute("rtcp-mux") is not None,
        black_hole=black_hole,
        direction=read_direction(session, media),
        formats=_read_formats(media),
        payload_types=frozenset(_read_payload_types(media)),
        ptime_ms=_read_milliseconds(media, "ptime"),
        max_ptime_ms=_read_milliseconds(media, "maxptime"),
    )


def _require_plain_audio(media: MediaDescription) -> None:
    line = media.line
    if line.kind.lower() != "audio":
        raise SdpError(NOT_AUDIO, status_hint=488)
    if line.port == 0:
        raise SdpError("the stream is switched off", status_hint=488, section="RFC 3264 §6")
    if line.protocol in SECURE_PROTOCOLS:
        raise SdpError(f"{line.protocol} needs encryption, which is off here", status_hint=488)
    if line.protocol not in PLAIN_PROTOCOLS:
        raise SdpError("the stream is not RTP", status_hint=488)


def _read_address(connection: Connection, family: int) -> tuple[IpAddress, bool]:
    """Return a numeric address and whether it is a black hole.

    A name under ``.invalid`` is to IPv6 what 0.0.0.0 is to IPv4 (RFC 6157 §4.1).
    """
    if connection.address.lower().rstrip(".").endswith(".invalid"):
        return (IPv4Address(0) if family == 4 else IPv6Address(0)), True
    if connection.address_type != f"IP{family}" or connection.network_type != "IN":
        raise SdpError(f"the peer has no IPv{family} address for media", status_hint=488)
    try:
        address = ip_address(connection.address)
    except ValueError:
        raise SdpError("the media address is not a numeric one", status_hint=488) from None
    if address.version != family or getattr(address, "scope_id", None) is not None:
        raise SdpError("the address is not of the type it claims", section="RFC 8866 §5.7")
    if address.is_multicast or address == IPv4Address(0xFFFFFFFF):
        raise SdpError("media goes to one peer, not to a group", status_hint=488)
    return address, address.is_unspecified


def _read_rtcp_port(media: MediaDescription) -> int:
    attribute = media.attribute("rtcp")
    found = _RTCP.fullmatch(attribute.value or "") if attribute is not None else None
    if found is not None and 0 < int(found[1]) <= MAX_PORT:
        return int(found[1])
    if media.line.port == MAX_PORT:
        raise SdpError("port 65535 leaves none for RTCP", section="RFC 3550 §11")
    return media.line.port + 1


def _read_payload_types(media: MediaDescription) -> list[int]:
    return [
        int(text)
        for text in media.line.formats
        if _PAYLOAD_TYPE.fullmatch(text) is not None and int(text) <= 127
    ]


def _read_formats(media: MediaDescription) -> tuple[Format, ...]:
    """Pair payload types with encodings, as ``rtpmap`` says or else RFC 3551 does."""
    encodings: dict[int, str | None] = dict(_STATIC_ENCODINGS)
    for attribute in media.attributes:
        if attribute.name == "rtpmap" and (found := _RTPMAP.fullmatch(attribute.value or "")):
            number, encoding, rate_hz = int(found[1]), found[2].upper(), int(found[3])
            # What contradicts the profile's own table is used in neither meaning.
            usable = (
                rate_hz == CLOCK_RATE_HZ and _STATIC_ENCODINGS.get(number, encoding) == encoding
            )
            encodings[number] = encoding if usable else None
    return tuple(
        Format(number, encoding)
        for number in _read_payload_types(media)
        if (encoding := encodings.get(number)) is not None
    )


def _read_milliseconds(media: MediaDescription, name: str) -> int | None:
    attribute = media.attribute(name)
    found = _MILLISECONDS.fullmatch(attribute.value or "") if attribute is not None else None
    return None if found is None else int(found[1]) or None
