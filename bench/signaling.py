"""What signalling a call costs: CPU per call and side, next to what the bare sockets cost.

A call is INVITE, 200, ACK, BYE, 200. Two endpoints of one process call each other over UDP on
loopback, some calls at once, nothing else running; a side is half of what the process spent. The
floor is the same bytes through two plain sockets in Python.

    python bench/signaling.py [--calls 1000] [--at-once 20] [--runs 5] [--profile] [--asyncio]
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import pstats
import resource
import socket
import statistics
import sys
from collections.abc import Callable, Sequence

import uvloop

from orbit_voice.signaling.endpoint import (
    InboundSession,
    OutboundInvite,
    OutboundSession,
    SipEndpoint,
)
from orbit_voice.signaling.events import Answered, Ended, Failed, Rejected, SessionEvent

LOOPBACK = "127.0.0.1"
OFFER = (
    b"v=0\r\no=- 3862 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 20000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"
)
RESPONSES_PER_CALL = 2
TARGET_MS = 0.9
"""Aim for one side, CPU milliseconds a call."""


def cpu_s() -> float:
    """Return the process's CPU time: all threads, user and kernel."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Caller:
    """Makes calls, some at once, and hangs each up as soon as it is answered."""

    def __init__(self, endpoint: SipEndpoint, target: tuple[str, int], calls: int) -> None:
        uri = f"sip:+4930123456@{target[0]}:{target[1]}"
        self._plan = OutboundInvite(
            request_uri=uri,
            next_hop=None,
            from_uri=f"sip:+4930654321@{LOOPBACK}",
            from_display=None,
            to_uri=uri,
            sdp=OFFER,
            headers=(),
            credentials=None,
            transport="udp",
        )
        self._endpoint = endpoint
        self._left = calls
        self._ended = 0
        self._calls = calls
        self.done = asyncio.Event()
        self.first: OutboundSession | None = None

    def call(self) -> None:
        """Begin one more call, if there is one left."""
        if self._left == 0:
            return
        self._left -= 1
        cell: list[OutboundSession] = []
        session = self._endpoint.invite(self._plan, lambda event: self._take(cell[0], event))
        cell.append(session)
        self.first = self.first or session

    def _take(self, session: OutboundSession, event: SessionEvent) -> None:
        match event:
            case Answered():
                session.hangup()
            case Ended():
                self._ended += 1
                if self._ended == self._calls:
                    self.done.set()
                self.call()
            case Failed() | Rejected():
                raise RuntimeError(f"a call failed: {event}")


def _answer(session: InboundSession) -> None:
    session.set_handler(lambda event: None)
    session.answer(OFFER)


def _endpoint(on_invite: Callable[[InboundSession], None]) -> SipEndpoint:
    return SipEndpoint(
        udp=(LOOPBACK, 0),
        tcp=None,
        advertised_host=None,
        user_agent="orbit-voice",
        on_invite=on_invite,
    )


async def run_calls(calls: int, at_once: int) -> tuple[float, list[bytes]]:
    """Make calls and return the CPU seconds they cost, and the messages of the first one."""
    async with _endpoint(_answer) as callee, _endpoint(_answer) as caller_endpoint:
        caller = Caller(caller_endpoint, callee.udp_address, calls)
        gc.collect()
        before = cpu_s()
        for _ in range(at_once):
            caller.call()
        await caller.done.wait()
        while caller_endpoint.counts.received < calls * RESPONSES_PER_CALL:  # noqa: ASYNC110 - a count
            await asyncio.sleep(0.001)
        spent = cpu_s() - before
        assert caller.first is not None
        return spent, [entry.text.encode() for entry in caller.first.trace.entries()]


def run_floor(messages: Sequence[bytes], calls: int) -> float:
    """Return the CPU seconds of sending and receiving ``messages`` ``calls`` times."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there,
    ):
        here.bind((LOOPBACK, 0))
        there.bind((LOOPBACK, 0))
        address = there.getsockname()
        before = cpu_s()
        for _ in range(calls):
            for message in messages:
                here.sendto(message, address)
                there.recvfrom(65_535)
        return cpu_s() - before


def measure(
    *, calls: int = 1000, at_once: int = 20, runs: int = 5, loop: Callable[..., object]
) -> dict[str, float]:
    """Return the figures.

    Args:
        calls: Calls in a run.
        at_once: Calls under way at the same time.
        runs: The median counts; one more goes before to warm up.
        loop: Makes the event loop.

    Returns:
        CPU milliseconds per call and side (median, best), the floor of the same, their ratio, and
        the messages of a call.
    """
    spent: list[float] = []
    messages: list[bytes] = []
    for number in range(runs + 1):
        with asyncio.Runner(loop_factory=loop) as runner:  # type: ignore[arg-type]
            took, messages = runner.run(run_calls(calls, at_once))
        if number > 0:
            spent.append(took)
    floor = statistics.median(run_floor(messages, calls) for _ in range(runs))
    per_side = 1e3 / calls / 2
    return {
        "cpu_ms_per_call_per_side": statistics.median(spent) * per_side,
        "best_cpu_ms_per_call_per_side": min(spent) * per_side,
        "floor_cpu_ms_per_call_per_side": floor * per_side,
        "ratio_to_floor": statistics.median(spent) / floor,
        "messages_per_call": float(len(messages)),
    }


def profile(calls: int, at_once: int, loop: Callable[..., object]) -> None:
    """Print where the time of one run goes."""
    profiler = cProfile.Profile()
    with asyncio.Runner(loop_factory=loop) as runner:  # type: ignore[arg-type]
        runner.get_loop().call_soon(profiler.enable)
        runner.run(run_calls(calls, at_once))
        profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(45)


def main(argv: Sequence[str] | None = None) -> dict[str, float]:
    """Run the benchmark, print its figures and return them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    parser.add_argument("--asyncio", action="store_true", help="asyncio's own loop, not uvloop")
    options = parser.parse_args(argv)
    loop = asyncio.new_event_loop if options.asyncio else uvloop.new_event_loop
    if options.profile:
        profile(options.calls, options.at_once, loop)
        return {}
    figures = measure(calls=options.calls, at_once=options.at_once, runs=options.runs, loop=loop)
    print(  # noqa: T201
        f"INVITE-200-ACK-BYE-200  {figures['cpu_ms_per_call_per_side']:.3f} ms CPU per call and"
        f" side (best {figures['best_cpu_ms_per_call_per_side']:.3f}, aim {TARGET_MS})"
        f"  floor {figures['floor_cpu_ms_per_call_per_side']:.3f} ms"
        f"  ratio {figures['ratio_to_floor']:.1f}"
    )
    return figures


if __name__ == "__main__":
    main(sys.argv[1:])
