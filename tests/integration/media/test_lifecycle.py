"""Ports, descriptors and threads come back; what is closed stays closed."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from pathlib import Path

import pytest

from orbit_voice.media import (
    MediaEngine,
    MediaError,
    MediaFailure,
    MediaStarted,
    RecordingFinished,
    StreamClosed,
)

FOUR_PAIRS = (22_000, 22_007)


def descriptors():
    gc.collect()  # what earlier tests left in reference cycles is not ours to count
    return len(os.listdir("/proc/self/fd"))


def threads():
    return len(os.listdir("/proc/self/task"))


def test_each_stream_takes_an_even_port_of_the_range_until_none_is_left(run, party):
    async def scenario(engine):
        ports = {party(engine).port for _ in range(4)}
        assert ports == {22_000, 22_002, 22_004, 22_006}
        with pytest.raises(MediaError) as refusal:
            party(engine)
        assert refusal.value.failure is MediaFailure.NO_PORTS
        assert engine.metrics().ports_free == 0

    run(scenario, ports=FOUR_PAIRS)


def test_a_closed_stream_gives_its_ports_back_after_a_rest(run, party, wait):
    async def scenario(engine):
        parties = [party(engine) for _ in range(4)]
        parties[0].stream.close()
        await parties[0].hear(StreamClosed)
        metrics = engine.metrics()
        assert (metrics.ports_quarantined, metrics.streams) == (1, 3)
        await wait(lambda: engine.metrics().ports_free == 1)
        assert party(engine).port == parties[0].port

    run(scenario, ports=FOUR_PAIRS)


def test_a_port_that_another_program_has_is_passed_over(run, party):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 22_003))

        async def scenario(engine):
            assert {party(engine).port for _ in range(3)} == {22_000, 22_004, 22_006}
            with pytest.raises(MediaError) as refusal:
                party(engine)
            assert refusal.value.failure is MediaFailure.NO_PORTS

        run(scenario, ports=FOUR_PAIRS)


def test_two_hundred_streams_leave_nothing_behind(run, party, tmp_path, tone):
    async def scenario(engine):
        before = (descriptors(), threads())
        parties = [party(engine) for _ in range(200)]
        for near, far in zip(parties[::2], parties[1::2], strict=True):
            near.talk_to(far)
            near.stream.play([tone], loop=True)
        for number in range(20):
            parties[number].stream.start_recording(tmp_path / f"{number}.wav")
        for near in parties:
            await near.hear(MediaStarted)
        assert engine.metrics().streams == 200
        for near in parties:
            near.stream.close()
        for near in parties:
            await near.hear(StreamClosed)
        assert sum(len(near.all(RecordingFinished)) for near in parties) == 20
        assert (descriptors(), threads()) == before
        metrics = engine.metrics()
        assert (metrics.streams, metrics.recordings, metrics.stream_failures) == (0, 0, 0)

    run(scenario, shards=2)


def test_an_engine_leaves_no_descriptor_and_no_thread(run, party):
    async def scenario(engine):
        near, far = party(engine), party(engine)
        near.talk_to(far)
        await near.hear(MediaStarted)

    run(scenario)
    before = (descriptors(), threads())
    for _ in range(3):
        run(scenario)
    assert (descriptors(), threads()) == before


def test_a_stream_is_closed_once_and_says_so_last(run, party, plan, peer, tone, tmp_path):
    async def scenario(engine):
        closed = party(engine)
        closed.stream.configure(plan(peer.port))
        await peer.packets(5)
        closed.stream.close()
        closed.stream.close()
        last = await closed.hear(StreamClosed)
        assert last.statistics.packets_sent >= 5
        assert closed.stream.statistics() == last.statistics
        closed.stream.stop_playing()
        closed.stream.stop_recording()
        orders = [
            lambda: closed.stream.configure(plan(peer.port)),
            lambda: closed.stream.play([tone]),
            lambda: closed.stream.send_dtmf("1"),
            lambda: closed.stream.start_recording(tmp_path / "a.wav"),
        ]
        for order in orders:
            with pytest.raises(MediaError) as refusal:
                order()
            assert refusal.value.failure is MediaFailure.CLOSED
        assert closed.events == [last]
        assert list(tmp_path.glob("a.wav*")) == []

    run(scenario)


def test_leaving_the_engine_closes_every_stream(run, party, plan, peer):
    opened = []

    async def scenario(engine):
        opened.extend(party(engine) for _ in range(10))
        opened[0].stream.configure(plan(peer.port))

    run(scenario)
    assert [len(near.all(StreamClosed)) for near in opened] == [1] * 10
    with pytest.raises(MediaError) as refusal:
        opened[0].stream.configure(plan(peer.port))
    assert refusal.value.failure is MediaFailure.CLOSED
    opened[0].stream.close()


def test_an_engine_outside_its_block_refuses(plan):
    engine = MediaEngine(bind_address="127.0.0.1", ports=FOUR_PAIRS)
    for use in (engine.metrics, lambda: engine.open_stream(print)):
        with pytest.raises(MediaError) as refusal:
            use()
        assert refusal.value.failure is MediaFailure.CLOSED


@pytest.mark.parametrize(
    "settings",
    [{"bind_address": "192.0.2.1"}, {"bind_address": "localhost"}, {"ports": (22_001, 22_002)}],
    ids=str,
)
def test_an_engine_that_cannot_serve_does_not_start(run, settings):
    async def scenario(engine):
        raise AssertionError("started")

    before = threads()
    with pytest.raises(MediaError) as refusal:
        run(scenario, **settings)
    assert refusal.value.failure is MediaFailure.UNAVAILABLE
    assert threads() <= before


def test_a_callback_that_fails_stops_no_other(run, party, plan, peer):
    async def scenario(engine):
        failures = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))

        def fail(event):
            raise ValueError(event)

        broken = engine.open_stream(fail)
        sound = party(engine)
        broken.close()
        sound.stream.close()
        await sound.hear(StreamClosed)
        assert [type(error) for error in failures] == [ValueError]

    run(scenario)


def test_ticks_run_and_are_measured(run, party, wait):
    async def scenario(engine):
        near, far = party(engine), party(engine)
        near.talk_to(far)
        await near.receive_more(50)
        metrics = engine.metrics()
        assert metrics.shards == 1
        assert metrics.shards_failed == 0
        assert metrics.ticks >= 40
        assert 0 <= metrics.tick_late_p50_us <= metrics.tick_late_p99_us <= metrics.tick_late_max_us
        assert metrics.tick_work_max_us > 0
        assert metrics.media_thread_cpu_s > 0
        assert metrics.events_dropped == 0

    run(scenario)


def test_the_engine_speaks_ipv6(run, party, plan):
    if not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")

    async def scenario(engine):
        near, far = party(engine), party(engine)
        near.stream.configure(plan(far.port, remote_address="::1"))
        far.stream.configure(plan(near.port, remote_address="::1"))
        assert await near.hear(MediaStarted) == MediaStarted("::1", far.port)

    run(scenario, bind_address="::1")
