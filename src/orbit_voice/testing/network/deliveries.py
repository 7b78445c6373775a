"""What is in flight on a loop, delivered in the order of its moments."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count


class DeliveryQueue:
    """Calls things at their moments; of equal moments, in the order they were added.

    asyncio promises no order between timers of one moment, and a network must not invent disorder
    that nobody asked for. So each timer delivers whatever is first by then.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._closed = False

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, moment: float, deliver: Callable[[], None]) -> None:
        """Call ``deliver`` at ``moment`` (loop time, seconds); after :meth:`close`, never."""
        if not self._closed:
            heappush(self._heap, (moment, next(self._order), deliver))
            asyncio.get_running_loop().call_at(moment, self._deliver_first)

    def close(self) -> None:
        """Forget what is in flight. May be called twice."""
        self._closed = True
        self._heap.clear()

    def _deliver_first(self) -> None:
        if self._heap:
            heappop(self._heap)[2]()
