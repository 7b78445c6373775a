"""What the media tests talk with: parties of one engine, and a bare socket as the far end."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import pytest

from orbit_voice.media import MediaEngine, StreamPlan
from orbit_voice.testing.audio import make_tone, write_wav

DEADLINE_S = 30.0
PORTS = (21_000, 21_799)


async def until(condition):
    """Wait until ``condition()`` is true; the value it returned."""
    async with asyncio.timeout(DEADLINE_S):
        while not (value := condition()):  # noqa: ASYNC110 - threads and sockets set no Event
            await asyncio.sleep(0.01)
        return value


def plan_to(port, **changes):
    """A plan towards ``port`` of this machine: PCMU, events 101, both directions."""
    plan = StreamPlan(
        remote_address="127.0.0.1",
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
    return replace(plan, **changes)


class Party:
    """A stream and everything it reported."""

    def __init__(self, engine):
        self.events = []
        self.stream = engine.open_stream(self.events.append)

    @property
    def port(self):
        return self.stream.local_rtp_port

    def all(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    async def hear(self, kind, count=1):
        """Wait for the ``count``-th event of ``kind``."""
        await until(lambda: len(self.all(kind)) >= count)
        return self.all(kind)[count - 1]

    async def receive_more(self, packets):
        """Wait until so many more packets were accepted."""
        goal = self.stream.statistics().packets_received + packets
        await until(lambda: self.stream.statistics().packets_received >= goal)

    def talk_to(self, other, **changes):
        self.stream.configure(plan_to(other.port, **changes))
        other.stream.configure(plan_to(self.port, **changes))


class Packet(NamedTuple):
    """An RTP packet as the far end sees it."""

    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


@dataclass
class Peer:
    """The far end of a stream: two bare sockets, on an even port and the next one."""

    rtp: socket.socket
    rtcp: socket.socket
    sequence: int = 0
    waiting: list[Packet] = field(default_factory=list)

    @property
    def port(self):
        return self.rtp.getsockname()[1]

    def receive(self):
        """All RTP packets that wait."""
        waiting = self.waiting + [parse(datagram) for datagram in drain(self.rtp)]
        self.waiting = []
        return waiting

    async def packets(self, count):
        """The next ``count`` RTP packets."""
        found = []
        await until(lambda: len(found) >= count or found.extend(self.receive()))
        self.waiting = found[count:]
        return found[:count]

    def send(self, port, payload=b"\xff" * 160, *, payload_type=0, ssrc=7, timestamp=None):
        """Send one packet, 20 ms of sound after the last one."""
        self.sequence += 1
        moment = self.sequence * 160 if timestamp is None else timestamp
        header = struct.pack("!BBHII", 0x80, payload_type, self.sequence, moment, ssrc)
        self.rtp.sendto(header + payload, ("127.0.0.1", port))

    def close(self):
        self.rtp.close()
        self.rtcp.close()


def drain(sock):
    datagrams = []
    while True:
        try:
            datagrams.append(sock.recv(2048))
        except BlockingIOError:
            return datagrams


def parse(datagram):
    _, second, sequence, timestamp, ssrc = struct.unpack("!BBHII", datagram[:12])
    return Packet(bool(second & 128), second & 127, sequence, timestamp, ssrc, datagram[12:])


def open_peer():
    """Bind a free even port and the one after it."""
    for port in range(21_800, 22_000, 2):
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        try:
            for offset, sock in enumerate(sockets):
                sock.setblocking(False)
                sock.bind(("127.0.0.1", port + offset))
        except OSError:
            for sock in sockets:
                sock.close()
        else:
            return Peer(*sockets)
    raise RuntimeError("no port pair is free for the far end")


@pytest.fixture
def peer():
    peer = open_peer()
    yield peer
    peer.close()


@pytest.fixture
def stranger():
    stranger = open_peer()
    yield stranger
    stranger.close()


@pytest.fixture
def party():
    """The class :class:`Party`."""
    return Party


@pytest.fixture
def plan():
    """:func:`plan_to`."""
    return plan_to


@pytest.fixture
def wait():
    """:func:`until`."""
    return until


@pytest.fixture
def drained():
    """:func:`drain`."""
    return drain


@pytest.fixture
def run():
    """Run ``scenario(engine)`` with an engine of one media thread, to its end or the deadline."""

    def runner(scenario, **settings):
        async def whole():
            async with asyncio.timeout(2 * DEADLINE_S):
                chosen = {"bind_address": "127.0.0.1", "ports": PORTS, "shards": 1} | settings
                async with MediaEngine(**chosen) as engine:
                    return await scenario(engine)

        return asyncio.run(whole())

    return runner


@pytest.fixture
def tone(tmp_path):
    """A WAV file with one second of 1 kHz at -10 dB."""
    path = tmp_path / "tone.wav"
    write_wav(path, make_tone(1000, 1.0))
    return path
