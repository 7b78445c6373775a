"""Timer values of RFC 3261 §17, and the timers of one machine."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

T1_S: Final = 0.5
"""Round-trip time estimate, seconds (RFC 3261 §17.1.1.1)."""
T2_S: Final = 4.0
"""Longest retransmission interval of non-INVITE requests and INVITE responses, seconds
(RFC 3261 §17.1.2.2)."""
T4_S: Final = 5.0
"""Longest time a message stays in the network, seconds (RFC 3261 §17.1.2.2)."""
TIMEOUT_S: Final = 64 * T1_S
"""Timers B, F, H, J, L and M, seconds: the sum of all retransmissions fits in (RFC 3261 §17)."""

_Name = TypeVar("_Name", bound=Hashable)


class Timers(Generic[_Name]):
    """The running timers of one machine, named by the inputs they become.

    A machine has two or three at most, so looking at all of them is the fastest way.
    """

    __slots__ = ("_due",)

    def __init__(self) -> None:
        self._due: dict[_Name, float] = {}

    def start(self, name: _Name, at: float) -> None:
        """Have ``name`` fire at ``at`` (monotonic seconds); a running one is moved."""
        self._due[name] = at

    def stop(self, name: _Name) -> None:
        """Stop ``name``; no error if it does not run."""
        self._due.pop(name, None)

    def clear(self) -> None:
        """Stop all."""
        self._due.clear()

    def next_deadline(self) -> float | None:
        """Return when the earliest fires, or None."""
        return min(self._due.values(), default=None)

    def pop_due(self, now: float) -> _Name | None:
        """Stop the earliest timer that is due at ``now`` and return its name, or None.

        Of timers due at the same moment the one started first comes first.
        """
        if not self._due:
            return None
        name = min(self._due, key=self._due.__getitem__)
        if self._due[name] > now:
            return None
        del self._due[name]
        return name
