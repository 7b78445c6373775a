"""Mouth and ears of a simulated leg."""

from __future__ import annotations

from pathlib import Path

from orbit_voice.media.engine import MediaEngine
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
from orbit_voice.media.statistics import StreamStatistics
from orbit_voice.sdp.plan import AudioPlan
from orbit_voice.testing.transcript import Transcript


class LegMedia:
    """A media stream, what it heard, and its recording.

    Args:
        engine: Where the stream comes from.
        transcript: Takes what happens.
        recording: WAV file to record into from the first plan on; None records nothing.
        echoes_digits: Whether every digit heard is sent back.

    Attributes:
        stream: The stream.
        heard_digits: DTMF heard so far.
        recorded: What became of the recording, or None.

    Raises:
        MediaError: No media port is free.
    """

    def __init__(
        self,
        engine: MediaEngine,
        transcript: Transcript,
        *,
        recording: Path | None,
        echoes_digits: bool = False,
    ) -> None:
        self._transcript = transcript
        self._recording = recording
        self._records = False
        self._final: StreamStatistics | None = None
        self._echoes_digits = echoes_digits
        self.heard_digits = ""
        self.recorded: RecordingFinished | RecordingFailed | None = None
        self.stream = engine.open_stream(self._take)

    @property
    def statistics(self) -> StreamStatistics:
        """The stream in figures: of now, or final once it is closed."""
        return self._final or self.stream.statistics()

    def run(self, plan: AudioPlan) -> None:
        """Start or change the stream. Like most phones it follows a peer behind a NAT.

        Raises:
            MediaError: The plan cannot be served.
        """
        self.stream.configure(StreamPlan.of(plan, symmetric=True))
        self._transcript.note("media agreed", _in_words(plan))
        if self._recording is not None and not self._records:
            self._records = True
            self.stream.start_recording(self._recording)

    def _take(self, event: MediaEvent) -> None:
        match event:
            case DtmfReceived(digit=digit):
                self._hear(digit)
            case RecordingFinished() | RecordingFailed():
                self.recorded = event
                self._transcript.note("recorded", event.path)
            case StreamClosed(statistics=statistics):
                self._final = statistics
                self._transcript.note("media closed")
            case MediaStarted(source_address=address, source_port=port):
                self._transcript.note("media started", f"{address}:{port}")
            case PlayFinished(completed=completed):
                self._transcript.note("played", "whole" if completed else "in part")
            case DtmfSent(digits=digits):
                self._transcript.note("digits sent", digits)
            case MediaTimedOut(silent_s=silent_s):
                self._transcript.note("media timed out", f"{silent_s:.1f} s")

    def _hear(self, digit: str) -> None:
        self.heard_digits += digit
        self._transcript.note("digit", digit)
        if self._echoes_digits:
            self.stream.send_dtmf(digit)


def _in_words(plan: AudioPlan) -> str:
    match plan.sends, plan.receives:
        case True, True:
            return f"{plan.codec} both ways"
        case True, False:
            return f"{plan.codec} from us only"
        case False, True:
            return f"{plan.codec} to us only"
        case _:
            return f"{plan.codec} neither way"
