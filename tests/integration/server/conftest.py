"""A server as a process of its own, between a customer's program, its webhooks and a carrier."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import httpx
import pytest

from orbit_voice.testing.carrier import CarrierSimulator
from orbit_voice.testing.dial_plan import DialPlan
from orbit_voice.testing.server_process import ServerProcess
from orbit_voice.testing.webhook_receiver import Delivery, WebhookReceiver

OURS: Final = "+14155550100"
CALLER: Final = "+14155559999"
ENDS: Final = {"completed", "failed", "busy", "no_answer", "cancelled"}
PATIENCE_S: Final = 20.0
POLL_S: Final = 0.05


@dataclass
class World:
    """Everybody, up and running."""

    server: ServerProcess
    carrier: CarrierSimulator
    webhooks: WebhookReceiver
    http: httpx.AsyncClient

    async def ask(self, method: str, path: str, **body: Any) -> Any:
        answer = await self.http.request(method, path, json=body or None)
        assert answer.is_success, answer.text
        return answer.json()["data"]

    async def call(self, to: str, **fields: Any) -> Any:
        return await self.ask(
            "POST", "/v1/voice/calls", to=to, webhook_url=self.webhooks.url, **fields
        )

    async def call_in(self) -> tuple[Any, Any]:
        """Have the carrier call us; return its leg and our call once it is in the journal."""
        leg = self.carrier.call(OURS, from_=CALLER, via=f"sip:{self.server.sip_address}")
        await leg.ringing()
        async with asyncio.timeout(PATIENCE_S):
            while not (calls := await self.ask("GET", "/v1/voice/calls")):  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)
        return leg, calls[0]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once ``condition`` holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():  # noqa: ASYNC110 - the parties have no common event
                await asyncio.sleep(POLL_S)

    async def reaches(self, call: Any, *statuses: str) -> Any:
        """Return the call once its status is one of ``statuses``."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = await self.ask("GET", f"/v1/voice/calls/{call['id']}")
                if found["status"] in statuses:
                    return found
                assert found["status"] not in ENDS, found
                await asyncio.sleep(POLL_S)

    async def ended(self, call: Any) -> Any:
        return await self.reaches(call, *ENDS)

    async def terminal_events(self, call: Any) -> list[Any]:
        """The terminal events of the call's timeline, which has to count without gaps."""
        events = await self.ask("GET", f"/v1/voice/calls/{call['id']}/events?limit=100")
        assert [each["data"]["sequence"] for each in events] == list(range(1, len(events) + 1))
        return [each for each in events if each["type"].removeprefix("call.") in ENDS]

    def terminal_deliveries(self, call: Any) -> list[Delivery]:
        """Deliveries of its terminal events; the same event may be delivered again."""
        return [
            each
            for each in self.webhooks.deliveries
            if each.data.get("call_id") == call["id"] and each.type.removeprefix("call.") in ENDS
        ]

    async def told_once(self, call: Any) -> None:
        """Check that one terminal event is in the timeline, and that it alone was delivered.

        Delivery is at least once, so distinct event ids are counted, not requests.
        """
        await self.webhooks.until(
            lambda: bool(self.terminal_deliveries(call)), "a terminal webhook", timeout_s=PATIENCE_S
        )
        await asyncio.sleep(0.3)
        (event,) = await self.terminal_events(call)
        deliveries = self.terminal_deliveries(call)
        assert {each.event["id"] for each in deliveries} == {event["id"]}
        assert all(each.is_signed for each in deliveries)


@asynccontextmanager
async def _world(data_dir: Any, plan: Any, routing: str, environment: Any) -> AsyncIterator[World]:
    async with (
        CarrierSimulator(DialPlan(plan), random=Random(1), tone_hz=440) as carrier,
        WebhookReceiver() as webhooks,
        ServerProcess(data_dir, environment=environment) as server,
        httpx.AsyncClient(
            base_url=server.base_url, headers={"X-API-Key": server.api_key}, timeout=30
        ) as http,
    ):
        it = World(server, carrier, webhooks, http)
        webhooks.secret = await server.signing_secret()
        trunk = {"name": "carrier", "outbound_uri": carrier.trunk_uri(), "encryption": "none"}
        await it.ask("POST", "/v1/voice/sip-trunks", **trunk, inbound_uris=["127.0.0.1"])
        number = {"number": OURS, "is_default": True, "routing": {"type": routing}}
        await it.ask("POST", "/v1/numbers", **number)
        yield it


@pytest.fixture
def open_world(tmp_path: Any) -> Callable[..., AbstractAsyncContextManager[World]]:
    """Open a world: ``open_world(plan, routing="answer", **ORBIT_settings)``."""

    def opened(
        plan: Any = None, *, routing: str = "answer", **environment: str
    ) -> AbstractAsyncContextManager[World]:
        return _world(tmp_path / "data", plan or {}, routing, environment)

    return opened


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a scenario to its end; one that hangs fails."""

    def run_scenario(scenario: Coroutine[Any, Any, Any]) -> Any:
        async def bounded() -> Any:
            async with asyncio.timeout(90):
                return await scenario

        return asyncio.run(bounded())

    return run_scenario
