from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from orbit_voice.kit.errors import TransportError
from orbit_voice.signaling.transport.interfaces import Address
from orbit_voice.signaling.transport.sockets import SocketNetwork

LOOPBACK = ("127.0.0.1", 0)
PATIENCE_S = 10.0


class Receiver:
    def __init__(self) -> None:
        self.received: asyncio.Queue[tuple[bytes, Address]] = asyncio.Queue()
        self.refused: asyncio.Queue[tuple[bytes, Address]] = asyncio.Queue()

    def datagram_received(self, data: bytes, source: Address) -> None:
        self.received.put_nowait((data, source))

    def datagram_refused(self, data: bytes, destination: Address) -> None:
        self.refused.put_nowait((data, destination))


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    def run(work: Coroutine[Any, Any, None]) -> None:
        async def patiently() -> None:
            async with asyncio.timeout(PATIENCE_S):
                await work

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(patiently())

    return run


Run = Callable[[Coroutine[Any, Any, None]], None]


def closed_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(LOOPBACK)
        port: int = sock.getsockname()[1]
        return port


def test_datagrams_travel_between_two_ports(run: Run) -> None:
    async def scenario() -> None:
        one, two = Receiver(), Receiver()
        near = SocketNetwork().open_datagrams(LOOPBACK, one)
        far = SocketNetwork().open_datagrams(LOOPBACK, two)
        for number in range(200):
            near.send(b"%d" % number, far.address)
        for number in range(200):
            assert await two.received.get() == (b"%d" % number, near.address)
        near.close()
        far.close()

    run(scenario())


def test_a_port_where_nobody_listens_is_reported_with_the_datagram_it_refused(run: Run) -> None:
    async def scenario() -> None:
        receiver = Receiver()
        port = SocketNetwork().open_datagrams(LOOPBACK, receiver)
        nobody = ("127.0.0.1", closed_port())
        port.send(b"INVITE" * 100, nobody)
        data, destination = await receiver.refused.get()
        assert destination == nobody
        assert (b"INVITE" * 100).startswith(data)
        assert len(data) >= 500
        port.close()

    run(scenario())


def test_a_refusal_does_not_lose_datagrams_to_others(run: Run) -> None:
    async def scenario() -> None:
        one, two = Receiver(), Receiver()
        near = SocketNetwork().open_datagrams(LOOPBACK, one)
        far = SocketNetwork().open_datagrams(LOOPBACK, two)
        nobody = ("127.0.0.1", closed_port())
        for number in range(50):
            near.send(b"refused", nobody)
            near.send(b"%d" % number, far.address)
        for number in range(50):
            assert await two.received.get() == (b"%d" % number, near.address)
        near.close()
        far.close()

    run(scenario())


def test_an_ipv6_port_reports_refusals_too(run: Run) -> None:
    async def scenario() -> None:
        receiver = Receiver()
        port = SocketNetwork().open_datagrams(("::1", 0), receiver)
        port.send(b"x", ("::1", closed_port()))
        data, destination = await receiver.refused.get()
        assert (data, destination[0]) == (b"x", "::1")
        port.close()

    run(scenario())


@pytest.mark.parametrize(
    ("data", "destination"),
    [
        (b"x", ("127.0.0.1", 0)),
        (b"x", ("127.0.0.1", 70_000)),
        (b"x" * 65_530, ("127.0.0.1", 9)),
    ],
    ids=["port 0", "no port at all", "larger than a datagram"],
)
def test_what_cannot_be_sent_is_an_error(run: Run, data: bytes, destination: Address) -> None:
    async def scenario() -> None:
        port = SocketNetwork().open_datagrams(LOOPBACK, Receiver())
        with pytest.raises(TransportError, match="cannot send"):
            port.send(data, destination)
        port.close()

    run(scenario())


def test_a_port_that_is_taken_cannot_be_bound_again(run: Run) -> None:
    async def scenario() -> None:
        network = SocketNetwork()
        port = network.open_datagrams(LOOPBACK, Receiver())
        with pytest.raises(TransportError, match="cannot bind UDP"):
            network.open_datagrams(port.address, Receiver())
        listener = await network.listen(LOOPBACK, asyncio.Protocol)
        with pytest.raises(TransportError, match="cannot bind TCP"):
            await network.listen(listener.address, asyncio.Protocol)
        port.close()
        port.close()
        listener.close()
        listener.close()

    run(scenario())


def test_a_refused_connection_is_an_error(run: Run) -> None:
    async def scenario() -> None:
        with pytest.raises(TransportError, match="cannot connect"):
            await SocketNetwork().connect(("127.0.0.1", closed_port()), asyncio.Protocol)

    run(scenario())


def test_a_name_resolves_and_what_is_no_name_is_an_error(run: Run) -> None:
    async def scenario() -> None:
        assert await SocketNetwork().resolve("localhost") in ("127.0.0.1", "::1")
        with pytest.raises(TransportError, match="cannot resolve"):
            await SocketNetwork().resolve("no..such..name")

    run(scenario())


def test_the_source_address_towards_loopback_is_loopback() -> None:
    assert SocketNetwork().source_address("127.0.0.1") == "127.0.0.1"
    assert SocketNetwork().source_address("::1") == "::1"
