"""What the rest of the program knows of speech: text in, a file to play out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Prompt:
    """Rendered speech.

    Attributes:
        path: WAV file, 8 kHz, mono, 16 bit.
        duration_s: How long it plays, seconds.
    """

    path: Path
    duration_s: float


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that is installed here.

    Attributes:
        name: What ``render`` takes as ``voice``.
        language: BCP 47 tag of what it speaks, for example ``en-US``.
        gender: ``female`` or ``male``.
    """

    name: str
    language: str
    gender: str


class Speech(Protocol):
    """Text to speech."""

    async def render(
        self, text: str, *, voice: str | None = None, language: str = "en-US"
    ) -> Prompt:
        """Return ``text`` as audio.

        Args:
            text: What to say.
            voice: Name of a voice, or None for the language's default.
            language: BCP 47 tag.

        Raises:
            ProviderError: ``rejected`` when the text, voice or language cannot be spoken;
                ``overloaded`` when too much waits already; ``unavailable`` or ``timeout`` when
                the engine failed; ``misconfigured`` when no voice is installed.
        """


class SpeechEngine(Protocol):
    """What turns text into sound; :class:`~orbit_voice.speech.PromptCache` stands before it."""

    @property
    def name(self) -> str:
        """Of the engine; part of every cache key."""

    @property
    def version(self) -> str:
        """Changes whenever the same text would sound different."""

    def voices(self) -> tuple[Voice, ...]:
        """Return the voices that are installed, the default first."""

    async def synthesize(self, text: str, voice: Voice) -> bytes:
        """Return ``text`` as a whole WAV file: 8 kHz, mono, 16 bit.

        Args:
            text: Normalized (:func:`~orbit_voice.speech.text.normalize_text`).
            voice: One of :meth:`voices`.

        Raises:
            ProviderError: As :meth:`Speech.render`.
        """
