"""The one kind of WAV file a prompt is: 8 kHz, mono, 16-bit linear PCM.

Layout: Microsoft and IBM, “Multimedia Programming Interface and Data Specifications 1.0” (1991).
"""

from __future__ import annotations

import struct
from typing import Final

SAMPLE_RATE_HZ: Final = 8000
"""Of every prompt: what G.711 carries, so nothing is resampled during a call."""
_BYTES_PER_SAMPLE: Final = 2
_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
_PCM: Final = 1
_BEFORE_RIFF_SIZE_ENDS: Final = 8


def encode_wav(samples: bytes) -> bytes:
    """Return ``samples`` (int16, little-endian, mono, 8 kHz) with a WAV header before them."""
    return _header(len(samples)) + samples


def wav_duration_s(data: bytes) -> float:
    """Return how long a file made by :func:`encode_wav` plays, seconds.

    Raises:
        ValueError: It is something else, or it is cut off, or empty.
    """
    audio_bytes = len(data) - _HEADER.size
    if audio_bytes <= 0 or audio_bytes % _BYTES_PER_SAMPLE:
        raise ValueError("no whole sample of audio")
    if not data.startswith(_header(audio_bytes)):
        raise ValueError("not a WAV file of 8 kHz, mono, 16 bit")
    return _duration_s(audio_bytes)


def wav_duration_by_size_s(size_bytes: int) -> float:
    """Return how long a file of :func:`encode_wav` with ``size_bytes`` bytes plays, seconds."""
    return _duration_s(size_bytes - _HEADER.size)


def _duration_s(audio_bytes: int) -> float:
    return audio_bytes / (_BYTES_PER_SAMPLE * SAMPLE_RATE_HZ)


def _header(audio_bytes: int) -> bytes:
    return _HEADER.pack(
        b"RIFF",
        _HEADER.size - _BEFORE_RIFF_SIZE_ENDS + audio_bytes,
        b"WAVE",
        b"fmt ",
        16,
        _PCM,
        1,
        SAMPLE_RATE_HZ,
        SAMPLE_RATE_HZ * _BYTES_PER_SAMPLE,
        _BYTES_PER_SAMPLE,
        8 * _BYTES_PER_SAMPLE,
        b"data",
        audio_bytes,
    )
