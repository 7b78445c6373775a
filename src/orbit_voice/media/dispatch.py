"""Makes typed events of the native engine's tuples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from orbit_voice import _native
from orbit_voice.media.events import (
    DtmfReceived,
    DtmfSent,
    MediaEvent,
    MediaStarted,
    MediaTimedOut,
    PlayFinished,
    RecordingFailed,
    RecordingFinished,
    StreamClosed,
)
from orbit_voice.media.statistics import StreamStatistics

SAMPLE_RATE_HZ: Final = 8000
"""Of every recording: the sample rate of G.711 (RFC 3551 §4.5.14)."""


def _recording_finished(
    path: str, samples: int, size_bytes: int, sha256: str, lost_samples: int
) -> RecordingFinished:
    return RecordingFinished(
        path=Path(path),
        duration_s=samples / SAMPLE_RATE_HZ,
        samples=samples,
        channels=1,
        size_bytes=size_bytes,
        sha256=sha256,
        lost_samples=lost_samples,
    )


def _recording_failed(path: str, reason: str, kept: str | None) -> RecordingFailed:
    return RecordingFailed(Path(path), reason, None if kept is None else Path(kept))


def _stream_closed(statistics: _native.StatisticsFields) -> StreamClosed:
    return StreamClosed(StreamStatistics(**statistics))


_MAKERS: Final[Mapping[str, Callable[..., MediaEvent]]] = {
    "media_started": MediaStarted,
    "media_timed_out": MediaTimedOut,
    "play_finished": PlayFinished,
    "dtmf_received": DtmfReceived,
    "dtmf_sent": DtmfSent,
    "recording_finished": _recording_finished,
    "recording_failed": _recording_failed,
    "stream_closed": _stream_closed,
}


def make_event(name: str, fields: tuple[object, ...]) -> MediaEvent:
    """Return the event the native engine calls ``name``."""
    return _MAKERS[name](*fields)
