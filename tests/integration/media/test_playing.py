"""What is played arrives as it is, and its end is told when it has left."""

from __future__ import annotations

import asyncio
from random import Random

import numpy as np
import pytest

from orbit_voice.media import MediaError, MediaFailure, PlayFinished, RecordingFinished
from orbit_voice.testing.audio import (
    audible,
    dominant_tone,
    gaps,
    make_tone,
    read_wav,
    write_wav,
)
from orbit_voice.testing.network import LinkConditions, LossyRelay


def heard(run, party, tmp_path, plays):
    """Play each of ``plays`` (prompts, changes of the plan) from one stream to another, together.

    Returns what the recordings of the listeners hold of it.
    """

    async def hear_one(engine, number, prompts, changes):
        talker, listener = party(engine), party(engine)
        talker.talk_to(listener, **changes)
        await listener.receive_more(10)
        listener.stream.start_recording(tmp_path / f"heard-{number}.wav")
        talker.stream.play(prompts)
        await talker.hear(PlayFinished)
        await listener.receive_more(20)
        listener.stream.stop_recording()
        await listener.hear(RecordingFinished)
        assert listener.stream.statistics().lost == 0

    async def scenario(engine):
        async with asyncio.TaskGroup() as listeners:
            for number, (prompts, changes) in enumerate(plays):
                listeners.create_task(hear_one(engine, number, prompts, changes))

    run(scenario)
    files = (tmp_path / f"heard-{number}.wav" for number in range(len(plays)))
    return [audible(read_wav(file).channel()) for file in files]


def test_a_tone_arrives_with_its_frequency_and_level_and_without_gaps(run, party, tone, tmp_path):
    packet_times = [{"ptime_ms": ptime_ms} for ptime_ms in (10, 20, 30, 40, 60)]
    variants = [{"codec": "PCMA"}, *packet_times]
    for samples in heard(run, party, tmp_path, [([tone], changes) for changes in variants]):
        measured = dominant_tone(samples)
        assert measured.frequency_hz == pytest.approx(1000, abs=1)
        assert measured.level_db == pytest.approx(-10, abs=0.5)
        assert measured.snr_db > 25  # a hole of one packet leaves 17
        assert gaps(samples) == []
        # A packet is 160 samples; a pause left out after the tone is joined by a fade of 32.
        assert len(samples) == pytest.approx(8_000, abs=40)


def test_a_file_of_any_rate_arrives_at_its_pitch_and_length(run, party, tmp_path):
    plays = []
    for rate_hz in (8_000, 16_000, 24_000, 44_100, 48_000):
        prompt = tmp_path / f"{rate_hz}.wav"
        write_wav(prompt, make_tone(1000, 0.5, sample_rate_hz=rate_hz), rate_hz)
        plays.append(([prompt], {}))
    for samples in heard(run, party, tmp_path, plays):
        measured = dominant_tone(samples)
        assert measured.frequency_hz == pytest.approx(1000, abs=1)
        assert measured.level_db == pytest.approx(-10, abs=0.5)
        assert len(samples) == pytest.approx(4_000, abs=60)


def test_prompts_follow_each_other_without_a_gap(run, party, tmp_path):
    prompts = []
    for hz in (500, 1500):
        prompts.append(tmp_path / f"{hz}.wav")
        write_wav(prompts[-1], make_tone(hz, 0.5))
    (samples,) = heard(run, party, tmp_path, [(prompts, {})])
    assert gaps(samples) == []
    assert dominant_tone(samples[:3_900]).frequency_hz == pytest.approx(500, abs=1)
    assert dominant_tone(samples[4_100:]).frequency_hz == pytest.approx(1500, abs=1)


def test_a_loop_goes_on_until_it_is_stopped(run, party, tmp_path):
    prompt = tmp_path / "short.wav"
    write_wav(prompt, make_tone(1000, 0.1))

    async def scenario(engine):
        talker, listener = party(engine), party(engine)
        talker.talk_to(listener)
        listener.stream.start_recording(tmp_path / "loop.wav")
        play_id = talker.stream.play([prompt], loop=True)
        await listener.receive_more(50)
        assert talker.all(PlayFinished) == []
        talker.stream.stop_playing()
        assert await talker.hear(PlayFinished) == PlayFinished(play_id, completed=False)
        await listener.receive_more(20)
        listener.stream.stop_recording()
        await listener.hear(RecordingFinished)

    run(scenario)
    samples = audible(read_wav(tmp_path / "loop.wav").channel())
    assert len(samples) > 40 * 160
    assert gaps(samples) == []
    assert dominant_tone(samples).frequency_hz == pytest.approx(1000, abs=1)


