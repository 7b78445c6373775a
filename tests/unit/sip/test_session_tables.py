"""What holds for the tables of both INVITE sessions and of what they share."""

from __future__ import annotations

from itertools import product

import pytest

from orbit_voice.sip import uac_session, uas_session
from orbit_voice.sip.sessions import in_dialog

MODULES = [uac_session, uas_session, in_dialog]
BEGINNINGS = {
    uac_session: {uac_session.State.NEW},
    uas_session: {uas_session.State.RECEIVED},
    in_dialog: {in_dialog.State.ACK_OWED, in_dialog.State.CONFIRMING},
}
ENDS = {
    uac_session: {uac_session.State.OVER, uac_session.State.ANSWERED},
    uas_session: {uas_session.State.OVER, uas_session.State.ANSWERED},
    in_dialog: {in_dialog.State.ENDED},
}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.split(".")[-1])
class TestTables:
    def test_every_state_and_input_is_decided_exactly_once(self, module):
        pairs = set(product(module.State, module.Input))
        assert module.TRANSITIONS.keys() | module.IGNORED == pairs
        assert not module.TRANSITIONS.keys() & module.IGNORED

    def test_every_state_can_be_reached_and_left_for_the_end(self, module):
        reached = BEGINNINGS[module] | {to for _, to in module.TRANSITIONS.values()}
        assert reached == set(module.State)
        ending = set(ENDS[module])
        while True:
            more = {at for (at, _), (_, to) in module.TRANSITIONS.items() if to in ending}
            if more <= ending:
                break
            ending |= more
        assert ending == set(module.State)

    def test_the_end_is_not_left_again(self, module):
        for (at, _), (_, to) in module.TRANSITIONS.items():
            if at in ENDS[module]:
                assert to is at
