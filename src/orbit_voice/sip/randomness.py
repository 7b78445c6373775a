"""Randomness that the cores are given, since they draw none themselves."""

from __future__ import annotations

from typing import Protocol


class Randomness(Protocol):
    """Where tags, Call-IDs, nonces and random waits come from."""

    def token(self) -> str:
        """Return a fresh token: letters and digits, at least 64 unguessable bits (§19.3)."""

    def below(self, limit: int) -> int:
        """Return a number from 0 to ``limit`` - 1, all equally likely."""
