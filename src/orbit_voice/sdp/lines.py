"""The lines of a session description that have structure, each a frozen value.

``parse`` takes what stands behind ``x=``; ``str()`` gives it back. Where peers are known to deviate
harmlessly (more than one space between fields, a space at the end) they are understood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from orbit_voice.sdp.errors import SdpError

MAX_DIGITS: Final = 20
"""Digits of any number: enough for 64 bits (RFC 3264 §5 allows 63)."""
MAX_PORT: Final = 65_535

_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+")
_NUMBER: Final = re.compile(rf"[0-9]{{1,{MAX_DIGITS}}}")


def require_token(text: str, what: str) -> str:
    """Return ``text`` if it is a token (RFC 8866 §9).

    Raises:
        SdpError: It is not; ``what`` names it in the message.
    """
    if _TOKEN.fullmatch(text) is None:
        raise SdpError(f"{what} is not a token", section="RFC 8866 §9")
    return text


def require_number(text: str, what: str, *, most: int | None = None) -> int:
    """Return the value of a run of ASCII digits.

    Raises:
        SdpError: It is something else, has more than :data:`MAX_DIGITS` digits or is above
            ``most``; ``what`` names it in the message.
    """
    if _NUMBER.fullmatch(text) is None or (most is not None and int(text) > most):
        raise SdpError(f"{what} is not a number in range", section="RFC 8866 §9")
    return int(text)


def _split(value: str, count: int, what: str, section: str) -> list[str]:
    fields = value.split()
    if len(fields) != count:
        raise SdpError(f"{what} has {len(fields)} fields instead of {count}", section=section)
    return fields


@dataclass(frozen=True, slots=True)
class Origin:
    """``o=`` (RFC 8866 §5.2). ``session_version`` grows with each change of the description."""

    username: str
    session_id: int
    session_version: int
    network_type: str
    address_type: str
    address: str

    @classmethod
    def parse(cls, value: str) -> Self:
        """Read the value of an ``o=`` line.

        Raises:
            SdpError: It is malformed.
        """
        name, session_id, version, network, kind, address = _split(value, 6, "o=", "RFC 8866 §5.2")
        return cls(
            name,
            require_number(session_id, "the session id"),
            require_number(version, "the session version"),
            require_token(network, "the network type"),
            require_token(kind, "the address type"),
            address,
        )

    def __str__(self) -> str:
        return (
            f"{self.username} {self.session_id} {self.session_version} "
            f"{self.network_type} {self.address_type} {self.address}"
        )


@dataclass(frozen=True, slots=True)
class Connection:
    """``c=`` (RFC 8866 §5.7). ``address`` keeps the ``/ttl/count`` of a multicast address."""

    network_type: str
    address_type: str
    address: str

    @classmethod
    def parse(cls, value: str) -> Self:
        """Read the value of a ``c=`` line.

        Raises:
            SdpError: It is malformed.
        """
        network, kind, address = _split(value, 3, "c=", "RFC 8866 §5.7")
        return cls(
            require_token(network, "the network type"),
            require_token(kind, "the address type"),
            address,
        )

    def __str__(self) -> str:
        return f"{self.network_type} {self.address_type} {self.address}"


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """``b=`` (RFC 8866 §5.8). The unit depends on the kind: ``AS`` and ``CT`` are kbit/s."""

    kind: str
    value: int

    @classmethod
    def parse(cls, value: str) -> Self:
        """Read the value of a ``b=`` line.

        Raises:
            SdpError: It is malformed.
        """
        kind, _, figure = value.strip().partition(":")
        return cls(
            require_token(kind, "the bandwidth type"), require_number(figure, "the bandwidth")
        )

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


@dataclass(frozen=True, slots=True)
class Timing:
    """``t=`` with its ``r=`` and ``z=`` lines (RFC 8866 §5.9-5.11).

    Attributes:
        start: Seconds since 1900, 0 for “always”.
        stop: Seconds since 1900, 0 for “never ends”.
        repeats: Values of ``r=`` lines, as they are: calls do not repeat.
        zone: Value of the ``z=`` line, as it is.
    """

    start: int = 0
    stop: int = 0
    repeats: tuple[str, ...] = ()
    zone: str | None = None

    @classmethod
    def parse(cls, value: str) -> Self:
        """Read the value of a ``t=`` line.

        Raises:
            SdpError: It is malformed.
        """
        start, stop = _split(value, 2, "t=", "RFC 8866 §5.9")
        return cls(require_number(start, "the start time"), require_number(stop, "the stop time"))

    def __str__(self) -> str:
        return f"{self.start} {self.stop}"


@dataclass(frozen=True, slots=True)
class Attribute:
    """``a=`` (RFC 8866 §5.13). ``value`` is None for a flag such as ``a=recvonly``."""

    name: str
    value: str | None = None

    @classmethod
    def parse(cls, value: str) -> Self:
        """Read the value of an ``a=`` line.

        Raises:
            SdpError: The name is not a token.
        """
        name, colon, rest = value.partition(":")
        return cls(
            require_token(name if colon else name.rstrip(" "), "the attribute name"),
            rest if colon else None,
        )

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}:{self.value}"


@dataclass(frozen=True, slots=True)
class MediaLine:
    """``m=`` (RFC 8866 §5.14). ``port`` 0 rejects or removes the stream (RFC 3264 §6, §8.2)."""

    kind: str
    port: int
    port_count: int
    protocol: str
    formats: tuple[str, ...]

    @classmethod
    def parse(cls, value: str, *, max_formats: int) -> Self:
        """Read the value of an ``m=`` line.

        Raises:
            SdpError: It is malformed or has more than ``max_formats`` formats.
        """
        fields = value.split()
        if not 4 <= len(fields) <= 3 + max_formats:
            raise SdpError("m= has too few or too many fields", section="RFC 8866 §5.14")
        port, slash, count = fields[1].partition("/")
        for part in fields[2].split("/"):
            require_token(part, "the protocol")
        return cls(
            require_token(fields[0], "the media type"),
            require_number(port, "the port", most=MAX_PORT),
            require_number(count, "the number of ports", most=MAX_PORT) if slash else 1,
            fields[2],
            tuple(require_token(text, "a format") for text in fields[3:]),
        )

    def __str__(self) -> str:
        ports = str(self.port) if self.port_count == 1 else f"{self.port}/{self.port_count}"
        return f"{self.kind} {ports} {self.protocol} {' '.join(self.formats)}"
