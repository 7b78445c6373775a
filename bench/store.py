"""What keeping a call costs: commits per second, latency, CPU per call, on SQLite.

A call is four changes with one event each (initiating, ringing, in progress, completed), each
event with a webhook, all durable. Calls start at a fixed rate, as in service, where group commit
has little to group; the last line is the database alone, as fast as it goes, the median of
several rounds.

    python bench/store.py [--rates 50,100,300] [--seconds 5] [--rounds 5] [--directory /tmp]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from orbit_voice.calls.records import (
    Attempt,
    CallChange,
    CallEvent,
    CallRecord,
    CallStatus,
    Direction,
    Hangup,
    HangupBy,
)
from orbit_voice.kit.clock import iso_utc, monotonic, utc_now
from orbit_voice.kit.errors import HangupCause
from orbit_voice.kit.ids import new_call_id, new_event_id
from orbit_voice.kit.tasks import TaskScope
from orbit_voice.store.first_start import prepare_first_start
from orbit_voice.store.sealing import Sealer, SecretKey
from orbit_voice.store.store import Store, open_store

CHANGES_PER_CALL = 4


def life_of_a_call(org_id: str) -> Iterator[CallChange]:
    """Yield the four changes of a call that is answered and hung up."""
    call = CallRecord(
        id=new_call_id(),
        org_id=org_id,
        node_id="node_bench",
        direction=Direction.OUTBOUND,
        from_="+14155550100",
        to="+14155550123",
        status=CallStatus.INITIATING,
        created_at=utc_now(),
        trunk_id="trk_bench",
        webhook_url="https://hooks.example.com/voice",
        metadata={"customer": "c-1029", "campaign": "spring"},
    )
    yield CallChange(call, (_event(call, 1, "call.initiated"),), is_new=True)
    attempt = Attempt("trk_bench", utc_now())
    call = replace(call, status=CallStatus.RINGING, ringing_at=utc_now(), attempts=(attempt,))
    yield CallChange(call, (_event(call, 2, "call.ringing"),))
    call = replace(call, status=CallStatus.IN_PROGRESS, answered_at=utc_now())
    yield CallChange(call, (_event(call, 3, "call.answered"),))
    why = Hangup(HangupBy.CALLEE, HangupCause.NORMAL_CLEARING, None, None, "The callee hung up.")
    call = replace(call, status=CallStatus.COMPLETED, ended_at=utc_now(), hangup=why)
    yield CallChange(call, (_event(call, 4, "call.completed"),))


def _event(call: CallRecord, sequence: int, kind: str) -> CallEvent:
    data = {
        "call_id": call.id,
        "sequence": sequence,
        "status": call.status.value,
        "direction": call.direction.value,
        "from": call.from_,
        "to": call.to,
        "trunk_id": call.trunk_id,
        "metadata": dict(call.metadata),
        "created_at": iso_utc(call.created_at),
    }
    now = utc_now()
    return CallEvent(new_event_id(), call.id, call.org_id, sequence, kind, now, data)


def cpu_s() -> float:
    """Return the process's CPU time: all threads, user and kernel."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def at_rate(store: Store, org_id: str, calls_per_s: int, seconds: float) -> dict[str, float]:
    """Run calls at a rate; print and return what they cost, milliseconds."""
    waits: list[float] = []

    async def one() -> None:
        for change in life_of_a_call(org_id):
            started = monotonic()
            await store.journal.commit(change)
            waits.append(monotonic() - started)
            await asyncio.sleep(0.05)

    count = int(calls_per_s * seconds)
    idle = await _idle_cpu(calls_per_s, count)
    before, started = cpu_s(), monotonic()
    async with TaskScope("bench") as scope:
        for number in range(count):
            await asyncio.sleep(max(0.0, started + number / calls_per_s - monotonic()))
            scope.start(one(), name="call")
        await scope.drain(60)
    spent = cpu_s() - before
    waits.sort()
    figures = {
        "cpu_ms_per_call": (spent - idle) / count * 1e3,
        "commit_p50_ms": waits[len(waits) // 2] * 1e3,
        "commit_p99_ms": waits[int(len(waits) * 0.99)] * 1e3,
    }
    print(  # noqa: T201
        f"{calls_per_s:>6} calls/s  {figures['cpu_ms_per_call']:6.3f} ms CPU per call"
        f" ({spent / count * 1e3:.3f} with making and timing the calls)"
        f"  commit p50 {figures['commit_p50_ms']:5.2f} ms"
        f"  p99 {figures['commit_p99_ms']:6.2f} ms"
    )
    return figures


async def _idle_cpu(calls_per_s: int, count: int) -> float:
    """Return the CPU time of the same calls without a store: records, tasks, timers."""

    async def one() -> None:
        for _ in life_of_a_call("org_bench"):
            await asyncio.sleep(0.05)

    before, started = cpu_s(), monotonic()
    async with TaskScope("bench") as scope:
        for number in range(count):
            await asyncio.sleep(max(0.0, started + number / calls_per_s - monotonic()))
            scope.start(one(), name="call")
        await scope.drain(60)
    return cpu_s() - before


async def as_fast_as_it_goes(store: Store, org_id: str, calls: int, at_once: int) -> float:
    """Write whole calls without a pause; return calls per second."""
    waiting = [list(life_of_a_call(org_id)) for _ in range(calls)]

    async def worker() -> None:
        while waiting:
            for change in waiting.pop():
                await store.journal.commit(change)

    started = monotonic()
    async with TaskScope("bench") as scope:
        for _ in range(at_once):
            scope.start(worker(), name="worker")
        await scope.drain(120)
    return calls / (monotonic() - started)


async def flat_out(store: Store, org_id: str, rounds: int) -> dict[str, float]:
    """Print and return the median of several rounds of 1000 calls, 200 at once."""
    rates = [await as_fast_as_it_goes(store, org_id, 1000, 200) for _ in range(rounds)]
    calls_per_s = statistics.median(rates)
    print(  # noqa: T201
        f"  flat out (200 calls at once)  {calls_per_s:,.0f} calls/s,"
        f" {calls_per_s * CHANGES_PER_CALL:,.0f} commits/s (median of {rounds})"
    )
    return {"calls_per_s": calls_per_s, "commits_per_s": calls_per_s * CHANGES_PER_CALL}


async def measure(
    rates: Sequence[int], seconds: float, rounds: int, directory: str | None
) -> dict[str, float]:
    """Run everything on one fresh database file; return the figures by name."""
    with ExitStack() as stack:
        made = stack.enter_context(tempfile.TemporaryDirectory(dir=directory))
        url = f"sqlite:///{Path(made) / 'bench.db'}"
        sealer = Sealer(SecretKey(os.urandom(16).hex()))
        async with open_store(url, sealer, node_id="node_bench") as store:
            first = await prepare_first_start(
                store.database, sealer, bootstrap_key=None, now=utc_now()
            )
            figures: dict[str, float] = {}
            for rate in rates:
                costs = await at_rate(store, first.org_id, rate, seconds)
                figures |= {f"at_{rate}_{name}": value for name, value in costs.items()}
            return figures | await flat_out(store, first.org_id, rounds)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print its figures and return them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rates", default="50,100,300", help="calls per second, comma-separated")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each rate is held")
    parser.add_argument("--rounds", type=int, default=5, help="rounds flat out")
    parser.add_argument("--directory", default=None, help="where to make the database file")
    options = parser.parse_args(argv)
    rates = [int(rate) for rate in options.rates.split(",")]
    return asyncio.run(measure(rates, options.seconds, options.rounds, options.directory))


if __name__ == "__main__":
    main()
