"""``python -m orbit_voice.testing.demo [--keep] [--data DIR]``."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

from orbit_voice.kit.errors import OrbitError
from orbit_voice.testing.demo.hotline import answer_callers
from orbit_voice.testing.demo.report import show_how_to_call_in
from orbit_voice.testing.demo.screen import Screen
from orbit_voice.testing.demo.stage import open_stage
from orbit_voice.testing.demo.story import tell_story

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def main() -> int:
    """Run the demo; 0 when every step happened."""
    parser = argparse.ArgumentParser(prog="demo", description="A call through REST, shown.")
    parser.add_argument(
        "--keep", action="store_true", help="leave the server up, and answer who calls in"
    )
    parser.add_argument("--data", type=Path, help="data directory; the default is a new one")
    options = parser.parse_args()
    data = options.data or Path(mkdtemp(prefix="orbit-demo-"))
    try:
        return asyncio.run(_run(data.resolve(), keep=options.keep))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED


async def _run(data: Path, *, keep: bool) -> int:
    screen = Screen()
    _stop_in_order_when_terminated()
    try:
        async with open_stage(data, screen) as stage:
            await tell_story(stage)
            show_how_to_call_in(stage, is_up=keep)
            if keep:
                with suppress(asyncio.CancelledError):
                    await answer_callers(stage)
    except (OrbitError, TimeoutError) as error:
        screen.failure(f"{error} (server log: {data / 'server.log'})")
        return 1
    return 0


def _stop_in_order_when_terminated() -> None:
    """Have SIGTERM end the demo as Ctrl-C does: the server is a process of its own."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


if __name__ == "__main__":
    sys.exit(main())
