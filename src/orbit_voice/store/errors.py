"""What the store can fail with, beyond the outcomes that each method names."""

from __future__ import annotations

from orbit_voice.kit.errors import CallError, ErrorCode, OrbitError


class StoreUnavailableError(CallError):
    """The database could not be reached or could not write: locked, full, broken, gone.

    Nothing of the unit of work was kept, unless the connection broke while it was being
    committed. Every write of the store may be repeated.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(
            ErrorCode.SERVICE_UNAVAILABLE,
            "The database cannot take this now. Try again in a moment.",
            headers={"Retry-After": "1"},
        )
        self.reason = reason


class StoreCorruptError(OrbitError):
    """What the database holds contradicts what this program wrote: a bug, or foreign hands."""


class SchemaError(OrbitError):
    """The database was made by a newer version of this program, or not by it."""


class SealError(OrbitError):
    """A sealed text cannot be opened: wrong key, other place, or damaged."""
