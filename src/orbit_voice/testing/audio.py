"""Audio as a test sees it: tones made and measured, gaps counted in samples, WAV files.

Levels are in dB relative to a full-scale sine: 0 dB is a sine that just reaches ±32767. A tone that
went through G.711 keeps its level within 0.2 dB and has an :attr:`Tone.snr_db` of about 38.
"""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.int16]
"""Shape (samples,)."""

FULL_SCALE: Final = 32_767
TELEPHONE_RATE_HZ: Final = 8_000
SILENCE_DB: Final = -50.0
"""Quieter than this is silence: below any speech, above the noise of an idle G.711 line."""
GAP_SAMPLES: Final = 24
"""Shorter silences are no gaps: 3 ms at 8 kHz, well under the 20 ms of a lost packet, and longer
than a tone of 100 Hz or more stays near zero."""
_SPECTRUM_PADDING: Final = 8
_QUIETEST_DB: Final = -120.0


@dataclass(frozen=True, slots=True)
class Tone:
    """What a stretch of audio mostly is.

    Attributes:
        frequency_hz: Of the strongest sine; right to 0.1 Hz in half a second of clean tone.
        level_db: Of that sine, relative to a full-scale one; -120 for silence.
        snr_db: How much stronger it is than all the rest together. A phase jump (a lost or repeated
            packet) brings it down where :func:`gaps` sees nothing.
    """

    frequency_hz: float
    level_db: float
    snr_db: float


class Gap(NamedTuple):
    """A silence between sounds: first sample and length in samples."""

    start: int
    length: int


class Match(NamedTuple):
    """Where a sound was found: first sample, and how alike both are, 0.0-1.0.

    Above 0.9 it is the same recording, once more through G.711; below 0.3 it is another.
    """

    start: int
    likeness: float


@dataclass(frozen=True, slots=True)
class Wav:
    """Contents of a WAV file.

    Attributes:
        samples: int16, shape (samples, channels).
        sample_rate_hz: Samples per second.
    """

    samples: NDArray[np.int16]
    sample_rate_hz: int

    @property
    def duration_s(self) -> float:
        """Length, seconds."""
        return len(self.samples) / self.sample_rate_hz

    def channel(self, index: int = 0) -> Samples:
        """Return one channel."""
        return self.samples[:, index]


def make_tone(
    frequency_hz: float,
    duration_s: float,
    *,
    level_db: float = -10.0,
    sample_rate_hz: int = TELEPHONE_RATE_HZ,
) -> Samples:
    """Return a sine that starts at zero.

    Args:
        frequency_hz: Below half the sample rate.
        duration_s: Length, seconds.
        level_db: Relative to a full-scale sine, 0 or less.
        sample_rate_hz: Samples per second.
    """
    moments = np.arange(round(duration_s * sample_rate_hz)) / sample_rate_hz
    peak = FULL_SCALE * 10 ** (level_db / 20)
    return np.round(peak * np.sin(2 * np.pi * frequency_hz * moments)).astype(np.int16)


def dominant_tone(samples: Samples, sample_rate_hz: int = TELEPHONE_RATE_HZ) -> Tone:
    """Measure the strongest sine in ``samples``.

    Raises:
        ValueError: Fewer than 64 samples.
    """
    if len(samples) < 64:
        raise ValueError("too short to measure: 64 samples at least")
    signal = samples.astype(np.float64) / FULL_SCALE
    signal -= signal.mean()
    frequency = _strongest_frequency(signal)
    turns = 2 * np.pi * frequency * np.arange(len(signal))
    # The sine of that frequency that fits best, phase and amplitude free.
    basis = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    fit, *_ = np.linalg.lstsq(basis, signal, rcond=None)
    rest = signal - basis @ fit
    power = float(fit @ fit) / 2
    return Tone(
        frequency_hz=frequency * sample_rate_hz,
        level_db=_decibels(2 * power),
        snr_db=_decibels(power) - _decibels(float(np.mean(rest**2))),
    )


def tone_level_db(
    samples: Samples, frequency_hz: float, sample_rate_hz: int = TELEPHONE_RATE_HZ
) -> float:
    """Return how strong one sine is among whatever else is heard, dB; -120 when it is not.

    Args:
        samples: At least a few turns of it.
        frequency_hz: Of the sine, exactly: half a second of a tone 2 Hz off measures 3 dB less.
        sample_rate_hz: Samples per second.
    """
    if not len(samples):
        return _QUIETEST_DB
    turns = 2j * np.pi * frequency_hz / sample_rate_hz * np.arange(len(samples))
    amplitude = 2 * np.mean(samples.astype(np.float64) / FULL_SCALE * np.exp(-turns))
    return _decibels(float(abs(amplitude)) ** 2)


