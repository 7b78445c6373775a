"""Who may be served next: the lanes of delivery, and what keeps one from delaying another.

A lane is a destination (:func:`orbit_voice.kit.outbox.destination_of`). What waits in it lies in
the store; here is only when the first of it is due. Places are limited overall, per host and per
lane. A lane whose latest attempt got no answer, or a slow one, is *suspect*, and so is a lane
without a history on a host where that happened last. All suspects together have a quarter of the
places of the whole, of each host and of each lane. So dead receivers, however many, never take the
places of those that answer.

Pure: no clock, no I/O.
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

MAX_UNDER_WAY: Final = 128
"""Attempts at once. A healthy receiver answers in some 50 ms: 2500 events a second."""
MAX_PER_HOST: Final = 32
"""Attempts at once to one scheme, host and port, over all organizations."""
MAX_PER_LANE: Final = 8
"""Attempts at once to one destination; of different calls, as a call's events go one by one."""
MAX_LANES_AT_ONCE: Final = 64
"""Lanes asked for in one transaction, so that it stays short."""
MAX_FAILING_HOSTS: Final = 4096
"""Hosts remembered as failing; the longest known is forgotten first."""
_SPARE_ENTRIES: Final = 64
"""Outdated entries of the heap that are not worth a cleaning."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many attempts may be under way at once."""

    total: int = MAX_UNDER_WAY
    per_host: int = MAX_PER_HOST
    per_lane: int = MAX_PER_LANE

    def of_suspects(self) -> Limits:
        """Return what of it suspect lanes may take."""
        return Limits(*(max(1, n // 4) for n in (self.total, self.per_host, self.per_lane)))


class Lanes:
    """What is due where, and what is under way.

    Args:
        limits: See :class:`Limits`.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._suspect_limits = limits.of_suspects()
        self._due: dict[str, datetime] = {}
        self._later: list[tuple[datetime, str]] = []
        self._ready: dict[str, None] = {}  # in the order in which they are served
        self._lanes: Counter[str] = Counter()
        self._hosts: Counter[str] = Counter()
        self._suspect_hosts: Counter[str] = Counter()
        self._verdicts: dict[str, bool] = {}
        self._failing_hosts: dict[str, None] = {}

    @property
    def under_way(self) -> int:
        """Attempts under way."""
        return self._hosts.total()

    @property
    def waiting(self) -> int:
        """Lanes in which something waits."""
        return len(self._due)

    def set_due(self, lane: str, due_at: datetime | None) -> None:
        """Say when the first of ``lane`` is due; None: nothing waits in it."""
        if due_at is None:
            self._ready.pop(lane, None)
            self._due.pop(lane, None)
            if not self._lanes[lane]:
                self._verdicts.pop(lane, None)
        elif self._due.get(lane) != due_at or lane in self._ready:
            self._ready.pop(lane, None)
            self._due[lane] = due_at
            heapq.heappush(self._later, (due_at, lane))
            self._compact()

    def advance_due(self, lane: str, due_at: datetime) -> None:
        """Say that something in ``lane`` is due at ``due_at``, or earlier as already known."""
        known = self._due.get(lane)
        if known is None or due_at < known:
            self.set_due(lane, due_at)

    def start(self, lane: str) -> bool:
        """Note that an attempt began; return whether it takes a place of the suspects."""
        host = host_of(lane)
        as_suspect = self._is_suspect(lane)
        self._lanes[lane] += 1
        self._hosts[host] += 1
        if as_suspect:
            self._suspect_hosts[host] += 1
        return as_suspect

    def end(self, lane: str, *, as_suspect: bool, is_healthy: bool) -> None:
        """Note that an attempt ended.

        Args:
            lane: Where.
            as_suspect: What :meth:`start` returned.
            is_healthy: Whether the receiver answered soon, with whatever status.
        """
        host = host_of(lane)
        _decrement(self._lanes, lane)
        _decrement(self._hosts, host)
        if as_suspect:
            _decrement(self._suspect_hosts, host)
        self._verdicts[lane] = is_healthy
        self._failing_hosts.pop(host, None)
        if not is_healthy:
            self._failing_hosts[host] = None
            if len(self._failing_hosts) > MAX_FAILING_HOSTS:
                del self._failing_hosts[next(iter(self._failing_hosts))]

    def plan(self, now: datetime) -> dict[str, int]:
        """Return which lanes to claim from, and how many deliveries at most.

        Lanes are served in turn: who is planned goes to the end of the row.
        """
        self._bring_up(now)
        room = _Room(
            total=self._limits.total - self.under_way,
            suspects=self._suspect_limits.total - self._suspect_hosts.total(),
        )
        planned: dict[str, int] = {}
        for lane in self._ready:
            if room.total <= 0 or len(planned) >= MAX_LANES_AT_ONCE:
                break
            if (count := self._room_for(lane, room)) > 0:
                planned[lane] = count
        for lane in planned:
            del self._ready[lane]
            self._ready[lane] = None
        return planned

    def next_deadline(self) -> datetime | None:
        """Return when the next lane becomes due, or None.

        Lanes that are due already wait for a place, not for a time.
        """
        self._drop_outdated()
        return self._later[0][0] if self._later else None

    def lateness_s(self, now: datetime) -> float:
        """Return how long the most overdue lane has been due, seconds; 0.0 when none is."""
        overdue = (now - self._due[lane] for lane in self._ready)
        return max(0.0, max(overdue, default=timedelta()).total_seconds())

    def _is_suspect(self, lane: str) -> bool:
        verdict = self._verdicts.get(lane)
        return host_of(lane) in self._failing_hosts if verdict is None else not verdict

    def _room_for(self, lane: str, room: _Room) -> int:
        """Return how many of ``lane`` may start, and take them from ``room``."""
        host = host_of(lane)
        is_suspect = self._is_suspect(lane)
        limits = self._suspect_limits if is_suspect else self._limits
        count = min(
            room.total,
            limits.per_lane - self._lanes[lane],
            self._limits.per_host - self._hosts[host] - room.hosts[host],
        )
        if is_suspect:
            of_host = limits.per_host - self._suspect_hosts[host] - room.suspect_hosts[host]
            count = min(count, room.suspects, of_host)
        if count > 0:
            room.take(host, count, is_suspect=is_suspect)
        return count

    def _bring_up(self, now: datetime) -> None:
        self._drop_outdated()
        while self._later and self._later[0][0] <= now:
            _, lane = heapq.heappop(self._later)
            self._ready[lane] = None
            self._drop_outdated()

    def _drop_outdated(self) -> None:
        """Take from the heap's head what was said before something newer."""
        while self._later and not self._is_current(*self._later[0]):
            heapq.heappop(self._later)

    def _is_current(self, due_at: datetime, lane: str) -> bool:
        return self._due.get(lane) == due_at and lane not in self._ready

    def _compact(self) -> None:
        if len(self._later) > 2 * len(self._due) + _SPARE_ENTRIES:
            self._later = list({entry for entry in self._later if self._is_current(*entry)})
            heapq.heapify(self._later)


@dataclass(slots=True)
class _Room:
    """Places left while a plan is made."""

    total: int
    suspects: int
    hosts: Counter[str] = field(default_factory=Counter)
    suspect_hosts: Counter[str] = field(default_factory=Counter)

    def take(self, host: str, count: int, *, is_suspect: bool) -> None:
        self.total -= count
        self.hosts[host] += count
        if is_suspect:
            self.suspects -= count
            self.suspect_hosts[host] += count


def host_of(lane: str) -> str:
    """Return ``https://host:port`` of ``org_… https://host:port/path``."""
    scheme, _, rest = lane.partition(" ")[2].partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def _decrement(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
