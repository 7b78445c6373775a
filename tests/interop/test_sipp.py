"""sipp's built-in scenarios and a whole server: both ways, UDP and TCP, bad network, load.

At most 300 calls a test, 50 a second, none longer than a second or two.
"""

from __future__ import annotations

import asyncio
import csv
import os
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import httpx
import pytest

from orbit_voice.testing.network import LinkConditions, LossyRelay
from orbit_voice.testing.server_process import ServerProcess, free_port

OURS = "+14155550100"
THEIRS = "+14155551234"
DEADLINE_S = 120
SETTLE_S = 40
"""64*T1 and a little: by then every transaction is over."""
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture(scope="module", autouse=True)
def sipp_is_there() -> None:
    if shutil.which("sipp") is not None:
        return
    reason = (
        "sipp is missing; to run this: sudo apt-get install -y --no-install-recommends sip-tester"
    )
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass
class Sipp:
    """A running sipp."""

    process: asyncio.subprocess.Process
    directory: Path
    address: tuple[str, int]

    async def counts(self) -> tuple[int, int]:
        """Wait for its end; return how many calls succeeded and failed."""
        async with asyncio.timeout(DEADLINE_S):
            await self.process.wait()
        lines = (self.directory / "stat.csv").read_text().splitlines()
        last = list(csv.DictReader(lines, delimiter=";"))[-1]
        return int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"])

    @property
    def errors(self) -> str:
        file = self.directory / "errors.log"
        return file.read_text(errors="replace")[-3000:] if file.exists() else ""


@asynccontextmanager
async def sipp(directory, scenario, *, calls, transport="udp", target=None, rate=10, pause_ms=200):
    directory.mkdir()
    port = free_port()
    command = ["sipp", "-sn", scenario, "-nostdin", "-i", "127.0.0.1", "-p", str(port)]
    command += ["-t", "t1" if transport == "tcp" else "u1", "-m", str(calls), "-d", str(pause_ms)]
    command += ["-trace_stat", "-stf", str(directory / "stat.csv"), "-fd", "1"]
    command += ["-trace_err", "-error_file", str(directory / "errors.log")]
    command += ["-timeout", str(DEADLINE_S), "-mp", str(free_port())]
    if target is not None:
        command += ["-s", OURS, "-r", str(rate), f"{target[0]}:{target[1]}"]
    with (directory / "screen.log").open("wb") as screen:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=screen, stderr=screen, cwd=directory
        )
    try:
        yield Sipp(process, directory, ("127.0.0.1", port))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@dataclass
class World:
    server: ServerProcess
    http: httpx.AsyncClient

    @property
    def sip(self) -> tuple[str, int]:
        host, _, port = self.server.sip_address.rpartition(":")
        return host, int(port)

    async def ask(self, method, path, **body):
        answer = await self.http.request(method, path, json=body or None)
        assert answer.is_success, answer.text
        return answer.json()["data"]

    async def calls(self):
        found, cursor = [], None
        while True:
            params = {"limit": 100, **({"cursor": cursor} if cursor else {})}
            answer = (await self.http.get("/v1/voice/calls", params=params)).json()
            found += answer["data"]
            if (cursor := answer["meta"]["pagination"]["cursor"]) is None:
                return found

    async def until_all_ended(self, count):
        async with asyncio.timeout(SETTLE_S):
            while True:
                calls = await self.calls()
                if len(calls) == count and all(call["ended_at"] for call in calls):
                    return calls
                await asyncio.sleep(0.2)

    async def ends_of(self, call):
        events = await self.ask("GET", f"/v1/voice/calls/{call['id']}/events")
        return [each["type"] for each in events if each["data"].get("ended_at")]

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.server.pid}/fd"))

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.server.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


@asynccontextmanager
async def world(data_dir, trunk_uri="sip:127.0.0.1:9"):
    async with (
        ServerProcess(data_dir) as server,
        httpx.AsyncClient(
            base_url=server.base_url, headers={"X-API-Key": server.api_key}, timeout=60
        ) as http,
    ):
        it = World(server, http)
        await it.ask(
            "POST",
            "/v1/voice/sip-trunks",
            name="sipp",
            outbound_uri=trunk_uri,
            inbound_uris=["127.0.0.1"],
            encryption="none",
        )
        number = {"number": OURS, "is_default": True, "routing": {"type": "answer"}}
        await it.ask("POST", "/v1/numbers", **number)
        yield it


async def assert_each_ended_once(it: World, count: int, status: str = "completed") -> None:
    calls = await it.until_all_ended(count)
    assert {call["status"] for call in calls} == {status}
    for call in calls:
        assert await it.ends_of(call) == [f"call.{status}"]


