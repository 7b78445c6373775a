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
                ``unavailable`` or ``timeout`` when the engine failed.
        """
