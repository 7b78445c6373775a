from __future__ import annotations

import contextlib
import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orbit_voice.speech.frames import (
    MAX_BODY_BYTES,
    MAX_HEADER_BYTES,
    Frame,
    FrameError,
    encode_frame,
    read_frame,
)

HEADERS = st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=20), max_size=4)


@settings(deadline=None)
@given(HEADERS, st.binary(max_size=200))
def test_a_frame_reads_back_as_it_was_written(header, body):
    stream = io.BytesIO(encode_frame(Frame(header, body)) + b"the next")
    assert read_frame(stream) == Frame(header, body)
    assert stream.read() == b"the next"


def test_the_bytes_are_as_described():
    wire = b'OVS1\x00\x00\x00\x09\x00\x00\x00\x02{"id": 1}hi'
    assert encode_frame(Frame({"id": 1}, b"hi")) == wire


@settings(deadline=None)
@given(st.integers(0, 22))
def test_the_end_of_the_stream_anywhere_is_the_end(length):
    wire = encode_frame(Frame({"id": 1}, b"hi"))
    assert read_frame(io.BytesIO(wire[:length])) is None


@pytest.mark.parametrize(
    "wire",
    [
        b"Hello, world, and so on",
        struct.pack(">4sII", b"OVS1", MAX_HEADER_BYTES + 1, 0),
        struct.pack(">4sII", b"OVS1", 2, MAX_BODY_BYTES + 1),
        struct.pack(">4sII", b"OVS1", 2, 0) + b"[]",
        struct.pack(">4sII", b"OVS1", 2, 0) + b"\xff\xff",
        struct.pack(">4sII", b"OVS1", 4096, 0) + b"[" * 4096,
    ],
)
def test_what_is_no_frame_is_refused(wire):
    with pytest.raises(FrameError):
        read_frame(io.BytesIO(wire))


@settings(deadline=None)
@given(st.binary(max_size=64))
def test_nothing_but_a_frame_error_comes_of_any_bytes(wire):
    with contextlib.suppress(FrameError):
        read_frame(io.BytesIO(wire))
