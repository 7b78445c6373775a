"""What may be spoken, and the one form of it that is spoken and cached."""

from __future__ import annotations

import unicodedata
from typing import Final

from orbit_voice.kit.errors import ProviderError

MAX_TEXT_CHARS: Final = 5000
"""Longest text of one prompt: about six minutes of speech, 6 MB of audio."""


def normalize_text(text: str) -> str:
    """Return ``text`` in the form that is spoken.

    Unicode NFC; control characters dropped; each run of blanks one space; each run of line ends
    one line end, which an engine may speak as the end of a sentence.

    Raises:
        ProviderError: ``rejected``: too long, not Unicode text, or without a letter or digit.
    """
    if len(text) > MAX_TEXT_CHARS:
        raise _rejected(f"the text has {len(text)} characters; {MAX_TEXT_CHARS} are allowed")
    lines = (_clean_line(line) for line in unicodedata.normalize("NFC", text).splitlines())
    spoken = "\n".join(line for line in lines if line)
    if not any(character.isalnum() for character in spoken):
        raise _rejected("the text has no letter or digit to speak")
    if any(unicodedata.category(character) == "Cs" for character in spoken):
        raise _rejected("the text holds half of a surrogate pair")
    return spoken


def _clean_line(line: str) -> str:
    kept = (" " if c.isspace() else c for c in line if c.isspace() or not _is_control(c))
    return " ".join("".join(kept).split())


def _is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc"


def _rejected(reason: str) -> ProviderError:
    return ProviderError(reason, category="rejected", retryable=False)
