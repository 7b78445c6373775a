"""The worker against a program that crashes, hangs, floods and talks nonsense."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest
import uvloop

from orbit_voice.kit.errors import ProviderError
from orbit_voice.speech import HibariWorker, Voice, WorkerLimits
from orbit_voice.speech.wav import wav_duration_s

PROGRAM = Path(__file__).with_name("fake_program.py")
VOICE = Voice("fake", "en-US", "female")
GENEROUS = WorkerLimits(first_pause_s=0.01)


def command(mode: str = "good", *arguments: object) -> Sequence[str]:
    return [sys.executable, "-S", str(PROGRAM), mode, *map(str, arguments)]


def worker(*, limits: WorkerLimits = GENEROUS, warm: bool = False) -> HibariWorker:
    return HibariWorker(command=command(), voices=[VOICE], limits=limits, warm=warm)


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request) -> Callable[[Coroutine[Any, Any, None]], None]:
    def run_to_end(work: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(asyncio.wait_for(work, 60))

    return run_to_end


async def category_of(speaking: HibariWorker, text: str) -> str:
    with pytest.raises(ProviderError) as caught:
        await speaking.synthesize(text, VOICE)
    return caught.value.category


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(condition) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  # a process has no event to wait for
            await asyncio.sleep(0.01)


def test_the_program_is_started_by_the_first_prompt_and_serves_the_next(run):
    async def scenario():
        async with worker() as speaking:
            assert speaking.pid is None
            assert wav_duration_s(await speaking.synthesize("ten chars!", VOICE)) == 0.1
            first = speaking.pid
            assert wav_duration_s(await speaking.synthesize("five.", VOICE)) == 0.05
            assert speaking.pid == first

    run(scenario())


def test_a_warm_worker_has_its_program_before_the_first_prompt(run):
    async def scenario():
        async with worker(warm=True) as speaking:
            await until(lambda: speaking.pid is not None)

    run(scenario())


def test_closing_ends_the_program_and_leaves_no_zombie(run):
    async def scenario():
        async with worker() as speaking:
            await speaking.synthesize("hello", VOICE)
            pid = speaking.pid
        assert pid is not None
        assert not is_running(pid)  # a zombie would still answer to signal 0
        assert speaking.pid is None

    run(scenario())


def test_closing_kills_a_program_that_does_not_end(run):
    async def scenario():
        limits = WorkerLimits(stop_s=0.2)
        async with worker(limits=limits) as speaking:
            await speaking.synthesize("hello", VOICE)
            pid = speaking.pid
            hanging = asyncio.ensure_future(speaking.synthesize("hang", VOICE))
            await asyncio.sleep(0.1)
        with pytest.raises(ProviderError, match="shutting down"):
            await hanging
        assert pid is not None
        assert not is_running(pid)

    run(scenario())


@pytest.mark.parametrize("text", ["crash", "garbage", "cut", "huge", "flood", "stale"])
def test_a_program_that_fails_costs_one_prompt(run, text):
    async def scenario():
        async with worker() as speaking:
            await speaking.synthesize("hello", VOICE)
            pid = speaking.pid
            assert pid is not None
            assert await category_of(speaking, text) == "unavailable"
            assert not is_running(pid)
            assert wav_duration_s(await speaking.synthesize("ten chars!", VOICE)) == 0.1
            assert speaking.pid != pid

    run(scenario())


def test_the_prompts_that_wait_survive_a_crash(run):
    async def scenario():
        async with worker() as speaking:
            texts = ["one", "crash", "two", "three"]
            asked = [speaking.synthesize(text, VOICE) for text in texts]
            outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert [isinstance(outcome, bytes) for outcome in outcomes] == [True, False, True, True]

    run(scenario())


def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next_one(run):
    async def scenario():
        async with worker() as speaking:
            assert wav_duration_s(await speaking.synthesize("twice", VOICE)) == 0.01
            assert await category_of(speaking, "hello") == "unavailable"
            assert wav_duration_s(await speaking.synthesize("hello", VOICE)) == 0.05

    run(scenario())


def test_a_program_that_hangs_is_killed_at_the_deadline(run):
    async def scenario():
        limits = WorkerLimits(render_s=0.3, first_pause_s=0.01)
        async with worker(limits=limits) as speaking:
            await speaking.synthesize("hello", VOICE)
            pid = speaking.pid
            assert pid is not None
            assert await category_of(speaking, "hang") == "timeout"
            assert not is_running(pid)
            await speaking.synthesize("hello", VOICE)

    run(scenario())


def test_a_slow_answer_within_the_deadline_is_taken(run):
    async def scenario():
        async with worker() as speaking:
            assert wav_duration_s(await speaking.synthesize("slow", VOICE)) == 0.01

    run(scenario())


def test_a_program_that_ended_while_idle_costs_no_prompt(run):
    async def scenario():
        async with worker() as speaking:
            await speaking.synthesize("hello", VOICE)
            pid = speaking.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until(lambda: speaking.pid is None)
            await speaking.synthesize("hello", VOICE)
            assert speaking.pid not in {None, pid}

    run(scenario())


def test_noise_on_standard_error_neither_blocks_nor_floods_the_log(run, capsys):
    async def scenario():
        async with worker() as speaking:
            assert wav_duration_s(await speaking.synthesize("noise", VOICE)) == 0.01

    run(scenario())
    logged = capsys.readouterr()
    assert 0 < len(logged.out + logged.err) < 50 * 4096 * 1.5  # a megabyte was written


def test_last_words_of_a_crash_are_in_the_log(run, capsys):
    async def scenario():
        async with worker() as speaking:
            assert await category_of(speaking, "crash") == "unavailable"

    run(scenario())
    logged = capsys.readouterr()
    assert "Segmentation fault, so to speak" in logged.out + logged.err


def test_a_text_that_the_program_refuses_costs_it_nothing(run):
    async def scenario():
        async with worker() as speaking:
            await speaking.synthesize("hello", VOICE)
            pid = speaking.pid
            assert await category_of(speaking, "rejected") == "rejected"
            assert await category_of(speaking, "failed") == "unavailable"
            assert speaking.pid == pid

    run(scenario())


def test_the_program_does_not_see_the_settings_of_the_server(run, monkeypatch):
    monkeypatch.setenv("ORBIT_SECRET_KEY", "hush")

    async def scenario():
        async with worker() as speaking:
            with pytest.raises(ProviderError, match=r"sees \[\]"):
                await speaking.synthesize("settings", VOICE)

    run(scenario())


def test_beyond_the_queue_prompts_are_refused_at_once(run):
    async def scenario():
        async with worker(limits=WorkerLimits(queue=2)) as speaking:
            rendering = asyncio.ensure_future(speaking.synthesize("slow", VOICE))
            await until(lambda: speaking.pid is not None)
            waiting = [asyncio.ensure_future(speaking.synthesize("x", VOICE)) for _ in range(2)]
            await asyncio.sleep(0)
            assert await category_of(speaking, "one too many") == "overloaded"
            assert not rendering.done()
            assert len(await asyncio.gather(rendering, *waiting)) == 3

    run(scenario())


def test_a_prompt_does_not_wait_for_its_turn_for_ever(run):
    async def scenario():
        async with worker(limits=WorkerLimits(wait_s=0.2)) as speaking:
            rendering = asyncio.ensure_future(speaking.synthesize("slow", VOICE))
            await until(lambda: speaking.pid is not None)
            assert await category_of(speaking, "late") == "overloaded"
            assert wav_duration_s(await rendering) == 0.01

    run(scenario())


def test_a_prompt_that_nobody_waits_for_any_more_is_not_rendered(run):
    async def scenario():
        async with worker() as speaking:
            rendering = asyncio.ensure_future(speaking.synthesize("slow", VOICE))
            given_up = asyncio.ensure_future(speaking.synthesize("crash", VOICE))
            await until(lambda: speaking.pid is not None)
            pid = speaking.pid
            given_up.cancel()
            await rendering
            await speaking.synthesize("hello", VOICE)
            assert speaking.pid == pid

    run(scenario())


@pytest.mark.parametrize(
    ("mode", "category"), [("crash", "unavailable"), ("rude", "unavailable"), ("hang", "timeout")]
)
def test_a_program_that_never_gets_ready_is_not_started_again_for_each_prompt(
    run, mode, category, tmp_path
):
    starts = tmp_path / "starts"
    limits = WorkerLimits(start_s=1.0 if mode == "hang" else 20.0, first_pause_s=60)

    async def scenario():
        speaking = HibariWorker(command=command(mode, starts), voices=[VOICE], limits=limits)
        async with speaking:
            assert await category_of(speaking, "hello") == category
            for _ in range(5):
                assert await category_of(speaking, "hello") == "unavailable"

    run(scenario())
    assert starts.read_bytes() == b"."


def test_a_program_that_is_not_there_is_said_to_be_unavailable(run):
    async def scenario():
        speaking = HibariWorker(command=["/nonexistent/program"], voices=[VOICE], warm=True)
        async with speaking:
            with pytest.raises(ProviderError, match="cannot start"):
                await speaking.synthesize("hello", VOICE)

    run(scenario())


def test_before_and_after_its_life_a_worker_refuses(run):
    async def scenario():
        speaking = worker()
        assert await category_of(speaking, "hello") == "unavailable"
        async with speaking:
            pass
        assert await category_of(speaking, "hello") == "unavailable"

    run(scenario())


def test_crash_after_crash_leaves_no_file_open(run):
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    async def scenario():
        async with worker(limits=WorkerLimits(first_pause_s=0.0)) as speaking:
            assert await category_of(speaking, "crash") == "unavailable"
            before = open_files()
            for _ in range(5):
                assert await category_of(speaking, "crash") == "unavailable"
            assert open_files() <= before

    run(scenario())


def test_a_program_is_replaced_before_its_leaks_grow_large(run):
    async def scenario():
        async with worker(limits=WorkerLimits(prompts=3)) as speaking:
            pids = []
            for _ in range(7):
                await speaking.synthesize("hello", VOICE)
                pids.append(speaking.pid)
        assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]

    run(scenario())
