"""Our own descriptions: the one audio stream, and the session around it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final

from orbit_voice.sdp.audio import CLOCK_RATE_HZ, STATIC_PAYLOAD_TYPES, TELEPHONE_EVENT, Format
from orbit_voice.sdp.description import MediaDescription, SessionDescription
from orbit_voice.sdp.direction import Direction
from orbit_voice.sdp.lines import Attribute, Connection, MediaLine, Origin, Timing

FIRST_VERSION: Final = 1
"""``o=`` version of the first description; must stay far below 2**62 (RFC 3264 §5)."""
MAX_SESSION_ID: Final = 2**63 - 1
"""RFC 3264 §5."""
PTIMES_MS: Final = (20, 40, 60)
"""What a packet of ours can hold: whole ticks of the media clock, up to what is still usual."""

_EVENT_PAYLOAD_TYPES: Final = (101, *range(96, 101), *range(102, 128))
"""Dynamic payload types for telephone-event (RFC 3551 §3); 101 is what most use."""
_SPELLINGS: Final = {TELEPHONE_EVENT: "telephone-event"}
_ALL_DIGITS_AND_FLASH: Final = "0-15"
"""Events 0-9, *, # and A-D (RFC 4733 §3.2)."""


@dataclass(frozen=True, slots=True)
class LocalAudio:
    """Our side of the stream.

    Attributes:
        rtp_port: Where we want RTP; RTCP comes to the next one.
        codecs: Encoding names in our order of preference.
        ptime_ms: What we would like a packet from the peer to hold.
        telephone_event: Whether we speak RFC 4733.

    Raises:
        ValueError: No codec, an unknown or repeated one, a port or ptime out of range.
    """

    rtp_port: int
    codecs: tuple[str, ...]
    ptime_ms: int
    telephone_event: bool

    def __post_init__(self) -> None:
        if not self.codecs or len(set(self.codecs)) != len(self.codecs):
            raise ValueError("codecs must name at least one codec, and none twice")
        if unknown := set(self.codecs) - STATIC_PAYLOAD_TYPES.keys():
            raise ValueError(f"unknown codecs: {', '.join(sorted(unknown))}")
        if not 0 < self.rtp_port < 65_535:
            raise ValueError("the RTP port must leave room for the RTCP port after it")
        if self.ptime_ms not in PTIMES_MS:
            raise ValueError(f"ptime_ms must be one of {PTIMES_MS}")

    def formats(
        self, *, agreed: Sequence[Format] = (), taken: Collection[int] = ()
    ) -> tuple[Format, ...]:
        """Return everything we can do, for an offer.

        A payload type never changes its meaning within a session (RFC 3264 §8.3.2).

        Args:
            agreed: Formats in use, which keep their payload types.
            taken: Payload types the peer has given a meaning to.
        """
        numbers = STATIC_PAYLOAD_TYPES | {known.encoding: known.payload_type for known in agreed}
        formats = [Format(numbers[name], name) for name in self.codecs]
        if self.telephone_event:
            free = (number for number in _EVENT_PAYLOAD_TYPES if number not in taken)
            number = numbers.get(TELEPHONE_EVENT)
            # With every dynamic type taken there is none for events: the call goes on without.
            number = next(free, None) if number is None else number
            formats += [] if number is None else [Format(number, TELEPHONE_EVENT)]
        return tuple(formats)

    def describe(
        self, protocol: str, formats: Sequence[Format], direction: Direction, *, rtcp_mux: bool
    ) -> MediaDescription:
        """Return the stream as an ``m=`` section."""
        attributes = [
            *(attribute for known in formats for attribute in _describe_format(known)),
            Attribute("ptime", str(self.ptime_ms)),
            *([Attribute("rtcp-mux")] if rtcp_mux else []),
            Attribute(direction.value),
        ]
        payload_types = tuple(str(known.payload_type) for known in formats)
        return MediaDescription(
            MediaLine("audio", self.rtp_port, 1, protocol, payload_types),
            attributes=tuple(attributes),
        )

    def choose_ptime(self, wished_ms: int | None, most_ms: int | None) -> int:
        """Return what a packet to a peer shall hold: its wish, else ours, as far as possible."""
        bound = min(wished_ms or self.ptime_ms, most_ms or PTIMES_MS[-1])
        return max((known for known in PTIMES_MS if known <= bound), default=PTIMES_MS[0])


def _describe_format(known: Format) -> list[Attribute]:
    name = _SPELLINGS.get(known.encoding, known.encoding)
    attributes = [Attribute("rtpmap", f"{known.payload_type} {name}/{CLOCK_RATE_HZ}")]
    if known.encoding == TELEPHONE_EVENT:
        attributes.append(Attribute("fmtp", f"{known.payload_type} {_ALL_DIGITS_AND_FLASH}"))
    return attributes


class DescriptionWriter:
    """Writes our descriptions of one session and counts their versions.

    Args:
        address: Our numeric address, IPv4 or IPv6.
        session_id: 0 to 2**63 - 1, the same in every description of the session.

    Raises:
        ValueError: The address is not numeric or the id is out of range.
    """

    def __init__(self, address: str, session_id: int) -> None:
        if not 0 <= session_id <= MAX_SESSION_ID:
            raise ValueError("session_id must fit into 63 bits")
        self.family = ip_address(address).version
        kind = f"IP{self.family}"
        self._first = SessionDescription(
            origin=Origin("-", session_id, FIRST_VERSION, "IN", kind, address),
            connection=Connection("IN", kind, address),
        )
        self._last: SessionDescription | None = None

    def write(
        self, media: tuple[MediaDescription, ...], timings: tuple[Timing, ...] | None = None
    ) -> bytes:
        """Write a description; its version is one higher if it differs from the last (RFC 3264 §8).

        Args:
            media: The streams.
            timings: Those of the offer that is answered (RFC 3264 §6); None keeps what was.
        """
        last = self._last or self._first
        self._last = replace(last, media=media, timings=timings or last.timings)
        if self._last != last and last is not self._first:
            version = last.origin.session_version + 1
            self._last = replace(self._last, origin=replace(last.origin, session_version=version))
        return self._last.serialize()
