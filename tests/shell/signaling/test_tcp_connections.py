from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import pytest

from orbit_voice.kit.errors import TransportError
from orbit_voice.signaling.timers import TimerPump
from orbit_voice.signaling.transport import connections
from orbit_voice.signaling.transport.connections import ConnectionPool
from orbit_voice.signaling.transport.tcp import MAX_UNSENT_BYTES, StreamConnection
from orbit_voice.sip.grammar import ParseError
from orbit_voice.sip.message import Message
from orbit_voice.testing.network import LinkConditions, VirtualHost, VirtualNetwork
from orbit_voice.testing.virtual_time import run_virtual

OPTIONS = (
    b"OPTIONS sip:b@192.0.2.2 SIP/2.0\r\n"
    b"Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\n"
    b"From: <sip:a@192.0.2.1>;tag=1\r\nTo: <sip:b@192.0.2.2>\r\n"
    b"Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)
HERE, THERE = "192.0.2.1", "192.0.2.2"
SERVER = (THERE, 5060)


class Heard:
    def __init__(self) -> None:
        self.messages: list[tuple[Message, StreamConnection]] = []
        self.errors: list[ParseError] = []
        self.lost: list[StreamConnection] = []

    def message_received(self, message: Message, connection: StreamConnection) -> None:
        self.messages.append((message, connection))

    def bad_message_received(self, error: ParseError, connection: StreamConnection) -> None:
        self.errors.append(error)

    def connection_lost(self, connection: StreamConnection) -> None:
        self.lost.append(connection)


class Raw(asyncio.Protocol):
    """A peer that is not ours: keeps what it reads, writes what it is told."""

    def __init__(self) -> None:
        self.read = b""
        self.read_at: list[float] = []
        self.closed = False
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.read += data
        self.read_at.append(asyncio.get_running_loop().time())

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True


class Site:
    """A pool on a host of a virtual network."""

    def __init__(self, host: VirtualHost) -> None:
        loop = asyncio.get_running_loop()
        self.heard = Heard()
        self.pump = TimerPump(loop)
        self.host = host
        self.pool = ConnectionPool(host, self.heard, self.pump, loop)

    async def connect(self, remote: tuple[str, int] = SERVER) -> StreamConnection:
        outcome: asyncio.Future[StreamConnection] = asyncio.get_running_loop().create_future()

        def connected(result: StreamConnection | TransportError) -> None:
            if isinstance(result, TransportError):
                outcome.set_exception(result)
            else:
                outcome.set_result(result)

        self.pool.obtain(remote, connected)
        return await outcome

    async def raw_peer(self) -> Raw:
        """Let a foreign server listen at SERVER's port here."""
        peer = Raw()
        await self.host.listen((self.host.address, 5060), lambda: peer)
        return peer


Scenario = Callable[[Site, Site], Coroutine[Any, Any, None]]


def play(scenario: Scenario, conditions: LinkConditions | None = None) -> None:
    async def run() -> None:
        network = VirtualNetwork(Random(1), conditions)
        here, there = Site(network.host(HERE)), Site(network.host(THERE))
        await scenario(here, there)
        await here.pool.close()
        await there.pool.close()
        await asyncio.sleep(1)
        assert len(here.pump) == len(there.pump) == 0
        assert len(here.pool) == len(there.pool) == 0

    run_virtual(run())


def test_a_message_sent_on_a_connection_arrives_and_is_answered_on_the_same_one() -> None:
    async def scenario(here: Site, there: Site) -> None:
        await there.pool.listen(SERVER)
        connection = await here.connect()
        connection.send(OPTIONS)
        await asyncio.sleep(0.1)
        ((message, back),) = there.heard.messages
        assert message.serialize() == OPTIONS
        assert there.pool.find(connection.local) is back
        back.send(OPTIONS)
        await asyncio.sleep(0.1)
        assert [conn for _, conn in here.heard.messages] == [connection]

    play(scenario)


def test_one_connection_serves_all_who_want_it_at_once() -> None:
    async def scenario(here: Site, there: Site) -> None:
        await there.pool.listen(SERVER)
        first, second = await asyncio.gather(here.connect(), here.connect())
        assert first is second is await here.connect()
        assert len(there.pool) == 1

    play(scenario, LinkConditions(delay_s=0.05))


def test_a_refused_connection_is_told_to_everybody_who_waited() -> None:
    async def scenario(here: Site, there: Site) -> None:
        outcomes = await asyncio.gather(here.connect(), here.connect(), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [TransportError, TransportError]

    play(scenario)


def test_a_peer_that_is_not_there_is_given_up_after_five_seconds() -> None:
    async def scenario(here: Site, there: Site) -> None:
        with pytest.raises(TransportError, match="no answer"):
            await here.connect(("192.0.2.99", 5060))
        assert asyncio.get_running_loop().time() == connections.CONNECT_TIMEOUT_S

    play(scenario)


def test_a_lost_connection_is_reported_and_a_new_one_is_made() -> None:
    async def scenario(here: Site, there: Site) -> None:
        await there.pool.listen(SERVER)
        connection = await here.connect()
        await asyncio.sleep(0.1)
        remote_end = there.pool.find(connection.local)
        assert remote_end is not None
        remote_end.abort()
        await asyncio.sleep(0.1)
        assert here.heard.lost == [connection]
        with pytest.raises(TransportError, match="closed"):
            connection.send(OPTIONS)
        assert await here.connect() is not connection

    play(scenario)


def test_a_ping_is_answered_with_a_pong() -> None:
    async def scenario(here: Site, there: Site) -> None:
        await there.pool.listen(SERVER)
        peer = Raw()
        await here.host.connect(SERVER, lambda: peer)
        peer.transport.write(b"\r\n\r\n")
        await asyncio.sleep(0.1)
        assert peer.read == b"\r\n"

    play(scenario)


def test_a_silent_connection_of_ours_is_pinged_every_hundred_seconds_while_it_is_held() -> None:
    async def scenario(here: Site, there: Site) -> None:
        peer = await there.raw_peer()
        connection = await here.connect()
        connection.holders += 1
        await asyncio.sleep(2 * connections.IDLE_S)
        assert peer.read == b"\r\n\r\n" * 11
        gaps = [b - a for a, b in zip(peer.read_at, peer.read_at[1:], strict=False)]
        assert all(95 <= gap <= 120 for gap in gaps)
        assert not peer.closed

    play(scenario)


def test_a_connection_nobody_holds_is_closed_when_it_has_been_silent_for_long() -> None:
    async def scenario(here: Site, there: Site) -> None:
        peer = await there.raw_peer()
        await here.connect()
        await asyncio.sleep(connections.IDLE_S)
        assert not peer.closed
        await asyncio.sleep(connections.KEEP_ALIVE_S + connections.SWEEP_S)
        assert peer.closed
        assert len(here.pool) == 0

    play(scenario)


def test_a_message_that_never_ends_costs_its_sender_the_connection() -> None:
    async def scenario(here: Site, there: Site) -> None:
        await there.pool.listen(SERVER)
        slow = Raw()
        await here.host.connect(SERVER, lambda: slow)
        for byte in OPTIONS[:40]:
            slow.transport.write(bytes([byte]))
            await asyncio.sleep(1)
        assert slow.closed
        assert there.heard.messages == []

    play(scenario)


def test_many_messages_one_after_the_other_are_not_taken_for_one_that_never_ends() -> None:
    async def scenario(here: Site, there: Site) -> None:
        await there.pool.listen(SERVER)
        peer = Raw()
        await here.host.connect(SERVER, lambda: peer)
        for _ in range(40):
            peer.transport.write(OPTIONS[:100])
            await asyncio.sleep(0.5)
            peer.transport.write(OPTIONS[100:])
            await asyncio.sleep(0.5)
        assert len(there.heard.messages) == 40
        assert not peer.closed

    play(scenario)


def test_a_peer_that_does_not_read_is_cut_off_before_it_fills_the_memory() -> None:
    async def scenario(here: Site, there: Site) -> None:
        peer = await there.raw_peer()
        connection = await here.connect()
        peer.transport.pause_reading()
        fitting = MAX_UNSENT_BYTES // len(OPTIONS)
        for _ in range(fitting):
            connection.send(OPTIONS)
        with pytest.raises(TransportError, match="does not read"):
            connection.send(OPTIONS)
        assert not connection.is_open
        await asyncio.sleep(0.1)
        assert here.heard.lost == [connection]

    play(scenario)


def test_bytes_that_are_no_sip_end_the_connection() -> None:
    async def scenario(here: Site, there: Site) -> None:
        await there.pool.listen(SERVER)
        peer = Raw()
        await here.host.connect(SERVER, lambda: peer)
        peer.transport.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0.1)
        assert len(there.heard.errors) == 1
        assert peer.closed

    play(scenario)


def test_when_all_places_are_taken_the_connection_unused_for_longest_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)

    async def scenario(here: Site, there: Site) -> None:
        await there.pool.listen(SERVER)
        peers = [Raw() for _ in range(4)]
        for peer in peers[:3]:
            await here.host.connect(SERVER, lambda peer=peer: peer)
            await asyncio.sleep(1)
        held = there.pool.find(peers[0].transport.get_extra_info("sockname"))
        assert held is not None
        held.holders += 1
        await here.host.connect(SERVER, lambda: peers[3])
        await asyncio.sleep(0.1)
        assert [peer.closed for peer in peers] == [False, True, False, False]

    play(scenario)


def test_when_every_connection_is_held_a_new_one_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 1)

    async def scenario(here: Site, there: Site) -> None:
        await there.pool.listen(SERVER)
        first, second = Raw(), Raw()
        await here.host.connect(SERVER, lambda: first)
        held = there.pool.find(first.transport.get_extra_info("sockname"))
        assert held is not None
        held.holders += 1
        await here.host.connect(SERVER, lambda: second)
        await asyncio.sleep(0.1)
        assert (first.closed, second.closed) == (False, True)

    play(scenario)


def test_a_closed_pool_opens_nothing() -> None:
    async def scenario(here: Site, there: Site) -> None:
        await there.pool.listen(SERVER)
        await here.pool.close()
        with pytest.raises(TransportError, match="no more"):
            await here.connect()

    play(scenario)
