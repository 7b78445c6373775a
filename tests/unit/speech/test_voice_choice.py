from __future__ import annotations

import pytest

from orbit_voice.kit.errors import ProviderError
from orbit_voice.speech import Voice
from orbit_voice.speech.voice_choice import choose_voice

HEART = Voice("heart", "en-US", "female")
EMMA = Voice("emma", "en-GB", "female")
ANNA = Voice("anna", "de-DE", "female")
VOICES = [HEART, EMMA, ANNA]


@pytest.mark.parametrize(
    ("language", "voice"),
    [
        ("en-US", HEART),
        ("en-GB", EMMA),
        ("EN-gb", EMMA),
        ("en", HEART),
        ("en-AU", HEART),
        ("de-AT", ANNA),
    ],
)
def test_the_region_counts_before_the_order_and_the_language_before_all(language, voice):
    assert choose_voice(VOICES, name=None, language=language) == voice


def test_a_voice_can_be_asked_for_by_name():
    assert choose_voice(VOICES, name="emma", language="en-US") == EMMA


@pytest.mark.parametrize(
    ("name", "language", "reason"),
    [
        (None, "fr-FR", "no voice speaks 'fr-FR'"),
        ("bella", "en-US", "voice 'bella' is not installed"),
        ("anna", "en-US", "voice 'anna' does not speak that language"),
    ],
)
def test_what_is_not_installed_is_refused_with_what_is(name, language, reason):
    with pytest.raises(ProviderError, match=reason) as caught:
        choose_voice(VOICES, name=name, language=language)
    assert "installed: heart (en-US), emma (en-GB), anna (de-DE)" in str(caught.value)
    assert caught.value.category == "rejected"


def test_a_server_without_a_voice_says_so():
    with pytest.raises(ProviderError, match="no speech voice is installed") as caught:
        choose_voice([], name=None, language="en-US")
    assert caught.value.category == "misconfigured"


def test_an_endless_name_does_not_make_an_endless_message():
    with pytest.raises(ProviderError) as caught:
        choose_voice(VOICES, name="x" * 10000, language="en-US")
    assert len(str(caught.value)) < 200
