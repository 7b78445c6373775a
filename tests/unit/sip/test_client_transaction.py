"""Client transaction of any method but INVITE (RFC 3261 §17.1.2)."""

from __future__ import annotations

import pytest

from orbit_voice.sip.transactions.client import ClientTransaction
from orbit_voice.sip.transactions.outputs import Failed, PassToUser, ResendRequest


@pytest.fixture
def over_udp():
    return ClientTransaction(now=0.0, reliable=False)


@pytest.fixture
def over_tcp():
    return ClientTransaction(now=0.0, reliable=True)


def run(transaction, until):
    """Tick at every deadline up to ``until``; return (time, output) pairs."""
    seen = []
    while (due := transaction.next_deadline()) is not None and due <= until:
        seen += [(due, output) for output in transaction.tick(due)]
    return seen


def test_an_unanswered_request_is_sent_eleven_times_in_32_seconds_over_udp(over_udp):
    times = [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    expected = [(at, ResendRequest()) for at in times] + [(32.0, Failed(timed_out=True))]
    assert run(over_udp, 100) == expected


def test_an_unanswered_request_is_sent_once_over_tcp(over_tcp):
    assert run(over_tcp, 100) == [(32.0, Failed(timed_out=True))]


def test_after_a_provisional_response_the_request_is_repeated_every_4_seconds(over_udp):
    assert over_udp.receive_response(100, 0.1) == [PassToUser(100)]
    assert over_udp.receive_response(183, 0.2) == [PassToUser(183)]
    sends = [at for at, output in run(over_udp, 100) if output == ResendRequest()]
    assert sends == [0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]
    assert over_udp.is_terminated


@pytest.mark.parametrize("before", [[], [100]])
def test_a_final_response_is_handed_on_once_and_repetitions_absorbed_for_5_seconds(
    over_udp, before
):
    for status in before:
        over_udp.receive_response(status, 0.1)
    assert over_udp.receive_response(200, 1.0) == [PassToUser(200)]
    assert over_udp.receive_response(200, 1.5) == []
    assert over_udp.next_deadline() == 6.0
    assert over_udp.tick(6.0) == []
    assert over_udp.is_terminated


def test_a_final_response_over_tcp_ends_the_transaction_at_once(over_tcp):
    assert over_tcp.receive_response(481, 1.0) == [PassToUser(481)]
    over_tcp.tick(1.0)
    assert over_tcp.is_terminated


@pytest.mark.parametrize("before", [[], [100]])
def test_a_request_that_cannot_be_sent_fails_at_once(over_udp, before):
    for status in before:
        over_udp.receive_response(status, 0.1)
    assert over_udp.transport_failed(0.2) == [Failed(timed_out=False)]
    assert over_udp.is_terminated
