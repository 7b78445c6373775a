"""The tables of the offer/answer states are total."""

from __future__ import annotations

from itertools import product

import pytest

from orbit_voice.kit.errors import LocalProtocolError
from orbit_voice.sdp.errors import SdpError
from orbit_voice.sdp.exchange import REFUSALS, TRANSITIONS, Input, State, next_state


def test_every_state_and_input_is_decided_exactly_once():
    assert TRANSITIONS.keys() | REFUSALS.keys() == set(product(State, Input))
    assert not TRANSITIONS.keys() & REFUSALS.keys()


def test_every_state_can_be_reached():
    assert set(TRANSITIONS.values()) | {State.NEW} == set(State)


@pytest.mark.parametrize("pair", sorted(REFUSALS, key=str), ids=str)
def test_what_the_peer_did_wrong_is_never_blamed_on_us_nor_the_other_way_round(pair):
    by_peer = pair[1] in (Input.RECEIVE_OFFER, Input.RECEIVE_ANSWER)
    with pytest.raises(SdpError if by_peer else LocalProtocolError):
        next_state(*pair)