async def back_to_base(it: World, base: int) -> None:
    """Wait until the server holds no more descriptors than before, but for a few of HTTP."""
    async with asyncio.timeout(SETTLE_S):
        while it.descriptors() > base + 4:  # noqa: ASYNC110 - another process cannot set an event
            await asyncio.sleep(0.2)


def run(scenario):
    async def bounded():
        async with asyncio.timeout(2 * DEADLINE_S):
            await scenario

    asyncio.run(bounded())


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_sipp_calls_a_number_and_hangs_up(tmp_path, transport):
    async def scenario():
        async with world(tmp_path / "data") as it:
            options = {"calls": 10, "transport": transport, "target": it.sip}
            async with sipp(tmp_path / "uac", "uac", **options) as caller:
                assert await caller.counts() == (10, 0), caller.errors
            await assert_each_ended_once(it, 10)

    run(scenario())


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_calls_to_sipp_are_answered_and_hung_up_through_rest(tmp_path, transport):
    async def scenario():
        async with sipp(tmp_path / "uas", "uas", calls=10, transport=transport) as callee:
            uri = f"sip:127.0.0.1:{callee.address[1]};transport={transport}"
            async with world(tmp_path / "data", uri) as it:
                await dial_and_hang_up(it, 10)
                assert await callee.counts() == (10, 0), callee.errors
                await assert_each_ended_once(it, 10)

    run(scenario())


async def dial_and_hang_up(it: World, count: int) -> None:
    async def one():
        call = await it.ask("POST", "/v1/voice/calls", to=THEIRS)
        while call["status"] in {"initiating", "ringing"}:
            await asyncio.sleep(0.1)
            call = await it.ask("GET", f"/v1/voice/calls/{call['id']}")
        assert call["status"] == "in_progress", call
        await it.ask("POST", f"/v1/voice/calls/{call['id']}/hangup")

    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(*(one() for _ in range(count)))


BAD_NETWORK = LinkConditions(loss=0.05, duplicate=0.05)


def test_sipp_calls_a_number_over_a_network_that_loses_and_duplicates(tmp_path):
    async def scenario():
        async with (
            world(tmp_path / "data") as it,
            LossyRelay(it.sip, Random(5), BAD_NETWORK) as net,
        ):
            options = {"calls": 60, "rate": 20, "target": net.address}
            async with sipp(tmp_path / "uac", "uac", **options) as caller:
                assert await caller.counts() == (60, 0), caller.errors
            assert net.to_server.counts.dropped > 0
            await assert_each_ended_once(it, 60)

    run(scenario())


def test_calls_to_sipp_succeed_over_a_network_that_loses_and_duplicates(tmp_path):
    async def scenario():
        async with (
            sipp(tmp_path / "uas", "uas", calls=60) as callee,
            LossyRelay(callee.address, Random(6), BAD_NETWORK) as net,
            world(tmp_path / "data", f"sip:127.0.0.1:{net.address[1]}") as it,
        ):
            await dial_and_hang_up(it, 60)
            assert await callee.counts() == (60, 0), callee.errors
            assert net.to_server.counts.dropped > 0
            await assert_each_ended_once(it, 60)

    run(scenario())


def test_300_calls_come_in_at_50_a_second_and_none_fails(tmp_path, record_property):
    async def scenario():
        async with world(tmp_path / "data") as it:
            base, before_s = it.descriptors(), it.cpu_s()
            options = {"calls": 300, "rate": 50, "target": it.sip, "pause_ms": 500}
            async with sipp(tmp_path / "uac", "uac", **options) as caller:
                assert await caller.counts() == (300, 0), caller.errors
            record_property("cpu_ms_per_call", round((it.cpu_s() - before_s) / 0.3, 2))
            await assert_each_ended_once(it, 300)
            await back_to_base(it, base)

    run(scenario())


def test_300_calls_go_out_at_50_a_second_and_none_fails(tmp_path, record_property):
    async def dial(it, number):
        await asyncio.sleep(number / 50)
        await it.ask("POST", "/v1/voice/calls", to=THEIRS, max_duration=1)

    async def scenario():
        async with (
            sipp(tmp_path / "uas", "uas", calls=300) as callee,
            world(tmp_path / "data", f"sip:127.0.0.1:{callee.address[1]}") as it,
        ):
            base, before_s = it.descriptors(), it.cpu_s()
            await asyncio.gather(*(dial(it, number) for number in range(300)))
            assert await callee.counts() == (300, 0), callee.errors
            record_property("cpu_ms_per_call", round((it.cpu_s() - before_s) / 0.3, 2))
            await assert_each_ended_once(it, 300)
            await back_to_base(it, base)

    run(scenario())
