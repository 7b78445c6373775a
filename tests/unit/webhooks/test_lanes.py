from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_voice.kit.outbox import destination_of
from orbit_voice.webhooks.lanes import MAX_LANES_AT_ONCE, Lanes, Limits, host_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SMALL = Limits(total=16, per_host=8, per_lane=4)


def lane(host: int, path: int = 0) -> str:
    return f"org_1 https://host{host}.example/{path}"


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://A.example/x?y", "https://a.example"),
        ("http://a.example:8080", "http://a.example:8080"),
        ("http://[::1]:8080/x//y", "http://[::1]:8080"),
    ],
)
def test_the_host_of_a_lane_is_where_connections_go(url: str, host: str) -> None:
    assert host_of(destination_of("org_1", url)) == host


def test_a_lane_is_planned_when_it_is_due() -> None:
    lanes = Lanes(SMALL)
    lanes.set_due(lane(1), later(10))
    assert lanes.plan(later(9.9)) == {}
    assert lanes.next_deadline() == later(10)
    assert lanes.plan(later(10)) == {lane(1): 4}
    assert lanes.next_deadline() is None
    assert lanes.lateness_s(later(12)) == 2.0
    lanes.set_due(lane(1), None)
    assert (lanes.plan(later(20)), lanes.waiting) == ({}, 0)


def test_the_earlier_of_two_moments_counts() -> None:
    lanes = Lanes(SMALL)
    lanes.set_due(lane(1), later(10))
    lanes.advance_due(lane(1), later(20))
    assert lanes.next_deadline() == later(10)
    lanes.advance_due(lane(1), later(5))
    assert lanes.next_deadline() == later(5)


def test_lanes_of_one_host_share_its_places() -> None:
    lanes = Lanes(SMALL)
    for path in range(5):
        lanes.set_due(lane(1, path), NOW)
    assert sum(lanes.plan(NOW).values()) == SMALL.per_host


def test_lanes_are_served_in_turn() -> None:
    lanes = Lanes(Limits(total=1, per_host=1, per_lane=1))
    for host in range(3):
        lanes.set_due(lane(host), NOW)
    served = [next(iter(lanes.plan(NOW))) for _ in range(6)]
    assert served == [lane(host) for host in (0, 1, 2, 0, 1, 2)]


def test_a_lane_that_got_no_answer_has_a_quarter_of_its_places() -> None:
    lanes = Lanes(SMALL)
    lanes.set_due(lane(1), NOW)
    lanes.end(lane(1), as_suspect=lanes.start(lane(1)), is_healthy=False)
    assert lanes.plan(NOW) == {lane(1): 1}
    lanes.end(lane(1), as_suspect=lanes.start(lane(1)), is_healthy=True)
    assert lanes.plan(NOW) == {lane(1): 4}


def test_a_new_lane_of_a_failing_host_is_suspect_and_a_proven_one_is_not() -> None:
    lanes = Lanes(SMALL)
    for path in range(3):
        lanes.set_due(lane(1, path), NOW)
    lanes.end(lane(1, 0), as_suspect=lanes.start(lane(1, 0)), is_healthy=True)
    lanes.end(lane(1, 1), as_suspect=lanes.start(lane(1, 1)), is_healthy=False)
    planned = lanes.plan(NOW)
    assert planned[lane(1, 0)] == 4
    assert planned[lane(1, 1)] + planned.get(lane(1, 2), 0) == 2


def test_a_plan_is_short_however_much_is_due() -> None:
    lanes = Lanes(Limits(total=1000, per_host=1, per_lane=1))
    for host in range(500):
        lanes.set_due(lane(host), NOW)
    assert len(lanes.plan(NOW)) == MAX_LANES_AT_ONCE


def test_moving_one_lane_for_ever_takes_no_more_memory() -> None:
    lanes = Lanes(SMALL)
    for n in range(10_000):
        lanes.set_due(lane(1), later(100_000 - n))
    assert len(lanes._later) < 200
    assert lanes.next_deadline() == later(90_001)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5), st.booleans()), max_size=120))
def test_whatever_happens_the_limits_hold_and_nothing_is_forgotten(
    steps: list[tuple[int, int, bool]],
) -> None:
    lanes = Lanes(SMALL)
    under_way: list[tuple[str, bool]] = []
    now = NOW
    for what, which, flag in steps:
        name = lane(which % 3, which)
        now += timedelta(seconds=1)
        if what <= 1:
            lanes.advance_due(name, now if flag else now + timedelta(seconds=5))
        elif what <= 3:
            for planned, count in lanes.plan(now).items():
                under_way += [(planned, lanes.start(planned)) for _ in range(count)]
        elif under_way:
            ended, as_suspect = under_way.pop(which % len(under_way))
            lanes.end(ended, as_suspect=as_suspect, is_healthy=flag)
        assert lanes.under_way == len(under_way) <= SMALL.total
        for host in range(3):
            there = [one for one, _ in under_way if host_of(one) == host_of(lane(host))]
            assert len(there) <= SMALL.per_host
        assert sum(as_suspect for _, as_suspect in under_way) <= SMALL.of_suspects().total
    for ended, as_suspect in under_way:
        lanes.end(ended, as_suspect=as_suspect, is_healthy=True)
    assert lanes.under_way == 0
    while lanes.waiting:
        planned_last = lanes.plan(now + timedelta(seconds=10))
        assert planned_last
        for name in planned_last:
            lanes.set_due(name, None)