def level_db(samples: Samples) -> float:
    """Return the level of ``samples`` as a whole: that of a sine with the same power."""
    if not len(samples):
        return _QUIETEST_DB
    return _decibels(2 * float(np.mean((samples.astype(np.float64) / FULL_SCALE) ** 2)))


def find_sound(sound: Samples, within: Samples) -> Match:
    """Find the place in ``within`` that is most like ``sound``, whatever the volume of either.

    Args:
        sound: What to look for; not silent, not longer than ``within``.
        within: Where to look.

    Raises:
        ValueError: ``sound`` is silent or too long.
    """
    if not np.any(sound) or len(sound) > len(within):
        raise ValueError("the sound is silent, or longer than where to look for it")
    needle, hay = sound.astype(np.float64), within.astype(np.float64)
    size = len(hay) + len(needle)
    products = np.fft.irfft(np.fft.rfft(hay, size) * np.conj(np.fft.rfft(needle, size)), size)
    energies = np.concatenate([[0.0], np.cumsum(hay**2)])
    places = len(hay) - len(needle) + 1
    energy = energies[len(needle) :] - energies[:places]
    likeness = products[:places] / np.sqrt(np.maximum(energy, 1.0) * float(needle @ needle))
    start = int(np.argmax(likeness))
    return Match(start, float(np.clip(likeness[start], 0.0, 1.0)))


def audible(samples: Samples, *, silence_db: float = SILENCE_DB) -> Samples:
    """Return ``samples`` without the silence before the first and after the last sound."""
    (loud,) = np.nonzero(_is_loud(samples, silence_db))
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]


def gaps(
    samples: Samples, *, silence_db: float = SILENCE_DB, at_least: int = GAP_SAMPLES
) -> list[Gap]:
    """Return the silences between the first and the last sound.

    Args:
        samples: Audio that should be without interruption.
        silence_db: Samples whose size is below that of a sine of this level count as silent.
        at_least: Shorter silences are left out, samples.
    """
    (loud,) = np.nonzero(_is_loud(samples, silence_db))
    silent = np.diff(loud) - 1
    return [
        Gap(int(loud[index]) + 1, int(silent[index])) for index in np.nonzero(silent >= at_least)[0]
    ]


def read_wav(path: Path) -> Wav:
    """Read a 16-bit PCM WAV file.

    Raises:
        ValueError: It is something else.
        OSError: It cannot be read.
    """
    try:
        with wave.open(str(path), "rb") as file:
            if file.getsampwidth() != 2:
                raise ValueError(f"{path}: not 16-bit")
            data = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
            return Wav(data.reshape(-1, file.getnchannels()), file.getframerate())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path}: {error}") from error


def write_wav(
    path: Path, samples: NDArray[np.int16], sample_rate_hz: int = TELEPHONE_RATE_HZ
) -> None:
    """Write a 16-bit PCM WAV file.

    Args:
        path: Overwritten if it exists.
        samples: int16, shape (samples,) or (samples, channels).
        sample_rate_hz: Samples per second.
    """
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(sample_rate_hz)
        file.writeframes(samples.astype("<i2").tobytes())


def _strongest_frequency(signal: NDArray[np.float64]) -> float:
    """Return the frequency of the spectrum's peak, in turns per sample."""
    length = len(signal) * _SPECTRUM_PADDING
    spectrum = np.abs(np.fft.rfft(signal * np.hanning(len(signal)), length))
    peak = int(np.argmax(spectrum))
    if not 0 < peak < len(spectrum) - 1 or spectrum[peak] == 0:
        return peak / length
    # The top of the parabola through the three highest points, in decibels.
    low, top, high = np.log(spectrum[peak - 1 : peak + 2] + 1e-300)
    return float((peak + (low - high) / (2 * (low - 2 * top + high))) / length)


def _is_loud(samples: Samples, silence_db: float) -> NDArray[np.bool_]:
    return np.abs(samples.astype(np.int32)) > FULL_SCALE * 10 ** (silence_db / 20)


def _decibels(power: float) -> float:
    return max(_QUIETEST_DB, 10 * float(np.log10(max(power, 1e-12))))
