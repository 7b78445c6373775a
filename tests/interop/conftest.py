"""Other people's SIP stacks, as child processes."""

from __future__ import annotations

import importlib.util
import json
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

PEERS = Path(__file__).parent / "peers"
MODULES = {"pjsua2": "pjsua2", "baresip": "baresip"}
EVENT_S = 20.0
"""Longest wait for one event: many times what a busy machine needs."""
EXIT_S = 10.0
RTP_PORTS = 20

Event = dict[str, Any]
StartPeer = Callable[..., "Peer"]


class Peer:
    """A running peer program.

    Attributes:
        address: Its SIP address, ``sip:user@host:port``.
    """

    def __init__(self, kind: str, log: Path, **options: object) -> None:
        self.kind = kind
        self.sip_port = free_ports(1)
        first = free_ports(RTP_PORTS)
        command = [sys.executable, str(PEERS / f"{kind}_peer.py")]
        command += ["--sip-port", str(self.sip_port)]
        command += ["--rtp-ports", f"{first}-{first + RTP_PORTS - 1}"]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self._incoming: queue.Queue[Event | None] = queue.Queue()
        self._unread: list[Event] = []
        self._reader = threading.Thread(target=self._read_events)
        self._reader.start()
        self.address = ""

    def wait_until_ready(self) -> None:
        """Wait until it takes calls; only then is :attr:`address` known."""
        self.address = self.wait_for("ready")["address"]

    def wait_for(self, event: str, timeout_s: float = EVENT_S, **fields: object) -> Event:
        """Return the first unread event of this name with these fields, and mark it as read.

        Events of other names stay unread.

        Raises:
            AssertionError: It did not come, or the program failed or ended.
        """
        wanted = {"event": event, **fields}
        while True:
            for position, candidate in enumerate(self._unread):
                if wanted.items() <= candidate.items():
                    return self._unread.pop(position)
            self._unread.append(self._next(wanted, timeout_s))

    def unread(self) -> list[str]:
        """Return the names of the events that came and were not waited for."""
        while not self._incoming.empty():
            if (event := self._incoming.get()) is not None:
                self._unread.append(event)
        return [event["event"] for event in self._unread]

    def order(self, line: str) -> None:
        """Tell it ``dial URI``, ``digits 12#``, ``hold``, ``resume`` or ``hangup``."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def stop(self) -> int:
        """End it by the end of its input; return its exit status."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return self._process.wait(EXIT_S)

    def close(self) -> None:
        """End it, whatever it takes."""
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read_events(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._incoming.put(json.loads(line))
        self._incoming.put(None)

    def _next(self, wanted: Event, timeout_s: float) -> Event:
        try:
            event = self._incoming.get(timeout=timeout_s)
        except queue.Empty:
            event = {"event": "nothing more"}
        if event is None or event["event"] in {"failed", "nothing more"}:
            seen = [event for event in self._unread if event["event"] != "ready"]
            log = self._log.read_text(errors="replace")[-3000:]
            pytest.fail(f"{self.kind}: no {wanted} but {event}; before: {seen}; log:\n{log}")
        return event


@pytest.fixture
def start_peer(tmp_path: Path) -> Iterator[StartPeer]:
    """Start peer programs: ``start_peer("baresip", play=…, target=…)``; options as ``--help``."""
    with ExitStack() as stack:
        count = 0

        def start(kind: str, **options: object) -> Peer:
            nonlocal count
            count += 1
            if importlib.util.find_spec(MODULES[kind]) is None:
                pytest.skip(f"{kind} is not installed (dependency group interop)")
            peer = Peer(kind, tmp_path / f"{kind}-{count}.log", **options)
            stack.callback(peer.close)
            peer.wait_until_ready()
            return peer

        yield start


def free_ports(count: int) -> int:
    """Return the first, even one of ``count`` ports in a row that are free, UDP and TCP."""
    for _ in range(100):
        with ExitStack() as stack:
            first = _bind(stack, socket.SOCK_DGRAM, 0)
            if first is None or first % 2:
                continue
            rest = range(first + 1, first + count)
            if all(_bind(stack, socket.SOCK_DGRAM, port) for port in rest) and (
                count > 1 or _bind(stack, socket.SOCK_STREAM, first)
            ):
                return first
    raise RuntimeError("no free ports")


def _bind(stack: ExitStack, kind: socket.SocketKind, port: int) -> int | None:
    endpoint = stack.enter_context(socket.socket(socket.AF_INET, kind))
    try:
        endpoint.bind(("127.0.0.1", port))
    except (OSError, OverflowError):
        return None
    return int(endpoint.getsockname()[1])
