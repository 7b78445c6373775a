"""An event loop whose clock jumps: 30 seconds of timers pass in microseconds.

:class:`VirtualTimeLoop` never waits. When no callback is ready it sets its clock to the next timer
and goes on, so a test of a 32 s SIP time-out is as fast as one of a function, and no result depends
on how busy the machine is::

    def test_an_unanswered_invite_gives_up_after_32_seconds():
        async def scenario() -> float:
            loop = asyncio.get_running_loop()
            ...
            return loop.time()

        assert run_virtual(scenario()) == 32.0

Real input and output have no place in it: a socket answers in real time, while the clock has long
jumped past every time-out. It is refused with :class:`RealIoRefusedError`; use
:class:`orbit_voice.testing.network.VirtualNetwork` instead. Work in threads
(``asyncio.to_thread``) is allowed: the clock stands still until it is done.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, Final, NoReturn, TypeVar, TypeVarTuple, Unpack

from orbit_voice.kit.errors import OrbitError

LIMIT_S: Final = 86_400.0
"""Virtual seconds after which a test is taken to run away: one day is longer than any deadline
of the product."""
MAX_JUMPS: Final = 1_000_000
"""Clock jumps after which a test is taken to run away; some ten seconds of real time."""
MAX_STEPS_WITHOUT_TIME: Final = 100_000
"""Rounds of callbacks at one instant after which they are taken to spin."""
THREAD_PATIENCE_S: Final = 30.0
"""Real seconds to wait for work in a thread."""

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


class VirtualTimeError(OrbitError):
    """What the loop refuses to do."""


class LoopStalledError(VirtualTimeError):
    """Nothing is ready, no timer is set: the awaited thing can never happen."""


class LoopRunawayError(VirtualTimeError):
    """Timers or callbacks go on for ever while the awaited thing does not happen."""


class RealIoRefusedError(VirtualTimeError):
    """Something asked the loop for a real socket, pipe, process, signal or name look-up."""


class VirtualTimeLoop(asyncio.BaseEventLoop):
    """An event loop in virtual time. Its clock starts at 0.0.

    Args:
        limit_s: Virtual time past which :class:`LoopRunawayError` is raised.
    """

    # Of asyncio.BaseEventLoop, the same from Python 3.11 to 3.14.
    _scheduled: list[asyncio.TimerHandle]
    _selector: _JumpingSelector

    def __init__(self, *, limit_s: float = LIMIT_S) -> None:
        super().__init__()
        self._now = 0.0
        self._limit_s = limit_s
        self._jumps = 0
        self._steps_here = 0
        self._threads_running = 0
        self._woken = threading.Event()
        self._executor: ThreadPoolExecutor | None = None
        self._selector = _JumpingSelector(self)

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self._now

    def close(self) -> None:
        """Close the loop and end its threads."""
        if self._executor is not None:
            self._executor.shutdown(wait=True)
        super().close()

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[_Ts]], _T], *args: *_Ts
    ) -> asyncio.Future[_T]:
        """Run ``func`` in a thread; the clock stands still meanwhile."""
        if executor is None:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(thread_name_prefix="virtual-time")
            executor = self._executor
        future = super().run_in_executor(executor, func, *args)
        self._threads_running += 1
        future.add_done_callback(self._thread_finished)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Wait for threads that still run. ``timeout`` is for asyncio's sake: none is needed."""
        if self._executor is not None:
            self._executor.shutdown(wait=True)

    def pass_time(self, timeout_s: float | None) -> None:
        """Do what a selector does when it waits at most ``timeout_s``: here, jump."""
        if timeout_s is not None and timeout_s <= 0:
            self._count_step()
        elif self._threads_running:
            self._wait_for_thread()
        elif timeout_s is None:
            raise LoopStalledError("nothing is ready and no timer is set: a task waits for ever")
        else:
            self._jump(self._scheduled[0].when())

    def _count_step(self) -> None:
        self._steps_here += 1
        if self._steps_here > MAX_STEPS_WITHOUT_TIME:
            raise LoopRunawayError(f"callbacks spin at {self._now:.3f} s without letting time pass")

    def _jump(self, moment: float) -> None:
        self._jumps += 1
        self._steps_here = 0
        # Exactly the timer's moment, or a core asked at `now` would find nothing due.
        self._now = max(self._now, moment)
        if self._now > self._limit_s or self._jumps > MAX_JUMPS:
            raise LoopRunawayError(
                f"{self._now:.3f} virtual s and {self._jumps} timers passed without an end"
            )

    def _wait_for_thread(self) -> None:
        if not self._woken.wait(THREAD_PATIENCE_S):
            raise LoopStalledError(f"work in a thread took more than {THREAD_PATIENCE_S:.0f} s")
        self._woken.clear()

    def _thread_finished(self, future: asyncio.Future[Any]) -> None:
        self._threads_running -= 1

    def _process_events(self, event_list: list[Any]) -> None:
        """Handle the selector's events; there are none."""

    def _write_to_self(self) -> None:
        self._woken.set()


class _JumpingSelector:
    """Stands where ``BaseEventLoop`` looks for its selector."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop

    def select(self, timeout_s: float | None) -> list[Any]:
        self._loop.pass_time(timeout_s)
        return []


_REFUSED: Final = (
    "add_reader",
    "add_signal_handler",
    "add_writer",
    "connect_accepted_socket",
    "connect_read_pipe",
    "connect_write_pipe",
    "create_connection",
    "create_datagram_endpoint",
    "create_server",
    "create_unix_connection",
    "create_unix_server",
    "getaddrinfo",
    "getnameinfo",
    "sendfile",
    "sock_accept",
    "sock_connect",
    "sock_recv",
    "sock_recv_into",
    "sock_recvfrom",
    "sock_recvfrom_into",
    "sock_sendall",
    "sock_sendfile",
    "sock_sendto",
    "start_tls",
    "subprocess_exec",
    "subprocess_shell",
)


def _refusal(name: str) -> Callable[..., NoReturn]:
    def refuse(self: VirtualTimeLoop, *args: Any, **kwargs: Any) -> NoReturn:
        raise RealIoRefusedError(
            f"loop.{name}() is real I/O, which virtual time would outrun: "
            "use orbit_voice.testing.network.VirtualNetwork"
        )

    refuse.__name__ = name
    return refuse


for _name in _REFUSED:
    setattr(VirtualTimeLoop, _name, _refusal(_name))


def run_virtual(work: Coroutine[Any, Any, _T], *, limit_s: float = LIMIT_S) -> _T:
    """Run ``work`` to its end in a new :class:`VirtualTimeLoop`.

    Tasks it leaves behind are cancelled, as by ``asyncio.run``.

    Args:
        work: A coroutine.
        limit_s: Virtual time past which the run is given up.

    Returns:
        What ``work`` returns.

    Raises:
        LoopStalledError: ``work`` waits for something that can never happen.
        LoopRunawayError: Timers go on past ``limit_s``, or callbacks spin.
        RealIoRefusedError: ``work`` asked the loop for real I/O.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(limit_s=limit_s)) as runner:
        return runner.run(work)
