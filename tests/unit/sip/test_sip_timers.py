"""The timers of one machine."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orbit_voice.sip.timers import Timers


def test_timers_fire_earliest_first_and_once():
    timers: Timers[str] = Timers()
    timers.start("late", 2.0)
    timers.start("early", 1.0)
    assert timers.next_deadline() == 1.0
    assert timers.pop_due(0.5) is None
    assert [timers.pop_due(3.0) for _ in range(3)] == ["early", "late", None]
    assert timers.next_deadline() is None


def test_of_timers_due_together_the_first_started_fires_first():
    timers: Timers[str] = Timers()
    timers.start("second-by-name", 1.0)
    timers.start("first-by-name", 1.0)
    assert timers.pop_due(1.0) == "second-by-name"


def test_a_stopped_timer_does_not_fire():
    timers: Timers[str] = Timers()
    timers.start("a", 1.0)
    timers.stop("a")
    timers.stop("never started")
    assert timers.pop_due(9.0) is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 10)), max_size=20))
def test_a_timer_started_again_is_moved(starts):
    timers: Timers[str] = Timers()
    for name, at in starts:
        timers.start(name, at)
    fired = []
    while (name := timers.pop_due(10.0)) is not None:
        fired.append(name)
    latest = dict(starts)
    assert sorted(fired) == sorted(latest)
    assert [latest[name] for name in fired] == sorted(latest.values())
