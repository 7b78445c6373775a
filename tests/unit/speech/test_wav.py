from __future__ import annotations

import io
import struct
import wave

import pytest

from orbit_voice.speech.wav import encode_wav, wav_duration_by_size_s, wav_duration_s

SECOND = struct.pack("<8000h", *range(-4000, 4000))


def test_the_file_reads_back_as_8_khz_mono_16_bit():
    with wave.open(io.BytesIO(encode_wav(SECOND))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        assert file.readframes(8001) == SECOND


def test_the_duration_is_told_by_the_samples():
    assert wav_duration_s(encode_wav(SECOND)) == 1.0
    assert wav_duration_by_size_s(len(encode_wav(SECOND))) == 1.0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"RIFF",
        encode_wav(b""),
        encode_wav(SECOND)[:-2],
        encode_wav(SECOND) + b"\0\0",
        encode_wav(SECOND + b"\0"),
        encode_wav(SECOND).replace(struct.pack("<I", 8000), struct.pack("<I", 24000), 1),
    ],
)
def test_what_is_not_such_a_file_is_refused(data):
    with pytest.raises(ValueError, match=r"WAV|sample"):
        wav_duration_s(data)
