from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orbit_voice.kit.errors import ProviderError
from orbit_voice.speech.text import MAX_TEXT_CHARS, normalize_text


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("  Hello\t there ", "Hello there"),
        ("One.\r\n\r\n  Two. ", "One.\nTwo."),
        ("nul\x00 bell\x07", "nul bell"),
        ("cafe\u0301", "caf\u00e9"),
    ],
)
def test_what_sounds_the_same_is_written_the_same(text, spoken):
    assert normalize_text(text) == spoken


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no letter"),
        (" \n\t", "no letter"),
        ("... --- !", "no letter"),
        ("half \ud83d", "surrogate"),
        ("a" * (MAX_TEXT_CHARS + 1), "5000 are allowed"),
    ],
)
def test_what_cannot_be_spoken_is_refused_with_the_reason(text, reason):
    with pytest.raises(ProviderError, match=reason) as caught:
        normalize_text(text)
    assert caught.value.category == "rejected"
    assert not caught.value.retryable


def test_the_longest_text_is_taken():
    assert normalize_text("a" * MAX_TEXT_CHARS) == "a" * MAX_TEXT_CHARS


@settings(deadline=None)
@given(st.text())
def test_normalizing_is_done_in_one_go_and_always_gives_text_for_the_wire(text):
    try:
        spoken = normalize_text(text)
    except ProviderError:
        return
    assert normalize_text(spoken) == spoken
    spoken.encode()
