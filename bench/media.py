"""What media costs: CPU per leg and second, next to what the kernel alone costs for the packets.

Legs talk to each other in pairs over UDP on loopback; each plays a looped prompt, and each is
recorded to a file. Cost is the CPU time of the whole process, disk threads and event loop
included, over a window after a warm-up. The floor is one thread that sends and receives the same
packets through as many sockets, on the same clock, with nothing between. Each run measures both,
one after the other; figures are medians over the runs, and the ratio is the median of their
ratios.

    python bench/media.py [--legs 100,500] [--seconds 4] [--warm-up 2] [--runs 3]
                          [--directory /tmp]
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import resource
import sys
import tempfile
import wave
from array import array
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any, Self

from orbit_voice import _native
from orbit_voice.kit.clock import monotonic
from orbit_voice.media.engine import MediaEngine
from orbit_voice.media.events import MediaEvent, StreamClosed
from orbit_voice.media.plan import StreamPlan
from orbit_voice.media.stream import MediaStream

LOOPBACK = "127.0.0.1"
FIRST_PORT = 16384
"""Below the ports that Linux gives to other sockets, 32768 and up."""
TICKS_PER_S = 50
GOAL_RATIO = 2.0
"""Cost over the kernel floor that is to be met."""
PROMPT_S = 7
RATE_HZ = 8000


@dataclass(frozen=True, slots=True)
class Figures:
    """One run, or the medians of several.

    Attributes:
        engine_us: CPU time of the process per leg and second, µs.
        floor_us: CPU time of the kernel floor per leg and second, µs.
        ratio: The first over the second.
        late_p50_us: How late a tick of the media thread began, median; then 99 % and worst.
        memory_kb: Resident memory a leg adds, kB; later runs find memory of earlier ones.
        lost_percent: Packets lost between the legs, of those sent; above 0 the run says little.
        ticks_skipped: Media ticks given up because the thread came too late.
    """

    engine_us: float
    floor_us: float
    ratio: float
    late_p50_us: float
    late_p99_us: float
    late_max_us: float
    memory_kb: float
    lost_percent: float
    ticks_skipped: float

    @classmethod
    def median_of(cls, runs: Sequence[Self]) -> Self:
        """Return the median of each figure; of memory, loss and skipped ticks the worst."""
        worst = {"memory_kb", "lost_percent", "ticks_skipped"}
        figures: dict[str, float] = {}
        for field in fields(cls):
            pick: Callable[[list[float]], float] = max if field.name in worst else median
            figures[field.name] = pick([getattr(run, field.name) for run in runs])
        return cls(**figures)


def write_prompt(path: Path) -> None:
    """Write a sound as loud and as varied as speech: two tones under a slow envelope."""
    samples = array("h")
    for n in range(PROMPT_S * RATE_HZ):
        at = 2 * math.pi * n / RATE_HZ
        envelope = 0.55 - 0.45 * math.cos(3 * at)
        samples.append(int(9000 * envelope * (math.sin(220 * at) + 0.4 * math.sin(1310 * at))))
    with wave.open(os.fspath(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(samples.tobytes())


def cpu_s() -> float:
    """Return the process's CPU time: all threads, user and kernel."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def memory_kb() -> float:
    """Return the process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1024


def plan_to(port: int) -> StreamPlan:
    """Return a plan for G.711 to and from the stream on ``port``."""
    return StreamPlan(
        remote_address=LOOPBACK,
        remote_rtp_port=port,
        remote_rtcp_port=port + 1,
        rtcp_mux=False,
        codec="PCMU",
        send_payload_type=0,
        receive_payload_type=0,
        telephone_event_send=101,
        telephone_event_receive=101,
        ptime_ms=20,
        sends=True,
        receives=True,
    )


class Legs:
    """Streams in pairs, all playing and recorded.

    Args:
        engine: Runs them.
        count: How many; even.
        prompt: What all play.
        directory: Takes the recordings.
    """

    def __init__(self, engine: MediaEngine, count: int, prompt: Path, directory: Path) -> None:
        self._open = count
        self._prompt = prompt
        self._directory = directory
        self._closed = asyncio.Event()
        self._streams = [engine.open_stream(self._take) for _ in range(count)]
        self.lost = 0
        self.sent = 0

    async def start(self) -> None:
        """Begin, spread over a tick of the clock as calls are."""
        half = len(self._streams) // 2
        pairs = zip(self._streams[:half], self._streams[half:], strict=True)
        for number, (one, other) in enumerate(pairs):
            self._start(one, other, f"{number}a")
            self._start(other, one, f"{number}b")
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Hang up, and wait until the recordings are on disk."""
        for stream in self._streams:
            stream.close()
        await self._closed.wait()

    def _start(self, stream: MediaStream, peer: MediaStream, name: str) -> None:
        stream.configure(plan_to(peer.local_rtp_port))
        stream.play([self._prompt], loop=True)
        stream.start_recording(self._directory / f"{name}.wav")

    def _take(self, event: MediaEvent) -> None:
        if not isinstance(event, StreamClosed):
            return
        self.lost += event.statistics.lost
        self.sent += event.statistics.packets_sent
        self._open -= 1
        if self._open == 0:
            self._closed.set()


