"""Hibari, an English speech engine, in a process of its own.

The models stay out of the server: what crashes, hangs or leaks there costs one prompt, never a
call. One worker renders one prompt at a time; what is asked meanwhile waits in a bounded queue.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import structlog

from orbit_voice.kit.errors import ProviderError
from orbit_voice.kit.tasks import TaskScope
from orbit_voice.speech.backoff import Backoff
from orbit_voice.speech.child import ChildLostError, SpeechChild
from orbit_voice.speech.hibari_voices import engine_version, installed_voices
from orbit_voice.speech.interface import Voice

_log = structlog.get_logger(__name__)

HIBARI_COMMAND: Final = (sys.executable, "-P", "-m", "orbit_voice.speech.hibari_program")
_SETTINGS_PREFIX: Final = "ORBIT_"


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """What a worker holds and how long it waits.

    Attributes:
        queue: Prompts that may wait, besides the one being rendered; more are refused.
        wait_s: A prompt waits at most this long for its turn, seconds.
        start_s: The program gets this long until it can render, seconds. Loading takes 0.5 to 1 s.
        render_s: The program gets this long for one prompt, seconds. The longest text takes 5 s.
        prompts: The program is replaced after so many: what it leaks is bounded.
        stop_s: The program gets this long to end by itself, seconds.
        first_pause_s: Pause before it is started again after a failure, seconds.
        longest_pause_s: The pause doubles with every failure in a row up to this, seconds.
        patience_s: A prompt waits for a pause of at most this, seconds; else it fails at once.
    """

    queue: int = 32
    wait_s: float = 10.0
    start_s: float = 20.0
    render_s: float = 30.0
    prompts: int = 2000
    stop_s: float = 2.0
    first_pause_s: float = 0.1
    longest_pause_s: float = 30.0
    patience_s: float = 1.0


class _Job:
    """A prompt that is waited for."""

    def __init__(self, text: str, voice: str, *, wait_s: float) -> None:
        loop = asyncio.get_running_loop()
        self.text = text
        self.voice = voice
        self.audio: asyncio.Future[bytes] = loop.create_future()
        waited = _overloaded(f"no turn within {wait_s:g} s")
        self._expiry = loop.call_later(wait_s, self.fail, waited)

    def begin(self) -> bool:
        """Take its turn; False when nobody waits for it any more."""
        self._expiry.cancel()
        return not self.audio.done()

    def succeed(self, audio: bytes) -> None:
        if not self.audio.done():
            self.audio.set_result(audio)

    def fail(self, error: ProviderError) -> None:
        self._expiry.cancel()
        if not self.audio.done():
            self.audio.set_exception(error)


class HibariWorker:
    """A :class:`~orbit_voice.speech.interface.SpeechEngine`, from ``async with`` to its end.

    Args:
        command: The speech program; another one in tests.
        voices: What it can speak with, the default first; None asks what is installed.
        limits: Bounds, see :class:`WorkerLimits`.
        warm: Start the program at once rather than at the first prompt.
    """

    def __init__(
        self,
        *,
        command: Sequence[str] = HIBARI_COMMAND,
        voices: Sequence[Voice] | None = None,
        limits: WorkerLimits | None = None,
        warm: bool = False,
    ) -> None:
        self._command = tuple(command)
        self._voices = tuple(installed_voices() if voices is None else voices)
        self._limits = limits or WorkerLimits()
        self._warm = warm
        self._version = engine_version()
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue(self._limits.queue)
        self._scope = TaskScope("speech.worker")
        self._child: SpeechChild | None = None
        self._backoff = Backoff(
            first_s=self._limits.first_pause_s, longest_s=self._limits.longest_pause_s
        )
        self._open = False

    @property
    def name(self) -> str:
        """Of the engine."""
        return "hibari-tts"

    @property
    def version(self) -> str:
        """Of the engine and of what is done to its sound."""
        return self._version

    @property
    def pid(self) -> int | None:
        """Process id of the speech program, None while none runs."""
        return self._child.pid if self._child is not None and self._child.alive else None

    def voices(self) -> tuple[Voice, ...]:
        """Return the voices that are installed, the default first."""
        return self._voices

    async def __aenter__(self) -> Self:
        self._open = True
        _ = self._scope.start(self._serve(), name="serve")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open = False
        await self._scope.close()
        while not self._jobs.empty():
            self._jobs.get_nowait().fail(_unavailable("speech is shutting down"))
        await self._stop_child()

    async def synthesize(self, text: str, voice: Voice) -> bytes:
        """Return ``text`` as a WAV file (see :class:`SpeechEngine`).

        Raises:
            ProviderError: ``overloaded`` when the queue is full or the wait too long;
                ``unavailable`` when the program crashed or cannot be started; ``timeout`` when it
                did not answer in time; ``rejected`` when it cannot speak this.
        """
        if not self._open:
            raise _unavailable("speech is not running")
        job = _Job(text, voice.name, wait_s=self._limits.wait_s)
        try:
            self._jobs.put_nowait(job)
        except asyncio.QueueFull:
            job.fail(_overloaded(f"{self._limits.queue} prompts wait already"))
        return await job.audio

    async def _serve(self) -> None:
        if self._warm:
            await self._warm_up()
        while True:
            job = await self._jobs.get()
            if job.begin():
                await self._perform(job)

    async def _warm_up(self) -> None:
        try:
            await self._ready_child()
        except ProviderError as error:
            _log.warning("speech.worker.not_warm", reason=str(error))

    async def _perform(self, job: _Job) -> None:
        try:
            job.succeed(await self._render(job))
        except ProviderError as error:
            job.fail(error)
        finally:
            job.fail(_unavailable("speech is shutting down"))

    async def _render(self, job: _Job) -> bytes:
        child = await self._ready_child()
        try:
            audio = await child.render(job.text, voice=job.voice, timeout_s=self._limits.render_s)
        except ChildLostError as error:
            await self._lose_child(str(error))
            raise _unavailable(str(error)) from error
        except TimeoutError as error:
            await self._lose_child("no answer in time")
            raise _late("the speech program did not answer in time") from error
        self._backoff.succeeded()
        return audio

    async def _ready_child(self) -> SpeechChild:
        if self._child is not None and not self._child.alive:
            await self._lose_child("ended while idle")
        if self._child is not None and self._child.requests >= self._limits.prompts:
            await self._stop_child()
        if self._child is None:
            await self._pause()
            self._child = await self._start_child()
        return self._child

    async def _start_child(self) -> SpeechChild:
        try:
            child = await SpeechChild.start(
                self._command, environment=_environment(), timeout_s=self._limits.start_s
            )
        except ChildLostError as error:
            self._note_failure(str(error))
            raise _unavailable(str(error)) from error
        except TimeoutError as error:
            self._note_failure("not ready in time")
            raise _late("the speech program was not ready in time") from error
        _log.info("speech.child.started", pid=child.pid)
        return child

    async def _pause(self) -> None:
        pause_s = self._backoff.remaining_s(asyncio.get_running_loop().time())
        if pause_s > self._limits.patience_s:
            raise _unavailable(f"the speech program is started again in {pause_s:.0f} s")
        await asyncio.sleep(pause_s)

    async def _stop_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.stop(self._limits.stop_s)

    async def _lose_child(self, reason: str) -> None:
        self._note_failure(reason)
        child, self._child = self._child, None
        if child is not None:
            await child.kill()

    def _note_failure(self, reason: str) -> None:
        self._backoff.failed(asyncio.get_running_loop().time())
        _log.error("speech.child.lost", reason=reason)


def _environment() -> dict[str, str]:
    """Return what the program may see of our environment: all but the server's settings."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS_PREFIX)
    }


def _unavailable(reason: str) -> ProviderError:
    return ProviderError(reason, category="unavailable", retryable=True)


def _late(reason: str) -> ProviderError:
    return ProviderError(reason, category="timeout", retryable=True)


def _overloaded(reason: str) -> ProviderError:
    return ProviderError(f"speech is overloaded: {reason}", category="overloaded", retryable=True)
