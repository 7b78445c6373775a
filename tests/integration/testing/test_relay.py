"""The relay treats real datagrams as its links say."""

from __future__ import annotations

import asyncio
import socket
from random import Random

import pytest

from orbit_voice.testing.network import LinkConditions, LossyRelay

COUNT = 400


class Echo(asyncio.DatagramProtocol):
    """Sends everything back."""

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data, addr) -> None:
        self.transport.sendto(data, addr)


class Ear(asyncio.DatagramProtocol):
    """Keeps everything."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def datagram_received(self, data, addr) -> None:
        self.heard.append(data)


async def exchange(conditions: LinkConditions, clients: int = 1) -> tuple[list[Ear], LossyRelay]:
    """Send numbered datagrams from each client through a relay to an echo server."""
    loop = asyncio.get_running_loop()
    server, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    async with LossyRelay(server.get_extra_info("sockname"), Random(11), conditions) as relay:
        ears = []
        for _ in range(clients):
            transport, ear = await loop.create_datagram_endpoint(Ear, remote_addr=relay.address)
            ears.append((transport, ear))
        for number in range(COUNT):
            for transport, _ in ears:
                transport.sendto(number.to_bytes(2))
            await asyncio.sleep(0.001)
        await wait_until_quiet(relay)
        for transport, _ in ears:
            transport.close()
    server.close()
    await asyncio.sleep(0)
    return [ear for _, ear in ears], relay


async def wait_until_quiet(relay: LossyRelay) -> None:
    """Return when nothing has moved for a while."""
    seen = -1
    for _ in range(50):
        if seen == (seen := relay.to_server.counts.sent + relay.to_client.counts.sent):
            return
        await asyncio.sleep(0.2)


def test_a_perfect_relay_passes_everything_both_ways_to_the_right_client():
    (first, second), relay = asyncio.run(exchange(LinkConditions(), clients=2))
    expected = [number.to_bytes(2) for number in range(COUNT)]
    assert first.heard == expected
    assert second.heard == expected
    assert relay.to_server.counts.sent == 2 * COUNT


def test_a_bad_relay_counts_what_it_did():
    conditions = LinkConditions(loss=0.1, duplicate=0.1, delay_s=0.01, jitter_s=0.02, reorder=0.1)
    (ear,), relay = asyncio.run(exchange(conditions))
    there, back = relay.to_server.counts, relay.to_client.counts
    assert back.sent == there.sent - there.dropped + there.duplicated
    assert len(ear.heard) == back.sent - back.dropped + back.duplicated
    assert min(there.dropped, there.duplicated, back.dropped, back.duplicated) > 0
    assert ear.heard != sorted(ear.heard)
    assert relay.overflowed == 0


def test_a_closed_relay_has_no_address_and_has_freed_its_port():
    async def scenario():
        relay = LossyRelay(("127.0.0.1", 9), Random(1))
        async with relay:
            port = relay.address[1]
        with pytest.raises(RuntimeError):
            _ = relay.address
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", port))

    asyncio.run(scenario())
