from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from orbit_voice.calls.leg_states import (
    IGNORED,
    TRANSITIONS,
    LegAction,
    LegInput,
    LegState,
    step,
)


def test_the_table_is_total_and_no_pair_is_both_handled_and_ignored() -> None:
    assert set(TRANSITIONS) | IGNORED == set(product(LegState, LegInput))
    assert not set(TRANSITIONS) & IGNORED


def test_an_answer_that_crosses_our_hangup_is_not_reported() -> None:
    _, state = step(LegState.RINGING, LegInput.RELEASE)
    assert step(state, LegInput.ANSWER) == (LegAction.NONE, LegState.RELEASING)


@given(st.lists(st.sampled_from(LegInput), max_size=15))
def test_a_leg_is_hung_up_and_reported_ended_at_most_once(inputs: list[LegInput]) -> None:
    state, seen = LegState.SETUP, []
    for what in inputs:
        action, state = step(state, what)
        seen.append(action)
    assert seen.count(LegAction.HANG_UP) + seen.count(LegAction.REPORT_END) <= 1
    assert seen.count(LegAction.REPORT_ANSWER) <= 1
    assert seen.count(LegAction.REPORT_RINGING) <= 1
