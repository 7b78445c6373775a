"""From the engine's 24 kHz to the telephone's 8 kHz. Only the speech program imports this.

A finite impulse response low-pass (sinc under a Kaiser window; Oppenheim and Schafer,
“Discrete-Time Signal Processing”, §7.5.3) before two of three samples are dropped: what lies above
the new Nyquist frequency would come back as hiss on every “s”.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Audio: TypeAlias = npt.NDArray[np.floating[Any]]

INPUT_RATE_HZ: Final = 24000
DECIMATION: Final = 3
_PASS_HZ: Final = 3500.0
_STOP_HZ: Final = 4000.0
"""Nothing above may be left: it would alias."""
_STOP_DB: Final = 80.0
"""Attenuation beyond ``_STOP_HZ``: under the quantization noise of G.711."""


def to_telephone_band(audio: Audio) -> Audio:
    """Return ``audio`` at 8 kHz, without delay.

    Args:
        audio: Shape (samples,), 24 kHz, full scale 1.0; not modified.

    Returns:
        Shape (ceil(samples / 3),), full scale 1.0.
    """
    taps = _taps()
    half = len(taps) // 2
    length = -(-len(audio) // DECIMATION)
    padded = np.zeros(half + DECIMATION * length + half, np.float32)
    padded[half : half + len(audio)] = audio
    result = np.zeros(length, np.float32)
    for phase in range(DECIMATION):  # polyphase: only the samples that are kept are computed
        branch = taps[phase::DECIMATION]
        signal = padded[phase::DECIMATION][: length + len(branch) - 1]
        result += np.convolve(signal, branch[::-1], "valid")[:length]
    return result


def to_pcm16(audio: Audio) -> bytes:
    """Return ``audio`` as int16, little-endian; turned down as a whole where it would clip."""
    peak = float(np.max(np.abs(audio), initial=0.0))
    scale = 32767.0 / max(1.0, peak)
    samples: npt.NDArray[np.int16] = np.rint(audio * scale).astype("<i2")
    return samples.tobytes()


@functools.cache
def _taps() -> Audio:
    """Design the filter: odd length, so that its delay is whole samples; unity gain at 0 Hz."""
    width = 2 * math.pi * (_STOP_HZ - _PASS_HZ) / INPUT_RATE_HZ
    half = math.ceil((_STOP_DB - 8.0) / (2.285 * width) / 2)
    beta = 0.1102 * (_STOP_DB - 8.7)
    cutoff = (_PASS_HZ + _STOP_HZ) / INPUT_RATE_HZ  # of the Nyquist frequency
    taps = cutoff * np.sinc(cutoff * np.arange(-half, half + 1)) * np.kaiser(2 * half + 1, beta)
    normalized: Audio = (taps / taps.sum()).astype(np.float32)
    return normalized
