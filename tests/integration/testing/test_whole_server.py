"""A whole server as a process of its own, between a customer's program and a carrier."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

import httpx
import pytest

from orbit_voice.testing.audio import tone_level_db
from orbit_voice.testing.behaviours import BUSY, Answer, Reject, Ring
from orbit_voice.testing.carrier import CarrierSimulator
from orbit_voice.testing.dial_plan import DialPlan
from orbit_voice.testing.digest_guard import DigestGuard
from orbit_voice.testing.server_process import ServerProcess
from orbit_voice.testing.webhook_receiver import WebhookReceiver

OURS = "+14155550100"
ENDS = {"completed", "failed", "busy", "no_answer", "cancelled"}


@dataclass
class World:
    server: ServerProcess
    carrier: CarrierSimulator
    webhooks: WebhookReceiver
    http: httpx.AsyncClient

    async def ask(self, method, path, **body):
        answer = await self.http.request(method, path, json=body or None)
        assert answer.is_success, answer.text
        return answer.json()["data"]

    async def call(self, to, **fields):
        return await self.ask(
            "POST", "/v1/voice/calls", to=to, webhook_url=self.webhooks.url, **fields
        )

    async def ended(self, call):
        """The call's record once its terminal event was delivered."""
        await self.until(call, ENDS)
        return await self.ask("GET", f"/v1/voice/calls/{call['id']}")

    async def until(self, call, statuses):
        def is_it(delivery):
            return delivery.data["call_id"] == call["id"] and delivery.data["status"] in statuses

        await self.webhooks.until(
            lambda: any(map(is_it, self.webhooks.deliveries)), f"{call['to']} is one of {statuses}"
        )

    def types(self, call):
        """Types of the events delivered for a call, in order of arrival."""
        ours = (each for each in self.webhooks.deliveries if each.data["call_id"] == call["id"])
        return [each.type for each in ours]


@asynccontextmanager
async def world(data_dir, plan, *, transport="udp", **options):
    async with (
        CarrierSimulator(DialPlan(plan), random=Random(1), **options) as carrier,
        WebhookReceiver() as webhooks,
        ServerProcess(data_dir) as server,
        httpx.AsyncClient(
            base_url=server.base_url, headers={"X-API-Key": server.api_key}, timeout=30
        ) as http,
    ):
        it = World(server, carrier, webhooks, http)
        webhooks.secret = await server.signing_secret()
        trunk = {
            "name": "carrier",
            "outbound_uri": carrier.trunk_uri(transport=transport),
            "inbound_uris": ["127.0.0.1"],
            "encryption": "none",
            "username": "trunk",
            "password": "secret",
        }
        await it.ask("POST", "/v1/voice/sip-trunks", **trunk)
        number = {"number": OURS, "is_default": True, "routing": {"type": "answer"}}
        await it.ask("POST", "/v1/numbers", **number)
        yield it


def test_every_way_a_call_can_end_is_told_once_and_nothing_is_dialled_twice(run, tmp_path):
    outcomes = {
        "+14155551001": (BUSY, "busy"),
        "+14155551002": (Reject(600), "busy"),
        "+14155551003": (Reject(480, after_s=0.2, ring_status=180), "no_answer"),
        "+14155551004": (Reject(404), "failed"),
        "+14155551005": (Reject(503), "failed"),
        "+14155551006": (Reject(603), "failed"),
        "+14155551007": (Reject(302, headers=(("Contact", "<sip:x@127.0.0.1>"),)), "failed"),
        "+14155551008": (Ring(), "no_answer"),
        "+14155551009": (Ring(status=None), "no_answer"),
        "+14155551010": (Answer(hangup_after_s=0.3), "completed"),
        "+14155551011": (Answer(after_s=0.3, ring_status=183, early_media=True), "completed"),
    }

    async def scenario():
        plan = {number: behaviour for number, (behaviour, _) in outcomes.items()}
        async with world(tmp_path, plan) as it:
            calls = {number: await it.call(number, ring_timeout=2) for number in outcomes}
            early = calls["+14155551011"]
            await it.until(early, {"in_progress"})
            await it.ask("POST", f"/v1/voice/calls/{early['id']}/hangup")
            for number, (_, status) in outcomes.items():
                assert (await it.ended(calls[number]))["status"] == status, number
                assert it.carrier.ledger.times_dialled(number) == 1
            await asyncio.sleep(0.2)
            for number, call in calls.items():
                ends = [kind for kind in it.types(call) if kind.removeprefix("call.") in ENDS]
                assert ends == [f"call.{outcomes[number][1]}"], number
            assert all(delivery.is_signed for delivery in it.webhooks.deliveries)

    run(scenario())


