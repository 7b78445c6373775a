"""INVITE client transaction (RFC 3261 §17.1.1, RFC 6026 §7.2)."""

from __future__ import annotations

import pytest

from orbit_voice.sip.transactions.invite_client import InviteClientTransaction, State
from orbit_voice.sip.transactions.outputs import Failed, PassToUser, ResendRequest, TransmitAck


@pytest.fixture
def over_udp():
    return InviteClientTransaction(now=0.0, reliable=False)


@pytest.fixture
def over_tcp():
    return InviteClientTransaction(now=0.0, reliable=True)


def run(transaction, until):
    """Tick at every deadline up to ``until``; return (time, output) pairs."""
    seen = []
    while (due := transaction.next_deadline()) is not None and due <= until:
        seen += [(due, output) for output in transaction.tick(due)]
    return seen


def test_an_unanswered_invite_is_sent_seven_times_in_32_seconds_over_udp(over_udp):
    times = [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    expected = [(at, ResendRequest()) for at in times] + [(32.0, Failed(timed_out=True))]
    assert run(over_udp, 100) == expected
    assert over_udp.is_terminated


def test_an_unanswered_invite_is_sent_once_over_tcp(over_tcp):
    assert run(over_tcp, 100) == [(32.0, Failed(timed_out=True))]


def test_a_late_tick_sends_once_and_not_once_for_every_interval_missed(over_udp):
    assert over_udp.tick(20.0) == [ResendRequest()]


def test_a_provisional_response_ends_retransmission_and_the_time_limit(over_udp):
    assert over_udp.receive_response(100, 0.1) == [PassToUser(100)]
    assert over_udp.next_deadline() is None
    assert over_udp.receive_response(180, 50.0) == [PassToUser(180)]


@pytest.mark.parametrize("before", [[], [100], [100, 180]])
def test_every_2xx_is_handed_on_for_32_seconds_and_never_acknowledged_here(over_udp, before):
    for status in before:
        over_udp.receive_response(status, 0.1)
    assert over_udp.receive_response(200, 1.0) == [PassToUser(200)]
    assert over_udp.state is State.ACCEPTED
    assert over_udp.receive_response(200, 30.0) == [PassToUser(200)]
    assert over_udp.next_deadline() == 33.0
    assert over_udp.tick(33.0) == []
    assert over_udp.is_terminated


def test_the_accepted_state_lasts_as_long_over_tcp(over_tcp):
    over_tcp.receive_response(200, 1.0)
    assert over_tcp.next_deadline() == 33.0


def test_a_failure_is_acknowledged_and_handed_on_once_and_acknowledged_again(over_udp):
    assert over_udp.receive_response(486, 1.0) == [TransmitAck(), PassToUser(486)]
    assert over_udp.receive_response(486, 1.5) == [TransmitAck()]
    assert over_udp.tick(32.9) == []
    assert not over_udp.is_terminated
    over_udp.tick(33.0)
    assert over_udp.is_terminated


def test_a_failure_over_tcp_ends_the_transaction_at_once(over_tcp):
    assert over_tcp.receive_response(486, 1.0) == [TransmitAck(), PassToUser(486)]
    over_tcp.tick(1.0)
    assert over_tcp.is_terminated


def test_a_2xx_after_a_failure_is_handed_on(over_udp):
    over_udp.receive_response(487, 1.0)
    assert over_udp.receive_response(200, 1.1) == [PassToUser(200)]


def test_a_failure_or_a_provisional_response_after_a_2xx_is_dropped(over_udp):
    over_udp.receive_response(200, 1.0)
    assert over_udp.receive_response(486, 1.1) == []
    assert over_udp.receive_response(183, 1.2) == []


def test_an_invite_that_cannot_be_sent_fails_at_once(over_udp):
    assert over_udp.transport_failed(0.0) == [Failed(timed_out=False)]
    assert over_udp.is_terminated


def test_a_lost_connection_does_not_end_a_call_that_rings(over_tcp):
    over_tcp.receive_response(180, 1.0)
    assert over_tcp.transport_failed(2.0) == []
    assert over_tcp.receive_response(200, 3.0) == [PassToUser(200)]


def test_an_ack_that_cannot_be_sent_ends_the_transaction(over_udp):
    over_udp.receive_response(486, 1.0)
    assert over_udp.transport_failed(1.0) == [Failed(timed_out=False)]
    assert over_udp.is_terminated


@pytest.mark.parametrize("status", [None, 180])
def test_an_abandoned_invite_is_forgotten_without_a_word(over_udp, status):
    if status is not None:
        over_udp.receive_response(status, 1.0)
    assert over_udp.abandon(2.0) == []
    assert over_udp.is_terminated
    assert over_udp.receive_response(200, 3.0) == []
