"""Recordings are as long as the time they ran, whatever arrives, and whole or not there."""

from __future__ import annotations

import hashlib
import resource

import numpy as np
import pytest

from orbit_voice.media import (
    MediaError,
    MediaFailure,
    PlayFinished,
    RecordingFailed,
    RecordingFinished,
    StreamClosed,
)
from orbit_voice.testing.audio import dominant_tone, make_tone, read_wav, write_wav


async def last_packet(peer):
    """The newest packet of the stream."""
    waiting = peer.receive()
    return waiting[-1] if waiting else (await peer.packets(1))[-1]


@pytest.mark.parametrize("arriving", ["nothing", "every third packet"])
def test_a_recording_is_as_long_as_what_was_sent_meanwhile(
    run, party, plan, peer, tmp_path, arriving
):
    path = tmp_path / "call.wav"

    async def scenario(engine):
        party_ = party(engine)
        party_.stream.configure(plan(peer.port))
        first = [await last_packet(peer)]
        party_.stream.start_recording(path)
        first.append(await last_packet(peer))
        for number in range(40):
            await peer.packets(1)
            peer.sequence += 1
            if arriving != "nothing" and number % 3 == 0:
                peer.send(party_.port)
        last = [await last_packet(peer)]
        party_.stream.stop_recording()
        last += await peer.packets(1)
        finished = await party_.hear(RecordingFinished)
        shortest = (last[0].timestamp - first[1].timestamp) % 2**32
        longest = (last[1].timestamp - first[0].timestamp) % 2**32
        assert shortest - 160 <= finished.samples <= longest + 160
        assert finished.lost_samples == 0

    run(scenario)
    assert len(read_wav(path).channel()) >= 40 * 160


def test_a_finished_recording_says_what_lies_at_its_path(run, party, plan, peer, tmp_path):
    path = tmp_path / "call.wav"

    async def scenario(engine):
        party_ = party(engine)
        party_.stream.configure(plan(peer.port))
        party_.stream.start_recording(path)
        await peer.packets(10)
        assert not path.exists()
        assert path.with_name("call.wav.part").exists()
        assert engine.metrics().recordings == 1
        party_.stream.stop_recording()
        finished = await party_.hear(RecordingFinished)
        assert engine.metrics().recordings == 0
        return finished

    finished = run(scenario)
    content = path.read_bytes()
    assert finished.path == path
    assert finished.size_bytes == len(content) == 44 + 2 * finished.samples
    assert finished.sha256 == hashlib.sha256(content).hexdigest()
    assert finished.duration_s == finished.samples / 8000
    assert (finished.channels, read_wav(path).sample_rate_hz) == (1, 8000)
    assert list(tmp_path.iterdir()) == [path]


