from __future__ import annotations

import asyncio

import pytest

from orbit_voice.kit.tasks import TaskScope


def test_one_failing_task_leaves_its_siblings_alive() -> None:
    failures: list[BaseException] = []

    async def fail() -> None:
        raise ValueError("broken")

    async def run() -> bool:
        done = asyncio.Event()
        async with TaskScope("calls", on_failure=failures.append) as scope:
            scope.start(fail(), name="bad")
            sibling = scope.start(done.wait(), name="good")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            done.set()
            return await sibling

    assert asyncio.run(run()) is True
    assert [str(f) for f in failures] == ["broken"]


def test_leaving_a_scope_cancels_and_awaits_what_still_runs() -> None:
    cleaned: list[str] = []

    async def wait_for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("done")

    async def run() -> int:
        async with TaskScope("calls") as scope:
            scope.start(wait_for_ever(), name="one")
            await asyncio.sleep(0)
        return len(scope)

    assert asyncio.run(run()) == 0
    assert cleaned == ["done"]


def test_a_closed_scope_takes_no_work() -> None:
    async def nothing() -> None: ...

    async def run() -> None:
        scope = TaskScope("calls")
        await scope.close()
        with pytest.raises(RuntimeError, match="calls is closed"):
            scope.start(nothing(), name="late")

    asyncio.run(run())


def test_draining_says_whether_everything_ended_in_time() -> None:
    async def run() -> tuple[bool, bool]:
        release = asyncio.Event()
        async with TaskScope("calls") as scope:
            scope.start(release.wait(), name="one")
            early = await scope.drain(0.01)
            release.set()
            return early, await scope.drain(30)

    assert asyncio.run(run()) == (False, True)
