"""Hosts of a virtual network talk as real ones do."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from orbit_voice.kit.errors import TransportError
from orbit_voice.testing.network import LinkConditions, VirtualNetwork
from orbit_voice.testing.network.pipes import HIGH_WATER_BYTES, stream_pair
from orbit_voice.testing.virtual_time import run_virtual

ALICE, BOB = "192.0.2.1", "192.0.2.2"


class Ear(asyncio.DatagramProtocol):
    """Notes datagrams with their moment."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, bytes, tuple[str, int]]] = []
        self.errors: list[Exception] = []
        self.lost = False

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data, addr) -> None:
        self.heard.append((asyncio.get_running_loop().time(), data, addr))

    def error_received(self, exc) -> None:
        self.errors.append(exc)

    def connection_lost(self, exc) -> None:
        self.lost = True


class Port:
    """A receiver of the signalling shell."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, tuple[str, int]]] = []
        self.refused: list[tuple[bytes, tuple[str, int]]] = []

    def datagram_received(self, data, source) -> None:
        self.received.append((data, source))

    def datagram_refused(self, data, destination) -> None:
        self.refused.append((data, destination))


class Line(asyncio.Protocol):
    """One end of a stream."""

    def __init__(self) -> None:
        self.data = b""
        self.calls: list[str] = []
        self.error: Exception | None = None

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.calls.append("made")

    def data_received(self, data) -> None:
        self.data += data

    def eof_received(self):
        self.calls.append("eof")

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")

    def connection_lost(self, exc) -> None:
        self.calls.append("lost")
        self.error = exc


def test_a_datagram_arrives_after_the_delay_with_its_source():
    async def scenario():
        network = VirtualNetwork(Random(1), LinkConditions(delay_s=0.03))
        sender, _ = await network.host(ALICE).create_datagram_endpoint(Ear, (ALICE, 5060))
        _, ear = await network.host(BOB).create_datagram_endpoint(Ear, (BOB, 5060))
        sender.sendto(b"hello", (BOB, 5060))
        await asyncio.sleep(1)
        return ear.heard

    assert run_virtual(scenario()) == [(0.03, b"hello", (ALICE, 5060))]


def test_datagrams_of_one_moment_keep_their_order():
    async def scenario():
        network = VirtualNetwork(Random(1), LinkConditions(delay_s=0.01))
        sender, _ = await network.host(ALICE).create_datagram_endpoint(Ear)
        _, ear = await network.host(BOB).create_datagram_endpoint(Ear, (BOB, 9))
        for number in range(100):
            sender.sendto(bytes([number]), (BOB, 9))
        await asyncio.sleep(1)
        return b"".join(data for _, data, _ in ear.heard)

    assert run_virtual(scenario()) == bytes(range(100))


def test_loss_is_counted_per_direction():
    async def scenario():
        network = VirtualNetwork(Random(1))
        network.set_conditions(ALICE, BOB, LinkConditions(loss=1.0))
        alice, ear_a = await network.host(ALICE).create_datagram_endpoint(Ear, (ALICE, 1))
        bob, ear_b = await network.host(BOB).create_datagram_endpoint(Ear, (BOB, 1))
        alice.sendto(b"to bob", (BOB, 1))
        bob.sendto(b"to alice", (ALICE, 1))
        await asyncio.sleep(1)
        dropped = network.link(ALICE, BOB).counts.dropped, network.link(BOB, ALICE).counts.dropped
        return len(ear_a.heard), len(ear_b.heard), dropped

    assert run_virtual(scenario()) == (1, 0, (1, 0))


def test_a_connected_endpoint_hears_of_a_closed_port_and_only_its_peer():
    async def scenario():
        network = VirtualNetwork(Random(1))
        network.host(BOB)
        alice, ear = await network.host(ALICE).create_datagram_endpoint(
            Ear, (ALICE, 7), remote_addr=(BOB, 7)
        )
        alice.sendto(b"anyone?")
        await asyncio.sleep(1)
        stranger, _ = await network.host("192.0.2.9").create_datagram_endpoint(Ear)
        stranger.sendto(b"psst", (ALICE, 7))
        await asyncio.sleep(1)
        with pytest.raises(ValueError, match="endpoint of"):
            alice.sendto(b"", ("192.0.2.9", 1))
        return ear.heard, [type(error) for error in ear.errors]

    assert run_virtual(scenario()) == ([], [ConnectionRefusedError])


def test_a_closed_endpoint_frees_its_port_and_says_so():
    async def scenario():
        host = VirtualNetwork(Random(1)).host(ALICE)
        transport, ear = await host.create_datagram_endpoint(Ear, (ALICE, 5060))
        with pytest.raises(TransportError, match="in use"):
            await host.create_datagram_endpoint(Ear, (ALICE, 5060))
        transport.close()
        transport.close()
        await asyncio.sleep(0)
        await host.create_datagram_endpoint(Ear, (ALICE, 5060))
        return ear.lost, transport.is_closing()

    assert run_virtual(scenario()) == (True, True)


def test_a_signalling_port_sends_hears_and_is_refused():
    async def scenario():
        network = VirtualNetwork(Random(1))
        near, far = Port(), Port()
        alice = network.host(ALICE).open_datagrams(("0.0.0.0", 5060), near)
        bob = network.host(BOB).open_datagrams((BOB, 0), far)
        alice.send(b"ping", bob.address)
        alice.send(b"lost", (BOB, 4))
        await asyncio.sleep(1)
        alice.close()
        with pytest.raises(TransportError):
            alice.send(b"late", bob.address)
        return far.received, near.refused

    received, refused = run_virtual(scenario())
    assert received == [(b"ping", (ALICE, 5060))]
    assert refused == [(b"lost", (BOB, 4))]


def test_a_stream_carries_bytes_in_order_and_ends_on_both_sides():
    async def scenario():
        network = VirtualNetwork(Random(1), LinkConditions(delay_s=0.05, loss=0.3))
        ends: list[Line] = []
        listener = await network.host(BOB).listen(
            (BOB, 5060), lambda: ends.append(Line()) or ends[-1]
        )
        client = Line()
        await network.host(ALICE).connect((BOB, 5060), lambda: client)
        connected_at = asyncio.get_running_loop().time()
        for number in range(50):
            client.transport.write(bytes([number]))
        client.transport.close()
        await asyncio.sleep(1)
        listener.close()
        with pytest.raises(TransportError, match="refused"):
            await network.host(ALICE).connect((BOB, 5060), Line)
        return connected_at, ends[0], client

    connected_at, server, client = run_virtual(scenario())
    assert connected_at == 0.1
    assert server.data == bytes(range(50))
    assert server.calls == ["made", "eof", "lost"]
    assert client.calls == ["made", "lost"]
    assert server.transport.get_extra_info("peername")[0] == ALICE


def test_a_slow_reader_stops_the_writer():
    async def scenario():
        client, server = Line(), Line()
        near, far = stream_pair(client, server)
        far.pause_reading()
        near.write(bytes(HIGH_WATER_BYTES + 1))
        await asyncio.sleep(1)
        waiting = near.get_write_buffer_size(), list(client.calls)
        far.resume_reading()
        await asyncio.sleep(1)
        return waiting, near.get_write_buffer_size(), client.calls

    waiting, after, calls = run_virtual(scenario())
    assert waiting == (HIGH_WATER_BYTES + 1, ["made", "pause"])
    assert (after, calls) == (0, ["made", "pause", "resume"])


def test_a_reset_is_seen_as_an_error_by_the_peer():
    async def scenario():
        client, server = Line(), Line()
        near, _ = stream_pair(client, server)
        near.abort()
        await asyncio.sleep(1)
        return type(server.error), client.error

    assert run_virtual(scenario()) == (ConnectionResetError, None)


def test_a_stream_over_a_cut_link_is_half_open():
    async def scenario():
        network = VirtualNetwork(Random(1))
        ends: list[Line] = []
        await network.host(BOB).listen((BOB, 1), lambda: ends.append(Line()) or ends[-1])
        client = Line()
        await network.host(ALICE).connect((BOB, 1), lambda: client)
        network.set_conditions(ALICE, BOB, LinkConditions(loss=1.0))
        client.transport.write(b"into the void")
        client.transport.close()
        ends[0].transport.write(b"still here")
        await asyncio.sleep(60)
        return ends[0].data, ends[0].calls

    assert run_virtual(scenario()) == (b"", ["made"])


def test_connecting_to_nobody_times_out():
    async def scenario():
        network = VirtualNetwork(Random(1))
        with pytest.raises(TransportError, match="timed out"):
            await network.host(ALICE).connect((BOB, 1), Line)
        return asyncio.get_running_loop().time()

    assert run_virtual(scenario()) == 127.0


def test_names_resolve_to_what_the_network_was_told():
    async def scenario():
        network = VirtualNetwork(Random(1))
        network.name("carrier.example", BOB)
        host = network.host(ALICE)
        with pytest.raises(TransportError):
            await host.resolve("nowhere.example")
        return await host.resolve("Carrier.example"), await host.resolve(ALICE)

    assert run_virtual(scenario()) == (BOB, ALICE)
