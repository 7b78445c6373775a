"""Which voice speaks, given a name or a language."""

from __future__ import annotations

from collections.abc import Sequence

from orbit_voice.kit.errors import ProviderError
from orbit_voice.speech.interface import Voice


def choose_voice(voices: Sequence[Voice], *, name: str | None, language: str) -> Voice:
    """Return the voice called ``name``, or the first that fits ``language``.

    A voice of the same region comes first (``en-GB`` for ``en-GB``), then any voice of the same
    language: a British text is better spoken by an American voice than not at all.

    Args:
        voices: What is installed, the default first.
        name: As in :attr:`Voice.name`; None leaves the choice to ``language``.
        language: BCP 47 tag; letter case does not matter (RFC 5646 §2.1.1).

    Raises:
        ProviderError: ``rejected``, naming what is installed; ``misconfigured`` when nothing is.
    """
    if not voices:
        raise ProviderError(
            "no speech voice is installed", category="misconfigured", retryable=False
        )
    speakers = [voice for voice in voices if _primary(voice.language) == _primary(language)]
    if not speakers:
        raise _rejected(f"no voice speaks {_quoted(language)}", voices)
    if name is not None:
        return _named(name, speakers, voices)
    wanted = language.lower()
    same_region = (voice for voice in speakers if voice.language.lower() == wanted)
    return next(same_region, speakers[0])


def _named(name: str, speakers: Sequence[Voice], voices: Sequence[Voice]) -> Voice:
    for voice in speakers:
        if voice.name == name:
            return voice
    if any(voice.name == name for voice in voices):
        raise _rejected(f"voice {_quoted(name)} does not speak that language", voices)
    raise _rejected(f"voice {_quoted(name)} is not installed", voices)


def _primary(language: str) -> str:
    return language.partition("-")[0].lower()


def _quoted(value: str) -> str:
    return repr(value[:40])


def _rejected(reason: str, voices: Sequence[Voice]) -> ProviderError:
    installed = ", ".join(f"{voice.name} ({voice.language})" for voice in voices)
    return ProviderError(f"{reason}; installed: {installed}", category="rejected", retryable=False)
