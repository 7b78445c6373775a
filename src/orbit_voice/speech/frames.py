"""Frames between the server and a speech program, over its standard input and output.

A frame is the magic ``OVS1``, the length of its header and of its body (uint32, big-endian), a
header of JSON (an object, UTF-8) and a body of any bytes. The server sends ``{"id", "voice"}``
with the text as the body. The program sends ``{"status": "ready"}`` once it can render, then one
answer for each request: ``{"id", "status": "ok"}`` with a WAV file as the body, or ``{"id",
"status": "rejected"|"failed", "reason"}``.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

MAGIC: Final = b"OVS1"
MAX_HEADER_BYTES: Final = 4096
MAX_BODY_BYTES: Final = 16 * 1024 * 1024
"""Seventeen minutes of prompt audio: three times the longest text that is taken."""
_PREFIX: Final = struct.Struct(">4sII")
PREFIX_BYTES: Final = _PREFIX.size


class FrameError(ValueError):
    """What came is not a frame, or is larger than a frame may be."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message, either way."""

    header: Mapping[str, Any]
    body: bytes = b""


def encode_frame(frame: Frame) -> bytes:
    """Return ``frame`` as bytes."""
    header = json.dumps(frame.header).encode("ascii")
    return _PREFIX.pack(MAGIC, len(header), len(frame.body)) + header + frame.body


def decode_prefix(prefix: bytes) -> tuple[int, int]:
    """Return the header's and the body's length, bytes.

    Args:
        prefix: The first :data:`PREFIX_BYTES` of a frame.

    Raises:
        FrameError: No frame starts like this, or it would be too large.
    """
    magic, header_bytes, body_bytes = _PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise FrameError(f"no frame starts with {magic!r}")
    if header_bytes > MAX_HEADER_BYTES or body_bytes > MAX_BODY_BYTES:
        raise FrameError(f"a frame of {header_bytes} + {body_bytes} bytes is too large")
    return header_bytes, body_bytes


def decode_header(data: bytes) -> Mapping[str, Any]:
    """Return the header.

    Raises:
        FrameError: It is not a JSON object.
    """
    try:
        header = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FrameError("the header is not JSON") from error
    if not isinstance(header, dict):
        raise FrameError("the header is not a JSON object")
    return header


def read_frame(stream: BinaryIO) -> Frame | None:
    """Read one frame, blocking; None at the end of the stream, between frames or within one.

    Raises:
        FrameError: What came is not a frame.
    """
    prefix = stream.read(PREFIX_BYTES)
    if len(prefix) < PREFIX_BYTES:
        return None
    header_bytes, body_bytes = decode_prefix(prefix)
    payload = stream.read(header_bytes + body_bytes)
    if len(payload) < header_bytes + body_bytes:
        return None
    return Frame(decode_header(payload[:header_bytes]), payload[header_bytes:])
