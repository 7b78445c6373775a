"""Structured concurrency: every task belongs to a scope, and a scope ends with all of its tasks.

``asyncio.TaskGroup`` cancels the siblings of a task that failed. A server must not lose a thousand
calls because one broke, so a :class:`TaskScope` reports the failure and lets the others live.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

import structlog

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")


class TaskScope:
    """Owns tasks: leaving it cancels what still runs and waits until it is gone.

    Args:
        name: Says in logs and task names whose tasks these are.
        on_failure: Called with the exception of a task that failed; the default logs it.
    """

    def __init__(
        self, name: str, *, on_failure: Callable[[BaseException], None] | None = None
    ) -> None:
        self._name = name
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, _T], *, name: str) -> asyncio.Task[_T]:
        """Run ``work`` as a task of this scope.

        Raises:
            RuntimeError: The scope is closed; ``work`` is closed unrun.
        """
        if self._closed:
            work.close()
            raise RuntimeError(f"task scope {self._name} is closed")
        task = asyncio.create_task(work, name=f"{self._name}.{name}")
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    async def drain(self, timeout_s: float) -> bool:
        """Wait until every task ended by itself.

        Returns:
            False when ``timeout_s`` seconds passed first; the tasks then still run.
        """
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout_s)
        return not self._tasks

    async def close(self) -> None:
        """Cancel what still runs and wait until it is gone. May be called twice."""
        self._closed = True
        current = asyncio.current_task()
        while tasks := self._tasks - {current}:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if self._on_failure is not None:
            self._on_failure(error)
        else:
            _log.error("task.failed", task=task.get_name(), exc_info=error)
