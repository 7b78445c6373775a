"""The speech program: ``python -m orbit_voice.speech.hibari_program``.

Reads requests from standard input and writes answers to standard output, as
:mod:`orbit_voice.speech.frames` says; standard error is for the server's log. Ends when its input
does, in the middle of a prompt too: it never outlives the server. Of all our code only this
program loads the engine and its models.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import traceback
from typing import Any, BinaryIO, Final

import numpy as np
from hibari import Hibari  # type: ignore[import-untyped]
from hibari.voices import voice_path  # type: ignore[import-untyped]

from orbit_voice.speech.frames import Frame, FrameError, encode_frame, read_frame
from orbit_voice.speech.hibari_voices import installed_voices
from orbit_voice.speech.lowpass import INPUT_RATE_HZ, to_pcm16, to_telephone_band
from orbit_voice.speech.wav import encode_wav

MAX_AUDIO_S: Final = 900
"""A prompt that would play for longer is refused; 14.4 MB, within one frame."""
_MAX_VOICES_LOADED: Final = 3
"""Voices kept in memory, about 50 MB each."""
_NICENESS: Final = 5
"""Below the media threads: a prompt may wait, a packet may not."""
_SEED: Final = 0
"""The same text always sounds the same."""


class UnspeakableError(Exception):
    """The text cannot be spoken; the message says why."""


class Speaker:
    """Renders text with the voices loaded so far."""

    def __init__(self) -> None:
        self._engines: dict[str, Any] = {}

    def render(self, text: str, voice: str) -> bytes:
        """Return ``text`` as a WAV file.

        Raises:
            UnspeakableError: Nothing in it can be spoken, or it would play for too long.
        """
        sentences, samples = [], 0
        for sentence in self.load(voice).stream(text, seed=_SEED):
            sentences.append(sentence)
            samples += len(sentence)
            if samples > MAX_AUDIO_S * INPUT_RATE_HZ:
                raise UnspeakableError(f"the text would play for more than {MAX_AUDIO_S} s")
        if not samples:
            raise UnspeakableError("nothing in the text can be spoken by this voice")
        return encode_wav(to_pcm16(to_telephone_band(np.concatenate(sentences))))

    def load(self, voice: str) -> Any:
        """Return the engine of ``voice``, from memory or from disk; never from the network.

        Raises:
            UnspeakableError: The voice is not installed.
        """
        engine = self._engines.pop(voice, None)
        if engine is None:
            engine = _load_engine(voice)
            while len(self._engines) >= _MAX_VOICES_LOADED:
                del self._engines[next(iter(self._engines))]
        self._engines[voice] = engine  # the least recently used stays first
        return engine


def _load_engine(voice: str) -> Any:
    try:
        model = voice_path(voice, download_missing=False)
    except (ValueError, FileNotFoundError) as error:
        raise UnspeakableError(f"voice {voice!r} is not installed") from error
    return Hibari(voice=voice, model=model)


def answer(request: Frame, speaker: Speaker) -> Frame:
    """Return the answer to one request. Never raises: one bad text must not end the program."""
    header = {"id": request.header.get("id")}
    try:
        audio = speaker.render(request.body.decode(), str(request.header.get("voice")))
    except UnspeakableError as error:
        return Frame({**header, "status": "rejected", "reason": str(error)})
    except Exception as error:  # noqa: BLE001  # whatever the engine raises is of this text
        traceback.print_exc()
        return Frame({**header, "status": "failed", "reason": type(error).__name__})
    return Frame({**header, "status": "ok"}, audio)


def main() -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)
    output = _take_stdout()
    requests: queue.Queue[Frame] = queue.Queue(1)
    speaker = Speaker()
    threading.Thread(target=_read_requests, args=(sys.stdin.buffer, requests), daemon=True).start()
    for voice in installed_voices()[:1]:
        speaker.load(voice.name).g2p("Ready.")
    _write(output, Frame({"status": "ready"}))
    while True:
        _write(output, answer(requests.get(), speaker))


def _take_stdout() -> BinaryIO:
    """Keep standard output for frames: what a library prints goes to standard error."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return output


def _read_requests(stream: BinaryIO, requests: queue.Queue[Frame]) -> None:
    """Pass requests on; at the end of the input end the process, whatever else it does."""
    try:
        while (request := read_frame(stream)) is not None:
            requests.put(request)
    except FrameError:
        traceback.print_exc()
    os._exit(0)


def _write(output: BinaryIO, frame: Frame) -> None:
    output.write(encode_frame(frame))
    output.flush()


if __name__ == "__main__":
    main()
