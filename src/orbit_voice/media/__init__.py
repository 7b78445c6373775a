"""The Python face of the native media engine.

An engine owns ports and media threads; a stream is one RTP conversation of it. Audio never passes
through Python: orders go down as plain values, events come up in order.
"""

from __future__ import annotations

from orbit_voice.media.engine import MediaEngine
from orbit_voice.media.errors import MediaError, MediaFailure
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
from orbit_voice.media.plan import StreamPlan
from orbit_voice.media.statistics import EngineMetrics, StreamStatistics
from orbit_voice.media.stream import MediaStream

__all__ = [
    "DtmfReceived",
    "DtmfSent",
    "EngineMetrics",
    "MediaEngine",
    "MediaError",
    "MediaEvent",
    "MediaFailure",
    "MediaStarted",
    "MediaStream",
    "MediaTimedOut",
    "PlayFinished",
    "RecordingFailed",
    "RecordingFinished",
    "StreamClosed",
    "StreamPlan",
    "StreamStatistics",
]
