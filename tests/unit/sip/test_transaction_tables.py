"""What holds for all four transactions, whatever happens to them in whatever order."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_voice.sip.transactions import (
    ClientTransaction,
    Failed,
    InviteClientTransaction,
    InviteServerTransaction,
    PassToUser,
    ServerTransaction,
    client,
    invite_client,
    invite_server,
    server,
)

MODULES = [client, invite_client, invite_server, server]
STATUSES = st.sampled_from([100, 180, 183, 200, 202, 302, 404, 486, 487, 503, 603])
LONGEST_S = 32 + 32 + 1
"""No transaction outlives this once nothing happens to it, but for one that waits for a user."""


def make(module, reliable):
    if module is client:
        return ClientTransaction(now=0.0, reliable=reliable)
    if module is invite_client:
        return InviteClientTransaction(now=0.0, reliable=reliable)
    if module is invite_server:
        return InviteServerTransaction(now=0.0, reliable=reliable)
    return ServerTransaction(reliable=reliable)


def commands(module):
    if module is server:
        return ["receive_request", "send_response", "transport_failed", "tick"]
    if module is invite_server:
        return ["receive_invite", "receive_ack", "send_response", "transport_failed", "tick"]
    if module is invite_client:
        return ["receive_response", "transport_failed", "abandon", "tick"]
    return ["receive_response", "transport_failed", "tick"]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.split(".")[-1])
class TestTables:
    def test_every_state_and_input_is_decided_exactly_once(self, module):
        pairs = set(product(module.State, module.Input))
        assert module.TRANSITIONS.keys() | module.IGNORED == pairs
        assert not module.TRANSITIONS.keys() & module.IGNORED

    def test_every_state_can_be_reached(self, module):
        reached = {make(module, reliable=False).state}
        reached |= {state for _, state in module.TRANSITIONS.values()}
        assert reached == set(module.State)

    def test_nothing_leads_out_of_the_end(self, module):
        assert not [pair for pair in module.TRANSITIONS if pair[0] is module.State.TERMINATED]

    def test_every_state_but_a_users_turn_has_a_timer_or_ends(self, module):
        waits_for_user = {
            client: set(),
            invite_client: {invite_client.State.PROCEEDING},
            invite_server: {invite_server.State.PROCEEDING},
            server: {server.State.TRYING, server.State.PROCEEDING},
        }[module]
        for state in set(module.State) - waits_for_user - {module.State.TERMINATED}:
            timers = [what for what in module.Input if what.name.startswith("TIMER")]
            assert any((state, timer) in module.TRANSITIONS for timer in timers), state


@st.composite
def histories(draw):
    module = draw(st.sampled_from(MODULES))
    step = st.tuples(
        st.sampled_from(commands(module)),
        STATUSES,
        st.floats(0, 70, allow_nan=False, allow_infinity=False),
    )
    return module, draw(st.booleans()), draw(st.lists(step, max_size=40))


def apply(transaction, command, status, now):
    if command in ("receive_response", "send_response"):
        return getattr(transaction, command)(status, now)
    return getattr(transaction, command)(now)


@given(histories())
def test_whatever_happens_in_whatever_order_a_transaction_stays_sound(history):
    module, reliable, steps = history
    transaction = make(module, reliable)
    now = 0.0
    finals = failures = 0
    for command, status, wait in steps:
        was_terminated = transaction.is_terminated
        now += wait
        outputs = apply(transaction, command, status, now)
        assert not (was_terminated and outputs)
        finals += sum(isinstance(o, PassToUser) and o.status >= 300 for o in outputs)
        failures += sum(isinstance(o, Failed) for o in outputs)
        if transaction.is_terminated:
            assert transaction.next_deadline() is None
        if command == "tick":
            assert (due := transaction.next_deadline()) is None or due >= now
    if module is client or module is invite_client:
        assert finals <= 1
        assert failures <= 1


@given(histories())
def test_a_transaction_left_alone_ends_unless_it_is_somebodys_turn(history):
    module, reliable, steps = history
    transaction = make(module, reliable)
    now = 0.0
    for command, status, wait in steps:
        now += wait
        apply(transaction, command, status, now)
    started = now
    while (due := transaction.next_deadline()) is not None:
        assert due - started <= LONGEST_S
        now = max(now, due)
        transaction.tick(now)
    assert transaction.state.name in ("TERMINATED", "PROCEEDING", "TRYING")
