"""Steps that have to happen: one clear sentence for each that does not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orbit_voice.kit.errors import OrbitError
from orbit_voice.testing.leg import LegEndedError


class StepMissedError(OrbitError):
    """Something that should have happened did not; the text says what."""


@asynccontextmanager
async def step(sentence: str) -> AsyncIterator[None]:
    """Hold what has to happen for ``sentence`` to be true.

    Raises:
        StepMissedError: It did not happen in time, or the call ended before.
    """
    try:
        yield
    except (TimeoutError, LegEndedError) as error:
        raise StepMissedError(f"“{sentence}” did not happen: {error}") from error
