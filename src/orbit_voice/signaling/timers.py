"""One loop timer for every deadline of the SIP machines.

A machine says with ``next_deadline`` when it wants to be ticked. Most of those deadlines are never
reached: a retransmission timer dies with the response, an answered transaction is forgotten. So the
pump is lazy. A machine has at most one live entry in the heap; a deadline that moved later is only
noticed when the old one comes up, and a machine that is finished leaves a blank behind. Blanks are
swept when they outnumber the rest.
"""

from __future__ import annotations

import asyncio
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from typing import Final, Protocol

SWEEP_FLOOR: Final = 256
"""Fewer blanks than this are not worth a sweep of the heap."""
SLACK_S: Final = 0.001
"""What is due within this many seconds is done now: uvloop's timers round to milliseconds, and a
timer that comes up a little early must not spin until its moment."""


class Timed(Protocol):
    """Something with deadlines. Hashed by identity."""

    def next_deadline(self) -> float | None:
        """Return when :meth:`tick` is next due (loop time, seconds), or None."""

    def tick(self, now: float) -> None:
        """Do everything that is due at ``now``. Must not raise."""


class _Entry:
    """A place in the heap. ``timed`` is None once it is blank."""

    __slots__ = ("deadline", "order", "timed")

    def __init__(self, deadline: float, order: int, timed: Timed) -> None:
        self.deadline = deadline
        self.order = order
        self.timed: Timed | None = timed


_Item = tuple[float, int, _Entry]


class TimerPump:
    """Ticks machines when they are due.

    Args:
        loop: Its clock is the only one used.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[_Item] = []
        self._entries: dict[Timed, _Entry] = {}
        self._order = count()
        self._handle: asyncio.TimerHandle | None = None
        self._armed_for = inf
        self._blanks = 0

    def __len__(self) -> int:
        return len(self._entries)

    def update(self, timed: Timed) -> None:
        """Note the deadline of ``timed``; call it after every step of the machine."""
        deadline = timed.next_deadline()
        entry = self._entries.get(timed)
        if entry is not None:
            if deadline is not None and deadline >= entry.deadline:
                return
            self._blank(entry)
            if deadline is None:
                del self._entries[timed]
        if deadline is not None:
            self._push(timed, deadline)

    def forget(self, timed: Timed) -> None:
        """Never tick ``timed`` again."""
        if (entry := self._entries.pop(timed, None)) is not None:
            self._blank(entry)

    def close(self) -> None:
        """Forget everything."""
        if self._handle is not None:
            self._handle.cancel()
        self._armed_for = inf
        self._heap.clear()
        self._entries.clear()
        self._blanks = 0

    def _push(self, timed: Timed, deadline: float) -> None:
        entry = _Entry(deadline, next(self._order), timed)
        self._entries[timed] = entry
        heappush(self._heap, (deadline, entry.order, entry))
        self._arm()

    def _blank(self, entry: _Entry) -> None:
        entry.timed = None
        self._blanks += 1
        if self._blanks > SWEEP_FLOOR and self._blanks * 2 > len(self._heap):
            self._heap = [item for item in self._heap if item[2].timed is not None]
            heapify(self._heap)
            self._blanks = 0

    def _arm(self) -> None:
        earliest = self._heap[0][0]
        if self._armed_for <= earliest:
            return
        if self._handle is not None:
            self._handle.cancel()
        self._armed_for = earliest
        self._handle = self._loop.call_at(earliest, self._fire)

    def _fire(self) -> None:
        try:
            self._tick_all(self._loop.time())
        finally:
            self._armed_for = inf
            if self._heap:
                self._arm()

    def _tick_all(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now + SLACK_S:
            timed = heappop(self._heap)[2].timed
            if timed is None:
                self._blanks -= 1
            else:
                del self._entries[timed]
                self._tick(timed, now)

    def _tick(self, timed: Timed, now: float) -> None:
        deadline = timed.next_deadline()
        if deadline is not None and deadline <= now + SLACK_S:
            timed.tick(max(now, deadline))
        self.update(timed)
