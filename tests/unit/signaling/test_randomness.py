from __future__ import annotations

from orbit_voice.signaling.randomness import SystemRandomness
from orbit_voice.sip import grammar


def test_tokens_are_fresh_and_fit_into_a_tag():
    tokens = {SystemRandomness().token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(grammar.token.fullmatch(token) for token in tokens)
    assert min(map(len, tokens)) * 4 >= 64


def test_numbers_are_below_their_limit_and_reach_all_of_it():
    assert {SystemRandomness().below(3) for _ in range(300)} == {0, 1, 2}
