"""The model of a bad link does what its figures say, and the same each time."""

from __future__ import annotations

from itertools import groupby
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_voice.testing.network import LinkConditions, LossyLink
from orbit_voice.testing.network.link import REORDER_HOLD_S

SHARES = st.floats(0.0, 1.0)
CONDITIONS = st.builds(
    LinkConditions,
    loss=SHARES,
    duplicate=SHARES,
    delay_s=st.floats(0.0, 1.0),
    jitter_s=st.floats(0.0, 0.5),
    reorder=SHARES,
    mean_burst=st.none() | st.floats(1.0, 20.0),
)


def send_many(link: LossyLink, count: int, interval_s: float = 0.02) -> list[tuple[float, int]]:
    """Return (arrival, number) in order of arrival."""
    arrivals = [
        (at, int.from_bytes(datagram))
        for number in range(count)
        for at, datagram in link.send(number.to_bytes(4), number * interval_s)
    ]
    return sorted(arrivals, key=lambda arrival: arrival[0])


def test_a_perfect_link_delivers_everything_at_once_and_in_order():
    arrivals = send_many(LossyLink(Random(1)), 100)
    assert arrivals == [(number * 0.02, number) for number in range(100)]


def test_the_same_seed_gives_the_same_network():
    conditions = LinkConditions(loss=0.1, duplicate=0.1, delay_s=0.02, jitter_s=0.03, reorder=0.1)
    first, second = (send_many(LossyLink(Random(42), conditions), 500) for _ in range(2))
    assert first == second


def test_loss_and_duplication_have_the_wished_share():
    link = LossyLink(Random(3), LinkConditions(loss=0.05, duplicate=0.02))
    arrivals = send_many(link, 20_000)
    assert 0.045 < link.counts.dropped / 20_000 < 0.055
    assert 0.016 < link.counts.duplicated / 20_000 < 0.024
    assert len(arrivals) == 20_000 - link.counts.dropped + link.counts.duplicated


def test_bursts_have_the_wished_length_and_the_same_share_of_loss():
    link = LossyLink(Random(5), LinkConditions(loss=0.1, mean_burst=4.0))
    arrived = {number for _, number in send_many(link, 50_000)}
    runs = [
        len(list(run)) for lost, run in groupby(range(50_000), lambda n: n not in arrived) if lost
    ]
    assert 0.09 < link.counts.dropped / 50_000 < 0.11
    assert 3.6 < sum(runs) / len(runs) < 4.4


def test_jitter_alone_keeps_the_order():
    link = LossyLink(Random(7), LinkConditions(delay_s=0.01, jitter_s=0.2))
    numbers = [number for _, number in send_many(link, 1000)]
    assert numbers == sorted(numbers)


def test_a_reordered_datagram_is_overtaken_by_the_next_two():
    link = LossyLink(Random(1), LinkConditions(reorder=1.0))
    (held,) = link.send(b"held", 0.0)
    link.conditions = LinkConditions()
    assert held.deliver_at == REORDER_HOLD_S
    assert [link.send(b"", at)[0].deliver_at < held.deliver_at for at in (0.02, 0.04)] == [True] * 2


def test_a_link_with_full_loss_is_cut():
    assert send_many(LossyLink(Random(1), LinkConditions(loss=1.0, mean_burst=3.0)), 50) == []


@given(CONDITIONS, st.integers(), st.lists(st.floats(0.0, 0.1), max_size=30))
def test_nothing_arrives_before_it_was_sent_or_later_than_the_conditions_allow(
    conditions, seed, pauses
):
    link = LossyLink(Random(seed), conditions)
    latest = conditions.delay_s + conditions.jitter_s + REORDER_HOLD_S
    now = 0.0
    for pause in pauses:
        now += pause
        deliveries = link.send(b"x", now)
        assert len(deliveries) <= 2
        assert all(now <= at <= now + latest + 1e-9 for at, _ in deliveries)


@pytest.mark.parametrize(
    "wrong",
    [{"loss": 1.1}, {"duplicate": -0.1}, {"delay_s": -1.0}, {"reorder": 2.0}, {"mean_burst": 0.5}],
)
def test_impossible_conditions_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LinkConditions(**wrong)
