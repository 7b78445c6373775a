"""What a simulated leg went through, and waiting for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MAX_MOMENTS: Final = 10_000
"""Kept per leg; later ones are dropped."""
PATIENCE_S: Final = 10.0
"""How long waiting methods wait unless told otherwise, seconds."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a transcript.

    Attributes:
        at_s: Seconds since the leg began.
        what: ``ringing``, ``answered``, ``digit`` …
        detail: Status, digit, reason …; may be empty.
    """

    at_s: float
    what: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.at_s:.3f} s {self.what} {self.detail}".rstrip()


class Transcript:
    """Moments in order. Use inside a running loop.

    Args:
        listener: Called with every moment, as it happens.

    Attributes:
        moments: What happened so far.
    """

    def __init__(self, listener: Callable[[Moment], None] | None = None) -> None:
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._began_at = self._loop.time()
        self._changed = asyncio.Event()
        self.moments: list[Moment] = []

    def note(self, what: str, detail: object = "") -> None:
        """Add a moment and have every waiter look again."""
        moment = Moment(self._loop.time() - self._began_at, what, str(detail))
        if len(self.moments) < MAX_MOMENTS:
            self.moments.append(moment)
        if self._listener is not None:
            self._listener(moment)
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, condition: Callable[[], bool], wish: str, timeout_s: float) -> None:
        """Return when ``condition`` holds; it is asked now and after every moment.

        Args:
            condition: What to wait for.
            wish: The same in words, for the error.
            timeout_s: How long to wait, seconds.

        Raises:
            TimeoutError: It did not hold in time; the message holds the transcript.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    await self._changed.wait()
        except TimeoutError:
            seen = "; ".join(map(str, self.moments)) or "nothing"
            raise TimeoutError(
                f"waited {timeout_s:g} s for: {wish}. What happened: {seen}"
            ) from None
