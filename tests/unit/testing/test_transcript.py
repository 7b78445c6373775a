"""A transcript keeps moments, and wakes whoever waits for one."""

from __future__ import annotations

import asyncio

import pytest

from orbit_voice.testing import transcript as module
from orbit_voice.testing.transcript import Moment, Transcript
from orbit_voice.testing.virtual_time import run_virtual


def test_moments_are_counted_from_the_beginning():
    async def scenario() -> list[Moment]:
        transcript = Transcript()
        transcript.note("ringing", 180)
        await asyncio.sleep(1.5)
        transcript.note("ended")
        return transcript.moments

    moments = run_virtual(scenario())
    assert [str(moment) for moment in moments] == ["0.000 s ringing 180", "1.500 s ended"]


def test_waiting_ends_with_the_moment_it_waited_for():
    async def scenario() -> float:
        transcript = Transcript()
        loop = asyncio.get_running_loop()
        loop.call_later(1, transcript.note, "ringing")
        loop.call_later(2, transcript.note, "talking")
        await transcript.until(lambda: len(transcript.moments) == 2, "two moments", 10)
        return transcript.moments[-1].at_s

    assert run_virtual(scenario()) == 2


def test_waiting_in_vain_tells_what_happened_instead():
    async def scenario() -> None:
        transcript = Transcript()
        transcript.note("ended", "486 Busy Here")
        await transcript.until(lambda: False, "an answer", 3)

    with pytest.raises(TimeoutError, match=r"waited 3 s for: an answer.*486 Busy Here"):
        run_virtual(scenario())


def test_a_listener_hears_every_moment_also_those_that_are_not_kept(monkeypatch):
    monkeypatch.setattr(module, "MAX_MOMENTS", 1)

    async def scenario() -> tuple[list[Moment], list[Moment]]:
        heard: list[Moment] = []
        transcript = Transcript(heard.append)
        transcript.note("one")
        transcript.note("two")
        return heard, transcript.moments

    heard, kept = run_virtual(scenario())
    assert [moment.what for moment in heard] == ["one", "two"]
    assert [moment.what for moment in kept] == ["one"]
