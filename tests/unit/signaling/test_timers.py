from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_voice.signaling.timers import SWEEP_FLOOR, TimerPump


class FakeHandle:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeLoop:
    """Time and ``call_at``; nothing else of a loop is asked for."""

    def __init__(self) -> None:
        self.now = 0.0
        self._order = itertools.count()
        self._timers: list[tuple[float, int, FakeHandle, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> FakeHandle:
        handle = FakeHandle()
        heapq.heappush(self._timers, (when, next(self._order), handle, callback))
        return handle

    def armed(self) -> int:
        return sum(not handle.cancelled for _, _, handle, _ in self._timers)

    def run_until(self, end: float) -> None:
        while self._timers and self._timers[0][0] <= end:
            when, _, handle, callback = heapq.heappop(self._timers)
            if not handle.cancelled:
                self.now = max(self.now, when)
                callback()
        self.now = end


class Machine:
    def __init__(self, *deadlines: float) -> None:
        self.deadlines = sorted(deadlines)
        self.ticks: list[float] = []

    def next_deadline(self) -> float | None:
        return self.deadlines[0] if self.deadlines else None

    def tick(self, now: float) -> None:
        self.ticks.append(now)
        self.deadlines = [deadline for deadline in self.deadlines if deadline > now]


@pytest.fixture
def loop() -> FakeLoop:
    return FakeLoop()


@pytest.fixture
def pump(loop: FakeLoop) -> TimerPump:
    return TimerPump(cast(Any, loop))


def test_a_machine_is_ticked_at_each_of_its_deadlines(loop: FakeLoop, pump: TimerPump) -> None:
    machine = Machine(1.0, 2.5, 7.0)
    pump.update(machine)
    loop.run_until(10.0)
    assert machine.ticks == [1.0, 2.5, 7.0]
    assert len(pump) == 0


def test_a_deadline_that_moved_later_does_not_tick_at_the_old_moment(
    loop: FakeLoop, pump: TimerPump
) -> None:
    machine = Machine(1.0)
    pump.update(machine)
    machine.deadlines = [5.0]
    pump.update(machine)
    loop.run_until(10.0)
    assert machine.ticks == [5.0]


def test_a_deadline_that_moved_earlier_ticks_at_the_new_moment(
    loop: FakeLoop, pump: TimerPump
) -> None:
    machine = Machine(5.0)
    pump.update(machine)
    machine.deadlines = [1.0]
    pump.update(machine)
    loop.run_until(10.0)
    assert machine.ticks == [1.0]


def test_a_machine_without_deadlines_is_forgotten(loop: FakeLoop, pump: TimerPump) -> None:
    machine = Machine(1.0)
    pump.update(machine)
    machine.deadlines = []
    pump.update(machine)
    assert len(pump) == 0
    loop.run_until(10.0)
    assert machine.ticks == []


def test_a_forgotten_machine_is_never_ticked(loop: FakeLoop, pump: TimerPump) -> None:
    machine = Machine(1.0)
    pump.update(machine)
    pump.forget(machine)
    pump.forget(machine)
    loop.run_until(10.0)
    assert machine.ticks == []


def test_one_loop_timer_serves_thousands_of_machines(loop: FakeLoop, pump: TimerPump) -> None:
    machines = [Machine(1.0 + number / 1000) for number in range(3000)]
    for machine in machines:
        pump.update(machine)
    assert loop.armed() == 1
    loop.run_until(10.0)
    assert all(len(machine.ticks) == 1 for machine in machines)
    assert loop.armed() == 0


def test_what_is_due_within_a_millisecond_is_done_at_its_own_moment(
    loop: FakeLoop, pump: TimerPump
) -> None:
    first, second = Machine(1.0), Machine(1.0006)
    pump.update(first)
    pump.update(second)
    loop.run_until(1.0)
    assert (first.ticks, second.ticks) == ([1.0], [1.0006])


def test_machines_given_up_early_leave_no_litter_in_the_heap(
    loop: FakeLoop, pump: TimerPump
) -> None:
    keeper = Machine(1000.0)
    pump.update(keeper)
    for _ in range(20 * SWEEP_FLOOR):
        machine = Machine(32.0)
        pump.update(machine)
        pump.forget(machine)
    assert len(pump._heap) <= 2 * SWEEP_FLOOR
    loop.run_until(2000.0)
    assert keeper.ticks == [1000.0]


def test_a_machine_that_raises_does_not_stop_the_timers_of_others(
    loop: FakeLoop, pump: TimerPump
) -> None:
    class Broken(Machine):
        def tick(self, now: float) -> None:
            raise ZeroDivisionError

    healthy = Machine(2.0)
    pump.update(Broken(1.0))
    pump.update(healthy)
    with pytest.raises(ZeroDivisionError):
        loop.run_until(1.5)
    loop.run_until(10.0)
    assert healthy.ticks == [2.0]


def test_a_closed_pump_ticks_nothing(loop: FakeLoop, pump: TimerPump) -> None:
    machine = Machine(1.0)
    pump.update(machine)
    pump.close()
    loop.run_until(10.0)
    assert machine.ticks == []
    assert len(pump) == 0


@given(
    st.lists(
        st.tuples(st.integers(0, 7), st.lists(st.integers(1, 50), max_size=4), st.integers(0, 9)),
        max_size=60,
    )
)
def test_every_deadline_is_met_whatever_is_rescheduled_when(
    steps: list[tuple[int, list[int], int]],
) -> None:
    loop = FakeLoop()
    pump = TimerPump(cast(Any, loop))
    machines = [Machine() for _ in range(8)]
    due: list[list[float]] = [[] for _ in range(8)]
    for which, offsets, wait in steps:
        due[which] = [moment for moment in due[which] if moment <= loop.now]
        deadlines = sorted({loop.now + offset for offset in offsets})
        due[which] += deadlines
        machines[which].deadlines = list(deadlines)
        pump.update(machines[which])
        loop.run_until(loop.now + wait)
    loop.run_until(loop.now + 100)
    assert [machine.ticks for machine in machines] == due
    assert len(pump) == 0
