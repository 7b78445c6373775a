"""The clock jumps, and a test that would hang or cheat is told so."""

from __future__ import annotations

import asyncio
import time
from itertools import count

import pytest

from orbit_voice.testing.virtual_time import (
    LoopRunawayError,
    LoopStalledError,
    RealIoRefusedError,
    VirtualTimeLoop,
    run_virtual,
)


def test_an_hour_of_sleep_takes_no_time():
    async def scenario() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    before = time.monotonic()
    assert run_virtual(scenario()) == 3600.0
    assert time.monotonic() - before < 5.0


def test_the_clock_stands_exactly_on_the_timer_that_fires():
    moments = [0.1, 0.30000000000000004, 1 / 3, 17.77]

    async def scenario() -> list[float]:
        loop = asyncio.get_running_loop()
        seen: list[float] = []
        for moment in moments:
            loop.call_at(moment, lambda: seen.append(loop.time()))
        await asyncio.sleep(20)
        return seen

    assert run_virtual(scenario()) == sorted(moments)


def test_timeouts_fire_in_virtual_time():
    async def scenario() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(32):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run_virtual(scenario()) == 32.0


def test_the_clock_stands_still_while_a_thread_works():
    def work() -> str:
        time.sleep(0.05)
        return "done"

    async def scenario() -> tuple[str, float]:
        ticker = asyncio.get_running_loop().call_later(0.001, lambda: None)
        result = await asyncio.to_thread(work)
        ticker.cancel()
        return result, asyncio.get_running_loop().time()

    assert run_virtual(scenario()) == ("done", 0.0)


def test_waiting_for_what_can_never_happen_is_an_error_and_no_hang():
    with pytest.raises(LoopStalledError):
        run_virtual(asyncio.Event().wait())


def test_timers_without_end_are_an_error_and_no_hang():
    async def beat() -> None:
        for _ in count():
            await asyncio.sleep(60)

    with pytest.raises(LoopRunawayError):
        run_virtual(beat(), limit_s=7200)


def test_callbacks_that_spin_are_an_error_and_no_hang():
    async def spin() -> None:
        for _ in count():
            await asyncio.sleep(0)

    with pytest.raises(LoopRunawayError, match="spin"):
        run_virtual(spin())


@pytest.mark.parametrize(
    "ask",
    [
        lambda loop: loop.create_connection(asyncio.Protocol, "127.0.0.1", 9),
        lambda loop: loop.create_server(asyncio.Protocol, "127.0.0.1", 0),
        lambda loop: loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
        ),
        lambda loop: loop.getaddrinfo("localhost", 80),
        lambda loop: loop.add_reader(0, print),
        lambda loop: loop.subprocess_exec(asyncio.SubprocessProtocol, "true"),
    ],
)
def test_real_io_is_refused_with_the_remedy(ask):
    async def scenario() -> None:
        ask(asyncio.get_running_loop())

    with pytest.raises(RealIoRefusedError, match="VirtualNetwork"):
        run_virtual(scenario())


def test_tasks_left_behind_are_cancelled():
    cancelled = []

    async def lingering() -> None:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def scenario() -> None:
        task = asyncio.create_task(lingering())
        await asyncio.sleep(1)
        assert not task.done()

    run_virtual(scenario())
    assert cancelled == [True]


def test_a_new_loop_starts_at_zero():
    loop = VirtualTimeLoop()
    assert loop.time() == 0.0
    loop.close()