def test_a_play_that_is_replaced_ends_before_the_next_one(run, party, tone):
    async def scenario(engine):
        talker, listener = party(engine), party(engine)
        talker.talk_to(listener)
        first = talker.stream.play([tone], loop=True)
        await listener.receive_more(10)
        second = talker.stream.play([tone])
        await talker.hear(PlayFinished, 2)
        assert first != second
        expected = [PlayFinished(first, completed=False), PlayFinished(second, completed=True)]
        assert talker.all(PlayFinished) == expected

    run(scenario)


def test_playing_waits_while_the_call_is_on_hold(run, party, plan, peer, tone):
    async def scenario(engine):
        talker = party(engine)
        talker.stream.configure(plan(peer.port, sends=False))
        talker.stream.play([tone])
        talker.stream.configure(plan(peer.port))
        packets = await peer.packets(50)
        await talker.hear(PlayFinished)
        assert packets[0].marker
        assert all(set(packet.payload) - {0xFF, 0x7F} for packet in packets)

    run(scenario)


@pytest.mark.parametrize("content", [b"", b"not a sound", b"RIFF\0\0\0\0WAVE", None])
def test_a_bad_prompt_is_refused_before_anything_is_heard(
    run, party, plan, peer, tone, tmp_path, content
):
    bad = tmp_path / "bad.wav"
    if content is not None:
        bad.write_bytes(content)

    async def scenario(engine):
        talker = party(engine)
        talker.stream.configure(plan(peer.port))
        with pytest.raises(MediaError) as refusal:
            talker.stream.play([tone, bad])
        assert refusal.value.failure is MediaFailure.BAD_PROMPT
        packets = await peer.packets(10)
        assert all(packet.payload == b"\xff" * 160 for packet in packets)

    run(scenario)


def test_an_empty_list_of_prompts_is_refused(run, party):
    async def scenario(engine):
        with pytest.raises(MediaError) as refusal:
            party(engine).stream.play([])
        assert refusal.value.failure is MediaFailure.BAD_PROMPT

    run(scenario)


def test_a_prefetched_prompt_is_in_memory(run, tone):
    async def scenario(engine):
        assert engine.metrics().prompt_cache_bytes == 0
        await engine.prefetch([tone])
        assert engine.metrics().prompt_cache_bytes >= 2 * 8_000

    run(scenario)


def test_a_full_scale_square_wave_neither_wraps_nor_clicks(run, party, tmp_path):
    prompt = tmp_path / "square.wav"
    square = np.where(np.arange(4000) % 16 < 8, 32_767, -32_768).astype(np.int16)
    write_wav(prompt, square)
    (samples,) = heard(run, party, tmp_path, [([prompt], {})])
    assert np.abs(samples[100:-100].astype(np.int32)).min() > 32_000


def test_a_tone_through_a_bad_network_is_concealed_where_packets_are_missing(
    run, party, plan, tone, tmp_path
):
    bad = LinkConditions(loss=0.05, duplicate=0.05, jitter_s=0.03)

    async def scenario(engine):
        talker, listener = party(engine), party(engine)
        async with LossyRelay(("127.0.0.1", listener.port), Random(5), bad) as relay:
            talker.stream.configure(plan(relay.address[1]))
            listener.stream.configure(plan(9, symmetric=True))  # follows the relay's port
            await listener.receive_more(25)
            listener.stream.start_recording(tmp_path / "heard.wav")
            talker.stream.play([tone])
            await talker.hear(PlayFinished)
            await listener.receive_more(20)
            listener.stream.stop_recording()
            await listener.hear(RecordingFinished)
            return listener.stream.statistics()

    statistics = run(scenario)
    samples = audible(read_wav(tmp_path / "heard.wav").channel())
    assert gaps(samples) == []
    assert dominant_tone(samples).frequency_hz == pytest.approx(1000, abs=1)
    assert min(statistics.lost, statistics.duplicates, statistics.concealed_ms) > 0
    assert 1.0 < statistics.mos < 4.4
