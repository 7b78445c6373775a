from __future__ import annotations

from orbit_voice.speech.backoff import Backoff


def test_nothing_failed_yet_so_there_is_no_pause():
    assert Backoff(first_s=1, longest_s=5).remaining_s(0.0) == 0.0


def test_the_pause_doubles_up_to_the_longest():
    backoff = Backoff(first_s=1, longest_s=5)
    pauses = []
    for now in (100.0, 200.0, 300.0, 400.0):
        backoff.failed(now)
        pauses.append(backoff.remaining_s(now))
    assert pauses == [1, 2, 4, 5]
    assert backoff.remaining_s(404.0) == 1.0
    assert backoff.remaining_s(406.0) == 0.0


def test_after_a_success_it_begins_anew():
    backoff = Backoff(first_s=1, longest_s=5)
    backoff.failed(0.0)
    backoff.failed(0.0)
    backoff.succeeded()
    assert backoff.remaining_s(0.0) == 0.0
    backoff.failed(0.0)
    assert backoff.remaining_s(0.0) == 1.0
