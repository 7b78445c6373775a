"""How long to wait when both sides sent a re-INVITE at once (RFC 3261 §14.1)."""

from __future__ import annotations

from typing import Final

from orbit_voice.sip.randomness import Randomness

UNIT_S: Final = 0.01
"""Waits are multiples of 10 ms (RFC 3261 §14.1)."""
OWNER_UNITS: Final = (210, 400)
"""Shortest and longest wait of the side that made the Call-ID: 2.1 to 4 s."""
OTHER_UNITS: Final = (0, 200)
"""The same for the other side: 0 to 2 s."""
MAX_GLARES: Final = 8
"""Tries of one offer; a peer that answers every one with 491 refuses it in truth."""


class Glare:
    """Chooses the waits of one dialog.

    Args:
        randomness: Chooses.
        owns_call_id: Whether the Call-ID is ours.
    """

    __slots__ = ("_count", "_randomness", "_units")

    def __init__(self, randomness: Randomness, *, owns_call_id: bool) -> None:
        self._randomness = randomness
        self._units = OWNER_UNITS if owns_call_id else OTHER_UNITS
        self._count = 0

    def next_wait_s(self) -> float | None:
        """Return seconds to wait after one more 491, or None to give the offer up."""
        self._count += 1
        if self._count >= MAX_GLARES:
            return None
        shortest, longest = self._units
        return UNIT_S * (shortest + self._randomness.below(longest - shortest + 1))

    def settle(self) -> None:
        """Take the news that the offer had another answer."""
        self._count = 0