def test_both_sides_are_in_the_recording(run, party, tmp_path):
    for name, hz in (("near", 500), ("far", 1500)):
        write_wav(tmp_path / f"{name}.wav", make_tone(hz, 0.2))

    async def scenario(engine):
        near, far = party(engine), party(engine)
        near.talk_to(far)
        near.stream.play([tmp_path / "near.wav"], loop=True)
        far.stream.play([tmp_path / "far.wav"], loop=True)
        await near.receive_more(20)
        near.stream.start_recording(tmp_path / "both.wav")
        await near.receive_more(30)
        near.stream.stop_recording()
        await near.hear(RecordingFinished)

    run(scenario)
    samples = read_wav(tmp_path / "both.wav").channel()[:3200].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    loudest = np.argsort(spectrum)[-6:] * 8000 / len(samples)
    assert {round(hz / 500) * 500 for hz in loudest} == {500, 1500}
    level = spectrum[[500 * 3200 // 8000, 1500 * 3200 // 8000]]
    assert level.max() / level.min() < 1.1


def test_an_unconfigured_stream_records_silence_on_time(run, party, tmp_path):
    async def scenario(engine):
        silent, clock, far = party(engine), party(engine), party(engine)
        clock.talk_to(far)
        silent.stream.start_recording(tmp_path / "silence.wav")
        await clock.receive_more(25)
        silent.stream.stop_recording()
        return await silent.hear(RecordingFinished)

    assert run(scenario).samples >= 20 * 160
    assert not read_wav(tmp_path / "silence.wav").samples.any()


def test_a_stream_that_closes_ends_its_recording_first(run, party, tmp_path):
    async def scenario(engine):
        near, far = party(engine), party(engine)
        near.talk_to(far)
        near.stream.start_recording(tmp_path / "cut.wav")
        await near.receive_more(10)
        near.stream.close()
        await near.hear(StreamClosed)
        kinds = [type(event) for event in near.events]
        assert kinds[-2:] == [RecordingFinished, StreamClosed]

    run(scenario)
    assert (tmp_path / "cut.wav").exists()


def test_an_engine_that_stops_finishes_all_recordings_and_tells_so(run, party, tmp_path, tone):
    parties = []

    async def scenario(engine):
        for number in range(4):
            near, far = party(engine), party(engine)
            near.talk_to(far)
            near.stream.play([tone])
            near.stream.start_recording(tmp_path / f"{number}.wav")
            parties.append(near)
        await near.receive_more(10)

    run(scenario)
    for number, near in enumerate(parties):
        expected = [PlayFinished, RecordingFinished, StreamClosed]
        assert [type(event) for event in near.events][-3:] == expected
        assert not near.all(PlayFinished)[0].completed
        assert read_wav(tmp_path / f"{number}.wav").duration_s > 0.1


def test_recordings_follow_each_other_on_one_stream(run, party, tmp_path, tone):
    async def scenario(engine):
        near, far = party(engine), party(engine)
        near.talk_to(far)
        near.stream.play([tone], loop=True)
        for number in range(3):
            near.stream.start_recording(tmp_path / f"{number}.wav")
            await near.receive_more(5)
            near.stream.stop_recording()
        await near.hear(RecordingFinished, 3)
        paths = [event.path.name for event in near.all(RecordingFinished)]
        assert paths == ["0.wav", "1.wav", "2.wav"]

    run(scenario)
    for number in range(3):
        samples = read_wav(tmp_path / f"{number}.wav").channel()
        assert dominant_tone(samples[160:]).frequency_hz == pytest.approx(1000, abs=5)


def test_a_recording_that_cannot_be_made_is_refused(run, party, tmp_path):
    existing = tmp_path / "existing.wav"
    existing.write_bytes(b"mine")
    (tmp_path / "busy.wav.part").mkdir()

    async def scenario(engine):
        stream = party(engine).stream
        other = party(engine).stream
        other.start_recording(tmp_path / "other.wav")
        bad = [existing, tmp_path / "none" / "a.wav", tmp_path / "busy.wav", tmp_path / "other.wav"]
        for path in bad:
            with pytest.raises(MediaError) as refusal:
                stream.start_recording(path)
            assert refusal.value.failure is MediaFailure.BAD_RECORDING
        stream.start_recording(tmp_path / "good.wav")
        with pytest.raises(MediaError) as refusal:
            stream.start_recording(tmp_path / "second.wav")
        assert refusal.value.failure is MediaFailure.BAD_RECORDING

    run(scenario)
    assert existing.read_bytes() == b"mine"


def test_a_target_that_appeared_meanwhile_is_not_replaced(run, party, tmp_path):
    path = tmp_path / "call.wav"

    async def scenario(engine):
        near, far = party(engine), party(engine)
        near.talk_to(far)
        near.stream.start_recording(path)
        await near.receive_more(5)
        path.write_bytes(b"mine")
        near.stream.stop_recording()
        failed = await near.hear(RecordingFailed)
        assert failed.path == path
        assert failed.kept is not None
        assert read_wav(failed.kept).duration_s > 0

    run(scenario)
    assert path.read_bytes() == b"mine"


def test_stopping_without_a_recording_does_nothing(run, party):
    async def scenario(engine):
        near, far = party(engine), party(engine)
        near.talk_to(far)
        near.stream.stop_recording()
        await near.receive_more(5)
        assert near.all(RecordingFinished) == near.all(RecordingFailed) == []

    run(scenario)


@pytest.fixture
def small_files():
    """No file can grow beyond 16 KiB: a second of sound."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 << 10, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.usefixtures("small_files")
def test_a_disk_that_is_full_ends_the_recording_and_not_the_call(run, party, tmp_path):
    path = tmp_path / "call.wav"

    async def scenario(engine):
        near, far = party(engine), party(engine)
        near.talk_to(far)
        near.stream.start_recording(path)
        failed = await near.hear(RecordingFailed)
        await near.receive_more(10)
        near.stream.start_recording(tmp_path / "next.wav")
        near.stream.stop_recording()
        await near.hear(RecordingFinished)
        return failed

    failed = run(scenario)
    assert failed.path == path
    assert failed.kept == path.with_name("call.wav.part")
    assert 0 < len(read_wav(failed.kept).channel()) <= 8 << 10
    assert not path.exists()