async def measure(legs: int, seconds: float, warm_up: float, directory: Path) -> Figures:
    """Run legs, and the floor under them, once."""
    prompt = directory / "prompt.wav"
    write_prompt(prompt)
    floor_us = await asyncio.to_thread(measure_floor, legs, seconds)
    async with AsyncExitStack() as stack:
        ports = (FIRST_PORT, FIRST_PORT + 4 * legs - 1)  # half may be in use by others
        engine = await stack.enter_async_context(MediaEngine(bind_address=LOOPBACK, ports=ports))
        empty_kb = memory_kb()
        running = Legs(engine, legs, prompt, directory)
        await running.start()
        await asyncio.sleep(warm_up)
        spent, started = cpu_s(), monotonic()
        await asyncio.sleep(seconds)
        spent, took = cpu_s() - spent, monotonic() - started
        metrics, full_kb = engine.metrics(), memory_kb()
        await running.close()
    engine_us = spent / took / legs * 1e6
    return Figures(
        engine_us=engine_us,
        floor_us=floor_us,
        ratio=engine_us / floor_us,
        late_p50_us=metrics.tick_late_p50_us,
        late_p99_us=metrics.tick_late_p99_us,
        late_max_us=metrics.tick_late_max_us,
        memory_kb=(full_kb - empty_kb) / legs,
        lost_percent=100 * running.lost / max(1, running.sent),
        ticks_skipped=metrics.ticks_skipped,
    )


def measure_floor(legs: int, seconds: float) -> float:
    """Return the CPU time the kernel takes for the packets, µs per leg and second.

    Raises:
        RuntimeError: Packets were lost, and a packet that does not arrive costs less.
    """
    ticks = max(1, round(seconds * TICKS_PER_S))
    spent_s, sent, received = _native.kernel_floor(legs, ticks)
    if received < sent - 2 * legs:
        raise RuntimeError(f"the floor lost {sent - received} of {sent} packets: run it again")
    return spent_s / legs / (ticks / TICKS_PER_S) * 1e6


def measure_in_new_directory(
    legs: int, seconds: float, warm_up: float, parent: Path | None
) -> Figures:
    """Measure once with recordings in a directory that is removed afterwards."""
    with tempfile.TemporaryDirectory(dir=parent) as directory:
        return asyncio.run(measure(legs, seconds, warm_up, Path(directory)))


def say(legs: int, figures: Figures) -> None:
    """Print one line of the table."""
    met = "met" if figures.ratio <= GOAL_RATIO else "missed"
    line = (
        f"{legs:>6} {figures.engine_us:>10.0f} {figures.floor_us:>9.0f} {figures.ratio:>7.2f}"
        f" {met:<6} {figures.late_p50_us:>8.0f} {figures.late_p99_us:>8.0f}"
        f" {figures.late_max_us:>8.0f} {figures.memory_kb:>8.0f} {figures.lost_percent:>7.2f}"
    )
    print(line, flush=True)  # noqa: T201


def say_head(runs: int, seconds: float) -> None:
    """Print what the columns of the table are."""
    print(  # noqa: T201
        f"media: play and record, medians of {runs} runs of {seconds:g} s,"
        f" goal: at most {GOAL_RATIO} times the kernel floor\n"
        "        CPU µs per leg-second               tick lateness µs        per leg\n"
        "  legs     engine     floor   ratio goal        p50      p99      max       kB  lost %",
        flush=True,
    )


def allow_descriptors(legs: int) -> None:
    """Raise the soft limit of open files to what the legs take: two sockets and a recording."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * legs + 256
    if hard != resource.RLIM_INFINITY and wanted > hard:
        sys.exit(f"{legs} legs need {wanted} open files, the system allows {hard} (ulimit -Hn)")
    soft = max(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Run the benchmark and print its table.

    Args:
        argv: Command line without the program's name; None: that of the process.

    Returns:
        ``{"goal_ratio": 2.0, "legs": {"100": {field of Figures: median, …}, …}}``.
    """
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--legs", default="100,500", help="even numbers, comma-separated")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of the window")
    parser.add_argument("--warm-up", type=float, default=2.0, help="seconds before the window")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--directory", type=Path, default=None, help="where to record")
    options = parser.parse_args(argv)
    counts = [int(count) for count in options.legs.split(",")]
    if any(count < 2 or count % 2 for count in counts) or options.runs < 1:
        parser.error("--legs takes even numbers from 2 on, --runs at least 1")
    allow_descriptors(max(counts))
    say_head(options.runs, options.seconds)
    results: dict[str, dict[str, float]] = {}
    for legs in counts:
        runs = [
            measure_in_new_directory(legs, options.seconds, options.warm_up, options.directory)
            for _ in range(options.runs)
        ]
        figures = Figures.median_of(runs)
        say(legs, figures)
        results[str(legs)] = asdict(figures)
    return {"goal_ratio": GOAL_RATIO, "legs": results}


if __name__ == "__main__":
    main()
