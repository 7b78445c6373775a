from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from orbit_voice.calls.records import CallStatus
from orbit_voice.calls.states import IGNORED, TRANSITIONS, CallInput, next_status


def test_the_table_is_total_and_no_pair_is_both_handled_and_ignored() -> None:
    assert set(TRANSITIONS) | IGNORED == set(product(CallStatus, CallInput))
    assert not set(TRANSITIONS) & IGNORED


def test_only_the_moves_of_the_contract_exist() -> None:
    ends = {status for status in CallStatus if status.is_end}
    legal = {
        CallStatus.INITIATING: {CallStatus.RINGING, CallStatus.IN_PROGRESS, *ends},
        CallStatus.RINGING: {CallStatus.IN_PROGRESS, *ends},
        CallStatus.IN_PROGRESS: {CallStatus.COMPLETED, CallStatus.FAILED},
    }
    for (status, _), after in TRANSITIONS.items():
        assert after in legal[status]


@given(st.lists(st.sampled_from(CallInput), max_size=12))
def test_a_call_ends_at_most_once_whatever_happens_in_whatever_order(
    inputs: list[CallInput],
) -> None:
    status, ends = CallStatus.INITIATING, 0
    for what in inputs:
        after = next_status(status, what)
        if after is not None:
            status = after
            ends += after.is_end
    assert ends == status.is_end
