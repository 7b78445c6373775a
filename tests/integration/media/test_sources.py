"""Whom a stream believes, and how long it waits for them."""

from __future__ import annotations

import pytest

from orbit_voice.media import MediaError, MediaFailure, MediaStarted, MediaTimedOut


def test_packets_of_a_stranger_are_ignored(run, party, plan, peer, stranger, wait):
    async def scenario(engine):
        listener = party(engine)
        listener.stream.configure(plan(peer.port))
        await peer.packets(1)
        for _ in range(5):
            stranger.send(listener.port)
        await wait(lambda: listener.stream.statistics().discarded_source == 5)
        assert listener.events == []
        peer.send(listener.port)
        assert await listener.hear(MediaStarted) == MediaStarted("127.0.0.1", peer.port)
        for _ in range(3):
            stranger.send(listener.port)
        await wait(lambda: listener.stream.statistics().discarded_source == 8)
        statistics = listener.stream.statistics()
        assert statistics.packets_received == 1
        assert statistics.discarded == 8
        assert len(listener.all(MediaStarted)) == 1

    run(scenario)


def test_a_peer_behind_a_nat_is_followed_once(run, party, plan, peer, stranger, wait):
    async def scenario(engine):
        listener = party(engine)
        listener.stream.configure(plan(stranger.port, symmetric=True))
        await stranger.packets(1)
        peer.send(listener.port)
        assert await listener.hear(MediaStarted) == MediaStarted("127.0.0.1", peer.port)
        await peer.packets(5)
        stranger.send(listener.port)
        await wait(lambda: listener.stream.statistics().source_changes_refused == 1)
        stranger.receive()  # what came before the first packet of the peer
        await peer.packets(10)
        assert stranger.receive() == []

    run(scenario)


def test_packets_of_no_agreed_payload_type_do_not_make_a_source_believed(
    run, party, plan, peer, stranger, wait
):
    async def scenario(engine):
        listener = party(engine)
        listener.stream.configure(plan(peer.port, symmetric=True))
        await peer.packets(1)
        stranger.send(listener.port, payload_type=34)
        await wait(lambda: listener.stream.statistics().discarded_invalid == 1)
        peer.send(listener.port)
        assert await listener.hear(MediaStarted) == MediaStarted("127.0.0.1", peer.port)

    run(scenario)


def test_a_re_invite_to_another_address_moves_the_stream(run, party, plan, peer, stranger, wait):
    async def scenario(engine):
        listener = party(engine)
        listener.stream.configure(plan(peer.port))
        await peer.packets(1)
        peer.send(listener.port)
        await listener.hear(MediaStarted)
        before = (await peer.packets(3))[-1]
        listener.stream.configure(plan(stranger.port))
        (after,) = await stranger.packets(1)
        skipped = (after.sequence - before.sequence) % 2**16
        assert after.ssrc == before.ssrc
        assert (after.timestamp - before.timestamp) % 2**32 == skipped * 160
        peer.send(listener.port)
        await wait(lambda: listener.stream.statistics().discarded_source == 1)
        stranger.send(listener.port, ssrc=8)
        assert await listener.hear(MediaStarted, 2) == MediaStarted("127.0.0.1", stranger.port)

    run(scenario)


def test_a_re_invite_with_the_same_address_changes_nothing(run, party, plan, peer, wait):
    async def scenario(engine):
        listener = party(engine)
        listener.stream.configure(plan(peer.port))
        await peer.packets(1)
        peer.send(listener.port)
        await listener.hear(MediaStarted)
        listener.stream.configure(plan(peer.port))
        peer.send(listener.port)
        await wait(lambda: listener.stream.statistics().packets_received == 2)
        assert len(listener.all(MediaStarted)) == 1

    run(scenario)


def test_silence_of_the_peer_is_told_once_for_each_time(run, party, plan, peer):
    async def scenario(engine):
        listener = party(engine)
        listener.stream.configure(plan(peer.port, media_timeout_s=0.2))
        first = await listener.hear(MediaTimedOut)
        assert first.silent_s >= 0.2
        await peer.packets(30)
        assert len(listener.all(MediaTimedOut)) == 1
        peer.send(listener.port)
        await listener.hear(MediaTimedOut, 2)
        await peer.packets(30)
        assert len(listener.all(MediaTimedOut)) == 2

    run(scenario)


def test_a_peer_on_hold_may_be_silent(run, party, plan, peer):
    async def scenario(engine):
        listener = party(engine)
        listener.stream.configure(plan(peer.port, media_timeout_s=0.1, receives=False))
        await peer.packets(30)
        assert listener.all(MediaTimedOut) == []
        listener.stream.configure(plan(peer.port, media_timeout_s=0.1))
        await listener.hear(MediaTimedOut)

    run(scenario)


@pytest.mark.parametrize(
    "change",
    [
        {"remote_address": "example.com"},
        {"remote_address": "::1"},
        {"remote_rtp_port": 65_536},
        {"codec": "G729"},
        {"ptime_ms": 25},
        {"ptime_ms": -20},
        {"send_payload_type": 128},
        {"receive_payload_type": 101},
        {"media_timeout_s": 0.0},
        {"media_timeout_s": float("nan")},
    ],
    ids=str,
)
def test_a_plan_that_cannot_be_served_is_refused_and_changes_nothing(
    run, party, plan, peer, change
):
    async def scenario(engine):
        stream = party(engine).stream
        stream.configure(plan(peer.port))
        with pytest.raises(MediaError) as refusal:
            stream.configure(plan(peer.port, **change))
        assert refusal.value.failure is MediaFailure.BAD_PLAN
        await peer.packets(3)

    run(scenario)
