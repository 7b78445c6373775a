from __future__ import annotations

import numpy as np
import pytest

from orbit_voice.speech.lowpass import to_pcm16, to_telephone_band

SECONDS = 1.0


def tone(frequency_hz: float, *, rate_hz: int = 24000) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(int(rate_hz * SECONDS)) / rate_hz)


@pytest.mark.parametrize("frequency_hz", [50, 300, 1000, 2000, 3000, 3400])
def test_a_tone_of_the_telephone_band_passes_without_delay_or_change(frequency_hz):
    heard = to_telephone_band(tone(frequency_hz))
    error = heard - tone(frequency_hz, rate_hz=8000)
    middle = error[100:-100]
    assert len(heard) == 8000
    assert np.max(np.abs(middle)) < 0.5 * 1e-3  # 60 dB down


@pytest.mark.parametrize("frequency_hz", [4000, 4100, 4700, 5000, 7900, 8000, 9000, 11900])
def test_a_tone_above_it_does_not_come_back_as_another(frequency_hz):
    heard = to_telephone_band(tone(frequency_hz))
    assert np.max(np.abs(heard[100:-100])) < 0.5 * 2e-4  # 74 dB down


@pytest.mark.parametrize(("given", "kept"), [(0, 0), (1, 1), (2, 1), (3, 1), (4, 2), (24001, 8001)])
def test_every_third_sample_is_kept(given, kept):
    assert to_telephone_band(np.ones(given, np.float32)).shape == (kept,)


def test_full_scale_is_full_scale_and_louder_is_turned_down_not_clipped():
    assert np.frombuffer(to_pcm16(np.array([1.0, -1.0, 0.0])), "<i2").tolist() == [32767, -32767, 0]
    assert np.frombuffer(to_pcm16(np.array([2.0, 1.0])), "<i2").tolist() == [32767, 16384]
    assert to_pcm16(np.zeros(0)) == b""
