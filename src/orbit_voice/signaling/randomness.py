"""The randomness of the operating system, as the SIP cores want it."""

from __future__ import annotations

import secrets
from typing import Final

TOKEN_BYTES: Final = 10
"""80 bits: more than the 64 that a tag or branch needs to be unguessable."""


class SystemRandomness:
    """Draws from the system's generator (a :class:`~orbit_voice.sip.randomness.Randomness`)."""

    def token(self) -> str:
        """Return 20 hexadecimal digits."""
        return secrets.token_hex(TOKEN_BYTES)

    def below(self, limit: int) -> int:
        """Return a number from 0 to ``limit`` - 1."""
        return secrets.randbelow(limit)
