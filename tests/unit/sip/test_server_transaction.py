"""Server transaction of any method but INVITE (RFC 3261 §17.2.2)."""

from __future__ import annotations

import pytest

from orbit_voice.sip.transactions.outputs import Failed, TransmitResponse
from orbit_voice.sip.transactions.server import ServerTransaction


@pytest.fixture
def over_udp():
    return ServerTransaction(reliable=False)


@pytest.fixture
def over_tcp():
    return ServerTransaction(reliable=True)


def test_a_repeated_request_is_dropped_until_there_is_a_response(over_udp):
    assert over_udp.receive_request(0.5) == []
    assert over_udp.send_response(183, 1.0) == [TransmitResponse()]
    assert over_udp.receive_request(1.5) == [TransmitResponse()]
    assert over_udp.send_response(183, 2.0) == [TransmitResponse()]


def test_a_repeated_request_brings_the_final_response_again_for_32_seconds_over_udp(over_udp):
    assert over_udp.send_response(200, 1.0) == [TransmitResponse()]
    assert over_udp.receive_request(32.9) == [TransmitResponse()]
    assert over_udp.next_deadline() == 33.0
    assert over_udp.tick(33.0) == []
    assert over_udp.is_terminated
    assert over_udp.receive_request(33.1) == []


def test_over_tcp_a_final_response_ends_the_transaction_at_once(over_tcp):
    assert over_tcp.send_response(200, 1.0) == [TransmitResponse()]
    over_tcp.tick(1.0)
    assert over_tcp.is_terminated


@pytest.mark.parametrize("later", [180, 200, 500])
def test_nothing_replaces_a_final_response(over_udp, later):
    over_udp.send_response(200, 1.0)
    assert over_udp.send_response(later, 1.1) == []


@pytest.mark.parametrize("status", [183, 200])
def test_a_response_that_cannot_be_sent_ends_the_transaction(over_udp, status):
    over_udp.send_response(status, 1.0)
    assert over_udp.transport_failed(1.0) == [Failed(timed_out=False)]
    assert over_udp.is_terminated
