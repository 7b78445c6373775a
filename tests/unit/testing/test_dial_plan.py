"""A number's behaviour is found by the whole of it first, then by its ending."""

from __future__ import annotations

import pytest

from orbit_voice.testing.behaviours import BUSY, DECLINE, NOT_FOUND, Answer, Ignore, Reject, Ring
from orbit_voice.testing.dial_plan import MAGIC_ENDINGS, DialPlan


@pytest.mark.parametrize("number", ["+4930123456", "4930123456"])
@pytest.mark.parametrize("written", ["+4930123456", "4930123456"])
def test_a_plus_makes_no_difference(number, written):
    assert DialPlan({written: DECLINE}).choose(number) is DECLINE


def test_a_whole_number_goes_before_its_ending():
    plan = DialPlan({"+15550120": Answer()})
    assert plan.choose("+15550120") == Answer()
    assert plan.choose("+15559920") is BUSY


def test_the_longest_ending_counts():
    plan = DialPlan(endings={"0": Ring(), "20": BUSY})
    assert plan.choose("+1555120") is BUSY
    assert plan.choose("+1555130") == Ring()


def test_any_other_number_does_not_exist():
    assert DialPlan().choose("+15550199") is NOT_FOUND
    assert DialPlan(otherwise=BUSY).choose("") is BUSY


def test_numbers_may_be_added_later():
    plan = DialPlan(endings={})
    plan.numbers["+1555"] = BUSY
    assert plan.choose("1555") is BUSY


def test_endings_cover_every_kind_of_behaviour():
    kinds = {type(behaviour) for behaviour in MAGIC_ENDINGS.values()}
    assert kinds == {Answer, Ring, Reject, Ignore}
