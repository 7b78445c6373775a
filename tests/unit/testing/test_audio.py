"""The measuring tools measure right, and see what they are there to see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_voice.testing.audio import (
    Gap,
    audible,
    dominant_tone,
    find_sound,
    gaps,
    level_db,
    make_tone,
    read_wav,
    tone_level_db,
    write_wav,
)


@given(st.floats(100, 3600), st.floats(-30, 0), st.floats(0.25, 1.0))
def test_a_tone_is_measured_to_a_tenth_of_a_hertz_and_of_a_decibel(frequency, level, duration):
    tone = dominant_tone(make_tone(frequency, duration, level_db=level))
    assert abs(tone.frequency_hz - frequency) < 0.1
    assert abs(tone.level_db - level) < 0.1
    assert tone.snr_db > 30


def test_the_stronger_of_two_tones_is_found_also_in_noise():
    noise = np.random.default_rng(1).normal(0, 200, 8000)
    mixed = make_tone(1000, 1.0, level_db=-10) + make_tone(440, 1.0, level_db=-20) + noise
    tone = dominant_tone(mixed.astype(np.int16))
    assert abs(tone.frequency_hz - 1000) < 0.5
    assert abs(tone.level_db + 10) < 0.2
    assert 8 < tone.snr_db < 11


@pytest.mark.parametrize("damage", ["lost", "repeated"])
def test_a_phase_jump_brings_the_signal_to_noise_ratio_down(damage):
    clean = make_tone(1010, 1.0)
    packet = clean[4000:4160]
    pieces = (
        [clean[:4000], clean[4160:]] if damage == "lost" else [clean[:4160], packet, clean[4160:]]
    )
    assert dominant_tone(clean).snr_db > 50
    assert dominant_tone(np.concatenate(pieces)).snr_db < 20


def test_silence_has_no_level_and_no_gaps():
    silence = np.zeros(8000, np.int16)
    assert level_db(silence) == -120
    assert level_db(silence[:0]) == -120
    assert dominant_tone(silence).level_db == -120
    assert gaps(silence) == []
    assert len(audible(silence)) == 0


def test_the_level_of_a_full_scale_sine_is_zero():
    assert abs(level_db(make_tone(1000, 1.0, level_db=0.0))) < 0.01


def test_a_lost_packet_is_a_gap_of_its_length():
    samples = make_tone(1000, 1.0, level_db=-10)
    samples[1601:1761] = 0
    assert gaps(samples) == [Gap(1601, 160)] or gaps(samples) == [Gap(1600, 161)]


@pytest.mark.parametrize("frequency", [100, 440, 1000, 3400])
def test_a_tone_has_no_gaps_and_silence_around_it_is_none(frequency):
    around = np.zeros(800, np.int16)
    samples = np.concatenate([around, make_tone(frequency, 1.0, level_db=-20), around])
    assert gaps(samples) == []
    assert abs(len(audible(samples)) - 8000) <= 3


def test_too_little_to_measure_is_refused():
    with pytest.raises(ValueError, match="short"):
        dominant_tone(np.zeros(63, np.int16))


@pytest.mark.parametrize("channels", [1, 2])
def test_a_wav_file_is_read_as_it_was_written(tmp_path, channels):
    left = make_tone(1000, 0.5)
    samples = left if channels == 1 else np.stack([left, -left], axis=1)
    write_wav(tmp_path / "x.wav", samples, 16_000)
    wav = read_wav(tmp_path / "x.wav")
    assert (wav.sample_rate_hz, wav.duration_s) == (16_000, 0.25)
    assert wav.samples.shape == (4000, channels)
    assert np.array_equal(wav.channel(0), left)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not a wav file at all, but long enough....."])
def test_what_is_no_wav_file_is_refused(tmp_path, content):
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.wav"):
        read_wav(tmp_path / "x.wav")


def test_one_tone_is_measured_among_others():
    both = make_tone(440, 1.0, level_db=-20) + make_tone(1000, 1.0, level_db=-10)
    assert tone_level_db(both, 440) == pytest.approx(-20, abs=0.1)
    assert tone_level_db(both, 1000) == pytest.approx(-10, abs=0.1)
    assert tone_level_db(both, 700) < -60
    assert tone_level_db(both[:0], 440) == -120


def test_a_sound_is_found_where_it_is_whatever_its_volume():
    noise = np.random.default_rng(2).normal(0, 1000, 24_000).astype(np.int16)
    match = find_sound(noise[8000:12_000] // 4, noise)
    assert match.start == 8000
    assert match.likeness > 0.999


def test_a_sound_is_found_among_others():
    random = np.random.default_rng(3)
    sound = random.normal(0, 1000, 8000).astype(np.int16)
    within = random.normal(0, 500, 24_000).astype(np.int16)
    within[10_000:18_000] += sound
    match = find_sound(sound, within)
    assert match.start == 10_000
    assert 0.85 < match.likeness < 0.95


def test_a_sound_that_is_not_there_is_like_nothing():
    random = np.random.default_rng(4)
    sound, within = (random.normal(0, 1000, size).astype(np.int16) for size in (8000, 24_000))
    assert find_sound(sound, within).likeness < 0.1
    assert find_sound(sound, np.zeros(24_000, np.int16)).likeness == 0


@pytest.mark.parametrize(("sound", "within"), [(0, 100), (1, 10)])
def test_silence_cannot_be_looked_for_nor_can_what_is_too_long(sound, within):
    with pytest.raises(ValueError, match="silent, or longer"):
        find_sound(np.full(50, sound, np.int16), np.ones(within, np.int16))