def test_a_call_is_cancelled_while_it_rings(run, tmp_path):
    async def scenario():
        async with world(tmp_path, {"+14155551001": Ring()}) as it:
            call = await it.call("+14155551001")
            await it.until(call, {"ringing"})
            await it.ask("POST", f"/v1/voice/calls/{call['id']}/hangup")
            assert (await it.ended(call))["status"] == "cancelled"
            assert it.types(call) == ["call.initiated", "call.ringing", "call.cancelled"]

    run(scenario())


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_call_is_heard_recorded_held_and_resumed(run, tmp_path, transport):
    guard = DigestGuard({"trunk": "secret"}, random=Random(2), proxy=True, stale_times=1)
    plan = {"+14155551001": Answer(echo_digits=True)}

    async def scenario():
        async with world(tmp_path, plan, transport=transport, guard=guard, tone_hz=1000) as it:
            call = await it.call("+14155551001", record=True)
            leg = await it.carrier.next_leg()
            await it.until(call, {"in_progress"})
            await it.ask("POST", f"/v1/voice/calls/{call['id']}/dtmf", digits="12")
            await leg.heard("12")
            await it.webhooks.arrived("call.dtmf", lambda each: each.data["digit"] == "2")
            await leg.hold()
            assert not leg.plan.receives
            await leg.resume()
            assert leg.plan.receives
            await leg.lasts(0.5)
            leg.hangup()
            ended = await it.ended(call)
            assert ended["hangup"]["by"] == "callee"
            assert it.carrier.ledger.times_dialled() == 1
            path = next((tmp_path / "recordings").rglob(f"{ended['recording']['id']}.wav"))
            wav = await asyncio.to_thread(path.read_bytes)
            assert (await it.http.get(ended["recording_url"])).content == wav
            assert abs(tone_level_db((await leg.recorded())[-3000:], 1000) + 10) < 0.5

    run(scenario())


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("late_offer", [False, True])
def test_the_carrier_calls_in_and_is_answered(run, tmp_path, transport, late_offer):
    async def scenario():
        async with world(tmp_path, {}) as it:
            suffix = ";transport=tcp" if transport == "tcp" else ""
            leg = it.carrier.call(
                OURS,
                from_="+14155559999",
                via=f"sip:{it.server.sip_address}{suffix}",
                late_offer=late_offer,
                manner=Answer(digits="5"),
            )
            await leg.answered()
            call, *_ = await it.ask("GET", "/v1/voice/calls")
            assert (call["direction"], call["to"]) == ("inbound", OURS)
            await asyncio.sleep(0.4)
            events = await it.ask("GET", f"/v1/voice/calls/{call['id']}/events")
            assert [each["data"]["digit"] for each in events if each["type"] == "call.dtmf"] == [
                "5"
            ]
            await it.ask("POST", f"/v1/voice/calls/{call['id']}/hangup")
            assert (await leg.ended()).remote

    run(scenario())


def test_an_unknown_number_is_not_found(run, tmp_path):
    async def scenario():
        async with world(tmp_path, {}) as it:
            leg = it.carrier.call(
                "+14155550000", from_="+14155559999", via=f"sip:{it.server.sip_address}"
            )
            assert (await leg.ended()).status == 404

    run(scenario())


@pytest.mark.parametrize("state", ["ringing", "in_progress"])
def test_a_server_that_was_killed_ends_its_calls_once_and_dials_nothing_again(run, tmp_path, state):
    behaviour = Ring() if state == "ringing" else Answer()

    async def scenario():
        async with world(tmp_path, {"+14155551001": behaviour}) as it:
            call = await it.call("+14155551001")
            await it.until(call, {state})
            await it.server.kill()
            await it.server.start()
            ended = await it.ended(call)
            assert (ended["status"], ended["hangup"]["cause"]) == ("failed", "node_lost")
            await asyncio.sleep(0.5)
            assert it.types(call).count("call.failed") == 1
            assert it.carrier.ledger.times_dialled() == 1

    run(scenario())
