"""Ids: a prefix that names the kind, then 26 characters that sort by time.

The unique part is laid out as a ULID: 48 bits of Unix milliseconds, 80 random bits, written in
lower-case Crockford base 32. Ids made by one process in the same millisecond still ascend.
"""

from __future__ import annotations

import secrets
from enum import StrEnum
from typing import Final

from orbit_voice.kit.clock import unix_time

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS: Final = 80
_LENGTH: Final = 26


class IdPrefix(StrEnum):
    """The kinds of id a client can meet (API contract §1)."""

    CALL = "call"
    TRUNK = "trk"
    NUMBER = "num"
    RECORDING = "rec"
    WEBHOOK = "wh"
    EVENT = "evt"
    DELIVERY = "dlv"
    REQUEST = "req"
    API_KEY = "key"
    ORGANIZATION = "org"
    LEG = "leg"
    NODE = "node"


class IdFactory:
    """Makes ascending ids.

    Args:
        prefix: Kind of thing the ids name.
    """

    def __init__(self, prefix: IdPrefix) -> None:
        self._prefix = prefix
        self._last = 0

    def __call__(self) -> str:
        """Return a fresh id, for example ``call_01jd3r8m6k8v2t0q4x9w7z5y1b``."""
        value = (int(unix_time() * 1000) << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
        if value <= self._last:
            value = self._last + 1
        self._last = value
        return f"{self._prefix.value}_{_base32(value)}"


def _base32(value: int) -> str:
    digits = []
    for _ in range(_LENGTH):
        digits.append(_ALPHABET[value & 31])
        value >>= 5
    return "".join(reversed(digits))


new_call_id: Final = IdFactory(IdPrefix.CALL)
new_trunk_id: Final = IdFactory(IdPrefix.TRUNK)
new_number_id: Final = IdFactory(IdPrefix.NUMBER)
new_recording_id: Final = IdFactory(IdPrefix.RECORDING)
new_event_id: Final = IdFactory(IdPrefix.EVENT)
new_delivery_id: Final = IdFactory(IdPrefix.DELIVERY)
new_request_id: Final = IdFactory(IdPrefix.REQUEST)
new_api_key_id: Final = IdFactory(IdPrefix.API_KEY)
new_organization_id: Final = IdFactory(IdPrefix.ORGANIZATION)
new_leg_id: Final = IdFactory(IdPrefix.LEG)
new_node_id: Final = IdFactory(IdPrefix.NODE)
