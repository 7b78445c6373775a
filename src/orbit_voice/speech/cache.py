"""Rendered prompts, kept: what was said once plays at once."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import structlog

from orbit_voice.kit.errors import ProviderError
from orbit_voice.kit.tasks import TaskScope
from orbit_voice.speech.interface import Prompt, SpeechEngine, Voice
from orbit_voice.speech.prompt_files import PromptFiles
from orbit_voice.speech.prompt_index import PromptIndex
from orbit_voice.speech.text import normalize_text
from orbit_voice.speech.voice_choice import choose_voice
from orbit_voice.speech.wav import SAMPLE_RATE_HZ, wav_duration_by_size_s, wav_duration_s

_log = structlog.get_logger(__name__)

HOLD_S: Final = 600.0
"""A prompt is not evicted for so long after it was handed out: its call may yet play it."""
OVERRUN: Final = 2
"""Held prompts may exceed the limit up to this many times; then nothing more is rendered."""


class PromptCache:
    """A :class:`~orbit_voice.speech.interface.Speech` that remembers, from ``async with`` on.

    The same text asked for at the same time is rendered once. The least recently used prompts go
    when the files exceed the limit. A damaged file is found when it is first used, and rendered
    again.

    Args:
        directory: Of the prompts; made when missing; used by one process at a time.
        provider: Renders what is not there.
        limit_bytes: What the files may take, bytes.
        hold_s: See :data:`HOLD_S`.
    """

    def __init__(
        self,
        directory: Path,
        provider: SpeechEngine,
        *,
        limit_bytes: int,
        hold_s: float = HOLD_S,
    ) -> None:
        self._provider = provider
        self._limit_bytes = limit_bytes
        self._files = PromptFiles(directory)
        self._index = PromptIndex(limit_bytes=limit_bytes, hold_s=hold_s)
        self._unread: set[str] = set()
        self._flights: dict[str, asyncio.Task[Prompt | ProviderError]] = {}
        self._scope = TaskScope("speech.cache")
        self._disk = asyncio.Lock()

    async def __aenter__(self) -> Self:
        for prompt in await asyncio.to_thread(self._files.scan):
            self._index.add(prompt, used_at=None)
            self._unread.add(prompt.key)
        async with self._disk:
            await self._evict()
        _log.info("speech.cache.opened", prompts=len(self._index), bytes=self._index.total_bytes)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._scope.close()

    @property
    def total_bytes(self) -> int:
        """What the files take on the disk, bytes."""
        return self._index.total_bytes

    def voices(self) -> tuple[Voice, ...]:
        """Return the voices that are installed, the default first."""
        return self._provider.voices()

    async def render(
        self, text: str, *, voice: str | None = None, language: str = "en-US"
    ) -> Prompt:
        """Return ``text`` as audio (see :meth:`Speech.render`).

        Raises:
            ProviderError: As :meth:`Speech.render`; ``unavailable`` when it cannot be stored.
        """
        spoken = normalize_text(text)
        speaker = choose_voice(self._provider.voices(), name=voice, language=language)
        flight = self._flight(spoken, speaker)
        await asyncio.wait({flight})  # a caller that goes away does not take it from the others
        if flight.cancelled():
            raise _unavailable("speech is shutting down")
        outcome = flight.result()
        if isinstance(outcome, ProviderError):
            raise ProviderError(
                str(outcome), category=outcome.category, retryable=outcome.retryable
            ) from outcome
        return outcome

    def _flight(self, spoken: str, speaker: Voice) -> asyncio.Task[Prompt | ProviderError]:
        key = prompt_key(self._provider, spoken, speaker)
        flight = self._flights.get(key)
        if flight is None:
            try:
                flight = self._scope.start(self._obtain(key, spoken, speaker), name=key[:8])
            except RuntimeError as error:
                raise _unavailable("speech is shutting down") from error
            self._flights[key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key))
        return flight

    async def _obtain(self, key: str, spoken: str, speaker: Voice) -> Prompt | ProviderError:
        try:
            return await self._find(key) or await self._make(key, spoken, speaker)
        except ProviderError as error:
            return error
        except OSError as error:
            _log.error("speech.cache.disk_failed", error=str(error))
            return _unavailable(f"the prompt cannot be stored: {error.strerror}")

    async def _find(self, key: str) -> Prompt | None:
        stored = self._index.use(key, _now())
        if stored is None:
            return None
        read = key in self._unread
        if await asyncio.to_thread(self._files.is_whole, stored, read=read):
            self._unread.discard(key)
            duration_s = wav_duration_by_size_s(stored.size_bytes)
            return Prompt(self._files.path(stored), duration_s)
        _log.warning("speech.cache.damaged", file=stored.name)
        self._index.remove(key)
        self._unread.discard(key)
        await asyncio.to_thread(self._files.delete, [stored])
        return None

    async def _make(self, key: str, spoken: str, speaker: Voice) -> Prompt:
        if self._index.total_bytes > OVERRUN * self._limit_bytes:
            raise ProviderError(
                "speech is overloaded: the prompts in use fill the cache",
                category="overloaded",
                retryable=True,
            )
        audio = await self._provider.synthesize(spoken, speaker)
        try:
            duration_s = wav_duration_s(audio)
        except ValueError as error:
            raise _unavailable(f"the speech engine made no prompt: {error}") from error
        async with self._disk:
            stored = await asyncio.to_thread(self._files.write, key, audio)
            self._index.add(stored, used_at=_now())
            await self._evict()
        return Prompt(self._files.path(stored), duration_s)

    async def _evict(self) -> None:
        """Come within the limit.

        Files are written under the same lock: one that is written anew while it is evicted would
        otherwise be deleted after it was handed out.
        """
        evicted = self._index.evict(_now())
        self._unread.difference_update(prompt.key for prompt in evicted)
        await asyncio.to_thread(self._files.delete, evicted)


def prompt_key(provider: SpeechEngine, spoken: str, speaker: Voice) -> str:
    """Return the SHA-256, in hex, of all that decides how a prompt sounds."""
    decisive = [
        provider.name,
        provider.version,
        speaker.name,
        speaker.language,
        SAMPLE_RATE_HZ,
        spoken,
    ]
    return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _unavailable(reason: str) -> ProviderError:
    return ProviderError(reason, category="unavailable", retryable=True)
