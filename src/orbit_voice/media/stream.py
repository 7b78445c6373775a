"""One RTP conversation with one peer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from orbit_voice import _native
from orbit_voice.media.plan import StreamPlan
from orbit_voice.media.refusals import refusals_as_media_errors
from orbit_voice.media.statistics import StreamStatistics


class MediaStream:
    """A port pair, and what is sent from it and received on it.

    Made by :meth:`MediaEngine.open_stream`. Orders take effect in the order given, within one
    media tick (20 ms), and never block. While the plan says ``sends`` the stream sends without a
    break: what is played, else silence, because carriers end calls whose media stops.

    Args:
        native: The engine's stream.
    """

    def __init__(self, native: _native.Stream) -> None:
        self._native = native

    @property
    def local_rtp_port(self) -> int:
        """The even port that receives RTP; RTCP is on the next one."""
        return self._native.rtp_port

    def configure(self, plan: StreamPlan) -> None:
        """Start the stream, or change it (re-INVITE).

        What is playing and being recorded goes on. A new remote address arms the source latch
        again; the same address keeps it.

        Raises:
            MediaError: ``BAD_PLAN``, ``CLOSED``.
        """
        with refusals_as_media_errors():
            self._native.configure(**asdict(plan))

    def play(self, prompts: Sequence[Path], *, loop: bool = False) -> int:
        """Play files one after the other, in place of what plays now.

        The files are read and resampled here, before anything is heard; a file that was played
        lately is in memory. Playing waits while the stream is not configured or does not send
        (hold), and while digits are being sent.

        Args:
            prompts: WAV files: 16-bit PCM or G.711, mono or stereo (mixed down), 8000-48000 Hz.
            loop: Begin again after the last prompt, until stopped.

        Returns:
            The id that :class:`~orbit_voice.media.events.PlayFinished` will carry.

        Raises:
            MediaError: ``BAD_PROMPT``, ``CLOSED``.
        """
        with refusals_as_media_errors():
            return self._native.play([os.fspath(prompt) for prompt in prompts], loop)

    def stop_playing(self) -> None:
        """End what plays now; nothing happens when nothing does."""
        self._native.stop_playing()

    def send_dtmf(self, digits: str, *, duration_ms: int = 100, gap_ms: int = 50) -> None:
        """Send telephone events (RFC 4733), after those ordered before.

        Args:
            digits: Out of ``0-9 * # A B C D``; ``w`` is a pause of 500 ms. 1-128 characters.
            duration_ms: Of each event, 40-8000 ms.
            gap_ms: Between events, 40-8000 ms.

        Raises:
            MediaError: ``BAD_DIGITS``, ``NOT_NEGOTIATED``, ``CLOSED``.
        """
        with refusals_as_media_errors():
            self._native.send_dtmf(digits, duration_ms, gap_ms)

    def start_recording(self, path: Path) -> None:
        """Record both sides, mixed, as WAV (8000 Hz, 16-bit, mono).

        Until it is whole the file is called ``<path>.part``. Recording runs on the tick clock,
        160 samples each 20 ms, whatever arrives.

        Raises:
            MediaError: ``BAD_RECORDING`` (cannot be made, exists already, stream records already),
                ``CLOSED``.
        """
        with refusals_as_media_errors():
            self._native.start_recording(os.fspath(path))

    def stop_recording(self) -> None:
        """End the recording; ``RecordingFinished`` follows when the file is durable."""
        self._native.stop_recording()

    def statistics(self) -> StreamStatistics:
        """Return the figures as of at most 100 ms ago; the final ones once closed."""
        return StreamStatistics(**self._native.statistics())

    def close(self) -> None:
        """End playing and recording, and release the ports. May be called again.

        The last event is :class:`~orbit_voice.media.events.StreamClosed`.
        """
        self._native.close()
