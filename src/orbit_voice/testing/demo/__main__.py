"""``python -m orbit_voice.testing.demo [--keep] [--data DIR]``."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from orbit_voice.kit.errors import OrbitError
from orbit_voice.testing.demo.hotline import answer_callers
from orbit_voice.testing.demo.screen import Screen
from orbit_voice.testing.demo.stage import open_stage
from orbit_voice.testing.demo.story import tell_story


def main() -> int:
    """Run the demo; 0 when every step happened."""
    parser = argparse.ArgumentParser(prog="demo", description="A call through REST, shown.")
    parser.add_argument(
        "--keep", action="store_true", help="leave the server up, and answer who calls in"
    )
    parser.add_argument(
        "--data", type=Path, help="data directory (kept; the default is one that is removed)"
    )
    options = parser.parse_args()
    try:
        return asyncio.run(_run(options.keep, options.data))
    except KeyboardInterrupt:
        return 0


async def _run(keep: bool, data: Path | None) -> int:
    screen = Screen()
    async with AsyncExitStack() as stack:
        if data is None:
            directory = stack.enter_context(TemporaryDirectory(prefix="orbit-demo-"))
            data = Path(directory)
        try:
            stage = await stack.enter_async_context(open_stage(data.resolve(), screen))
            await tell_story(stage)
            if keep:
                await answer_callers(stage)
        except (OrbitError, TimeoutError) as error:
            screen.failure(str(error))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
