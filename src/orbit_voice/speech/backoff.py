"""When to start again what keeps failing."""

from __future__ import annotations


class Backoff:
    """Doubles the pause with every failure in a row. Sans-IO.

    Args:
        first_s: Pause after the first failure, seconds.
        longest_s: The pause never grows beyond this, seconds.
    """

    def __init__(self, *, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._pause_s = 0.0
        self._ready_at = float("-inf")

    def failed(self, now: float) -> None:
        """Take note that it failed at ``now``, monotonic seconds."""
        self._pause_s = min(self._longest_s, self._pause_s * 2 or self._first_s)
        self._ready_at = now + self._pause_s

    def succeeded(self) -> None:
        """Take note that it works: the next failure is a first one."""
        self._pause_s = 0.0
        self._ready_at = float("-inf")

    def remaining_s(self, now: float) -> float:
        """Return how long to leave it alone yet, seconds; 0.0: start."""
        return max(0.0, self._ready_at - now)
