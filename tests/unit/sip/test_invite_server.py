"""INVITE server transaction (RFC 3261 §17.2.1, RFC 6026 §7.1)."""

from __future__ import annotations

import pytest

from orbit_voice.sip.transactions.invite_server import InviteServerTransaction, State
from orbit_voice.sip.transactions.outputs import (
    Failed,
    PassAckToUser,
    TransmitResponse,
    TransmitTrying,
)


@pytest.fixture
def over_udp():
    return InviteServerTransaction(now=0.0, reliable=False)


@pytest.fixture
def over_tcp():
    return InviteServerTransaction(now=0.0, reliable=True)


def run(transaction, until):
    """Tick at every deadline up to ``until``; return (time, output) pairs."""
    seen = []
    while (due := transaction.next_deadline()) is not None and due <= until:
        seen += [(due, output) for output in transaction.tick(due)]
    return seen


def test_a_silent_user_has_100_sent_after_200_ms_and_only_once(over_udp):
    assert run(over_udp, 100) == [(0.2, TransmitTrying())]


def test_a_user_that_responds_within_200_ms_has_no_100_sent(over_udp):
    assert over_udp.send_response(180, 0.1) == [TransmitResponse()]
    assert run(over_udp, 100) == []


def test_a_retransmitted_invite_is_answered_with_100_before_the_user_speaks(over_udp):
    assert over_udp.receive_invite(0.1) == [TransmitTrying()]
    assert run(over_udp, 100) == []


def test_a_retransmitted_invite_is_answered_with_the_latest_provisional_response(over_udp):
    over_udp.send_response(180, 0.1)
    assert over_udp.receive_invite(0.5) == [TransmitResponse()]


def test_after_a_2xx_repeated_invites_are_absorbed_and_the_users_2xx_passed_on(over_udp):
    assert over_udp.send_response(200, 1.0) == [TransmitResponse()]
    assert over_udp.receive_invite(1.1) == []
    assert over_udp.send_response(200, 1.5) == [TransmitResponse()]
    assert run(over_udp, 32.9) == []
    assert over_udp.state is State.ACCEPTED
    run(over_udp, 33.0)
    assert over_udp.is_terminated


def test_an_ack_for_a_2xx_from_an_rfc_2543_peer_is_handed_on(over_udp):
    over_udp.send_response(200, 1.0)
    assert over_udp.receive_ack(1.1) == [PassAckToUser()]
    assert over_udp.state is State.ACCEPTED


def test_an_unacknowledged_failure_is_repeated_ever_slower_for_32_seconds_over_udp(over_udp):
    over_udp.send_response(486, 0.0)
    times = [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    expected = [(at, TransmitResponse()) for at in times] + [(32.0, Failed(timed_out=True))]
    assert run(over_udp, 100) == expected
    assert over_udp.is_terminated


def test_a_failure_is_sent_once_over_tcp(over_tcp):
    over_tcp.send_response(486, 0.0)
    assert run(over_tcp, 100) == [(32.0, Failed(timed_out=True))]


def test_an_acknowledged_failure_absorbs_repetitions_for_5_seconds_over_udp(over_udp):
    over_udp.send_response(486, 0.0)
    assert over_udp.receive_ack(0.3) == []
    assert over_udp.receive_ack(0.4) == []
    assert over_udp.receive_invite(0.5) == []
    assert over_udp.next_deadline() == 5.3
    assert over_udp.tick(5.3) == []
    assert over_udp.is_terminated


def test_an_acknowledged_failure_over_tcp_ends_the_transaction_at_once(over_tcp):
    over_tcp.send_response(486, 0.0)
    over_tcp.receive_ack(0.3)
    over_tcp.tick(0.3)
    assert over_tcp.is_terminated


def test_a_repeated_invite_brings_the_failure_again(over_udp):
    over_udp.send_response(486, 0.0)
    assert over_udp.receive_invite(0.2) == [TransmitResponse()]


@pytest.mark.parametrize("final", [200, 486])
@pytest.mark.parametrize("later", [180, 200, 486])
def test_nothing_replaces_a_final_response_but_the_same_2xx(over_udp, final, later):
    over_udp.send_response(final, 0.0)
    sent = over_udp.send_response(later, 0.1)
    assert sent == ([TransmitResponse()] if final == later == 200 else [])


@pytest.mark.parametrize("status", [180, 200, 486])
def test_a_response_that_cannot_be_sent_does_not_end_the_transaction(over_udp, status):
    over_udp.send_response(status, 0.0)
    state = over_udp.state
    assert over_udp.transport_failed(0.1) == [Failed(timed_out=False)]
    assert over_udp.state is state
