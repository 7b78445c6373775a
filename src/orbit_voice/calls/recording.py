"""The recording of a call: where it goes, when it is whole, what is told of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from orbit_voice.calls.facilities import AudioStream
from orbit_voice.calls.records import Recording, RecordingStatus
from orbit_voice.kit.ids import new_recording_id
from orbit_voice.media.events import RecordingFailed, RecordingFinished

_CHANNELS_MONO: Final = 1


class CallRecording:
    """One recording of one call.

    Args:
        directory: Where recordings lie; a directory for each day is made below it.
        started_at: Moment of the start; names the day.

    Attributes:
        recording: What is known of it now.
    """

    def __init__(self, directory: Path, started_at: datetime) -> None:
        self._directory = directory
        identity = new_recording_id()
        relative = f"{started_at:%Y-%m-%d}/{identity}.wav"
        self.recording = Recording(
            identity, RecordingStatus.RECORDING, relative, channels=_CHANNELS_MONO
        )

    def start(self, stream: AudioStream) -> None:
        """Record ``stream`` from its next tick on."""
        path = self._directory / self.recording.path
        path.parent.mkdir(parents=True, exist_ok=True)
        stream.start_recording(path)

    def finish(self, event: RecordingFinished | RecordingFailed) -> Recording:
        """Take the news that the file is whole, or never will be."""
        if isinstance(event, RecordingFinished):
            self.recording = replace(
                self.recording,
                status=RecordingStatus.COMPLETED,
                duration_seconds=round(event.duration_s, 3),
                channels=event.channels,
                size_bytes=event.size_bytes,
                sha256=event.sha256,
            )
        else:
            self.recording = replace(self.recording, status=RecordingStatus.FAILED)
        return self.recording
