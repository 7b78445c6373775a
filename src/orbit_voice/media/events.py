"""What a media stream tells its owner (one closed union), in order, on the loop's thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from orbit_voice.media.statistics import StreamStatistics


@dataclass(frozen=True, slots=True)
class MediaStarted:
    """The first packet was accepted; audio now comes from, and goes to, this source.

    Comes again when a new plan named a new remote address.
    """

    source_address: str
    source_port: int


@dataclass(frozen=True, slots=True)
class MediaTimedOut:
    """No packet came for ``silent_s`` seconds though the peer should send.

    Said once; again only after packets came and ceased anew.
    """

    silent_s: float


@dataclass(frozen=True, slots=True)
class PlayFinished:
    """A play is over: its last packet has left the socket.

    ``completed`` is False when it was stopped or replaced, or the stream was closed.
    """

    play_id: int
    completed: bool


@dataclass(frozen=True, slots=True)
class DtmfReceived:
    """The peer pressed a key; said once per key press, at its end (RFC 4733).

    ``digit`` is one of ``0-9 * # A B C D``.
    """

    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class DtmfSent:
    """All of the ``digits`` of one order have left the socket."""

    digits: str


@dataclass(frozen=True, slots=True)
class RecordingFinished:
    """The recording is whole, durable, and at its path.

    Attributes:
        path: Where it lies.
        duration_s: ``samples`` as seconds.
        samples: Samples per channel at 8000 Hz; 160 for every 20 ms tick that it ran.
        channels: 1.
        size_bytes: Of the whole file.
        sha256: Of the whole file, hex.
        lost_samples: How many of ``samples`` are silence because the disk was too slow.
    """

    path: Path
    duration_s: float
    samples: int
    channels: int
    size_bytes: int
    sha256: str
    lost_samples: int = 0


@dataclass(frozen=True, slots=True)
class RecordingFailed:
    """The recording could not be written on; the stream itself goes on.

    ``kept`` is the file with what was written until then, playable; None when there is nothing.
    """

    path: Path
    reason: str
    kept: Path | None = None


@dataclass(frozen=True, slots=True)
class StreamClosed:
    """The stream is over and its ports are free; nothing follows."""

    statistics: StreamStatistics


MediaEvent: TypeAlias = (
    MediaStarted
    | MediaTimedOut
    | PlayFinished
    | DtmfReceived
    | DtmfSent
    | RecordingFinished
    | RecordingFailed
    | StreamClosed
)
