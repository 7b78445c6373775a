"""Telephone events (RFC 4733), both ways, also through a bad network."""

from __future__ import annotations

from random import Random

import pytest

from orbit_voice.media import DtmfReceived, DtmfSent, MediaError, MediaFailure
from orbit_voice.testing.network import LinkConditions, LossyRelay

DIGITS = "0123456789*#ABCD"


def digits_of(party):
    return "".join(event.digit for event in party.all(DtmfReceived))


def test_all_sixteen_digits_go_both_ways_at_once(run, party):
    async def scenario(engine):
        near, far = party(engine), party(engine)
        near.talk_to(far)
        near.stream.send_dtmf(DIGITS, duration_ms=60, gap_ms=40)
        far.stream.send_dtmf(DIGITS[::-1], duration_ms=60, gap_ms=40)
        assert await near.hear(DtmfSent) == DtmfSent(DIGITS)
        await far.hear(DtmfReceived, 16)
        await near.hear(DtmfReceived, 16)
        assert (digits_of(far), digits_of(near)) == (DIGITS, DIGITS[::-1])
        assert {event.duration_ms for event in far.all(DtmfReceived)} == {60}

    run(scenario)


def test_digits_come_once_each_through_loss_doubling_and_disorder(run, party, plan):
    bad = LinkConditions(loss=0.1, duplicate=0.2, jitter_s=0.02)

    async def scenario(engine):
        near, far = party(engine), party(engine)
        async with LossyRelay(("127.0.0.1", far.port), Random(3), bad) as relay:
            near.stream.configure(plan(relay.address[1]))
            far.stream.configure(plan(9, symmetric=True))  # follows the relay's port
            await near.receive_more(10)
            near.stream.send_dtmf(DIGITS, duration_ms=60, gap_ms=40)
            far.stream.send_dtmf(DIGITS[::-1], duration_ms=60, gap_ms=40)
            await far.hear(DtmfReceived, 16)
            await near.hear(DtmfReceived, 16)
            await near.receive_more(10)
            assert (digits_of(far), digits_of(near)) == (DIGITS, DIGITS[::-1])

    run(scenario)


def test_a_digit_whose_ends_are_all_lost_is_heard(run, party, plan, peer):
    async def scenario(engine):
        listener = party(engine)
        listener.stream.configure(plan(peer.port))
        await peer.packets(1)
        for duration in (160, 320, 480):
            report = bytes([5, 10]) + duration.to_bytes(2)
            peer.send(listener.port, report, payload_type=101, timestamp=160)
        assert await listener.hear(DtmfReceived) == DtmfReceived("5", 60)

    run(scenario)


def test_orders_follow_each_other_and_w_waits(run, party):
    async def scenario(engine):
        near, far = party(engine), party(engine)
        near.talk_to(far)
        near.stream.send_dtmf("1w2", duration_ms=40, gap_ms=40)
        near.stream.send_dtmf("3", duration_ms=40, gap_ms=40)
        await near.hear(DtmfSent, 2)
        assert near.all(DtmfSent) == [DtmfSent("1w2"), DtmfSent("3")]
        await far.hear(DtmfReceived, 3)
        assert digits_of(far) == "123"

    run(scenario)


@pytest.mark.parametrize(
    ("digits", "duration_ms", "gap_ms"),
    [("", 100, 50), ("12x", 100, 50), ("1" * 129, 100, 50), ("1", 39, 50), ("1", 100, -1)],
)
def test_digits_that_cannot_be_sent_are_refused(
    run, party, plan, peer, digits, duration_ms, gap_ms
):
    async def scenario(engine):
        stream = party(engine).stream
        stream.configure(plan(peer.port))
        with pytest.raises(MediaError) as refusal:
            stream.send_dtmf(digits, duration_ms=duration_ms, gap_ms=gap_ms)
        assert refusal.value.failure is MediaFailure.BAD_DIGITS

    run(scenario)


def test_digits_need_a_peer_that_agreed_to_them(run, party, plan, peer):
    async def scenario(engine):
        stream = party(engine).stream
        for change in (None, {"telephone_event_send": None}):
            if change is not None:
                stream.configure(plan(peer.port, **change))
            with pytest.raises(MediaError) as refusal:
                stream.send_dtmf("1")
            assert refusal.value.failure is MediaFailure.NOT_NEGOTIATED

    run(scenario)


def test_waiting_digits_are_bounded(run, party, plan, peer):
    async def scenario(engine):
        stream = party(engine).stream
        stream.configure(plan(peer.port, sends=False))
        for _ in range(32):
            stream.send_dtmf("1")
        with pytest.raises(MediaError) as refusal:
            stream.send_dtmf("1")
        assert refusal.value.failure is MediaFailure.BAD_DIGITS

    run(scenario)
