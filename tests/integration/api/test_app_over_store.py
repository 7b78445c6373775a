"""The whole API over the real store; only living calls are fakes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from orbit_voice.api.app import create_app
from orbit_voice.api.dependencies import Dependencies
from orbit_voice.api.flows import NoFlows
from orbit_voice.calls.records import (
    CallChange,
    CallEvent,
    CallRecord,
    CallStatus,
    Direction,
    Recording,
    RecordingStatus,
)
from orbit_voice.kit.clock import utc_now
from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.kit.ids import new_call_id, new_event_id, new_recording_id
from orbit_voice.store.first_start import prepare_first_start
from orbit_voice.store.recordings import RecordingFiles
from orbit_voice.store.sealing import Sealer, SecretKey
from orbit_voice.store.store import Store, open_store

pytestmark = pytest.mark.anyio
START = datetime(2026, 1, 31, 8, tzinfo=UTC)


class NoLivingCalls:
    """No call lives on this node, and none can be made."""

    def __getattr__(self, name):
        async def refuse(*args):
            raise CallError(ErrorCode.SERVICE_UNAVAILABLE)

        return refuse

    def live_trace(self, org_id, call_id):
        return None

    def active_calls(self, trunk_id):
        return 0


async def any_url(url: str) -> None:
    """Let every URL pass."""


async def ready() -> Mapping[str, bool]:
    return {"store": True}


def dependencies_on(store: Store, directory) -> Dependencies:
    calls = NoLivingCalls()
    return Dependencies(
        control=calls,
        calls=store.calls,
        live=calls,
        trunks=store.trunks,
        numbers=store.numbers,
        api_keys=store.api_keys,
        recordings=RecordingFiles(store.recordings, directory),
        flows=NoFlows(),
        check_url=any_url,
        readiness=ready,
        inbound_address=lambda: "192.0.2.1:5060",
        link_secret=os.urandom(32),
    )


@pytest.fixture
def served(tmp_path):
    @asynccontextmanager
    async def serve():
        sealer = Sealer(SecretKey("a key for tests, long enough"))
        async with open_store(f"sqlite:///{tmp_path}/v.db", sealer, node_id="node_1") as store:
            first = await prepare_first_start(
                store.database, sealer, bootstrap_key=None, now=utc_now()
            )
            app = create_app(dependencies_on(store, tmp_path))
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app),
                base_url="http://voice.test",
                headers={"X-API-Key": first.new_key},
            ) as client:
                yield client, store, first.org_id

    return serve


async def test_a_key_made_over_the_api_works_until_it_is_deleted(served):
    async with served() as (client, _, _):
        made = await client.post(
            "/v1/settings/api-keys", json={"name": "Reports", "scopes": ["voice:read"]}
        )
        assert made.status_code == 201
        key = made.json()["data"]
        assert key["key"].startswith("dv_live_sk_")
        theirs = {"X-API-Key": key["key"]}
        assert (await client.get("/v1/voice/calls", headers=theirs)).status_code == 200
        assert (await client.get("/v1/settings/api-keys", headers=theirs)).status_code == 403
        listed = (await client.get("/v1/settings/api-keys")).json()["data"]
        assert [one["name"] for one in listed] == ["Reports", "first start"]
        assert key["key"] not in str(listed)
        assert (await client.delete(f"/v1/settings/api-keys/{key['id']}")).status_code == 204
        assert (await client.get("/v1/voice/calls", headers=theirs)).status_code == 401


async def test_a_trunk_lives_from_create_to_delete(served):
    body = {
        "name": "Carrier",
        "outbound_uri": "sip:carrier.example:5060",
        "username": "u",
        "password": "hunter2",
        "encryption": "none",
    }
    async with served() as (client, store, org_id):
        made = await client.post("/v1/voice/sip-trunks", json=body)
        assert made.status_code == 201, made.text
        assert "hunter2" not in made.text
        trunk = made.json()["data"]
        path = f"/v1/voice/sip-trunks/{trunk['id']}"
        assert (await client.get(path)).json()["data"] == trunk
        listed = (await client.get("/v1/voice/sip-trunks")).json()
        assert listed["data"] == [trunk]
        assert listed["meta"]["pagination"] == {"cursor": None, "has_more": False, "total": 1}
        changed = await client.put(path, json={"name": "Renamed"})
        assert changed.json()["data"]["name"] == "Renamed"
        kept = await store.trunks.get_trunk(org_id, trunk["id"])
        assert (kept.name, kept.password, kept.username) == ("Renamed", "hunter2", "u")
        assert (await client.delete(path)).status_code == 204
        assert (await client.get(path)).status_code == 404
        assert (await client.delete(path)).status_code == 404


async def test_a_number_lives_from_create_to_delete(served):
    async with served() as (client, _, _):
        made = await client.post("/v1/numbers", json={"number": "+14155550100", "is_default": True})
        assert made.status_code == 201, made.text
        number = made.json()["data"]
        path = f"/v1/numbers/{number['id']}"
        assert (await client.get(path)).json()["data"] == number
        again = await client.post("/v1/numbers", json={"number": "+14155550100"})
        assert (again.status_code, again.json()["error"]["code"]) == (409, "CONFLICT")
        changed = await client.put(path, json={"friendly_name": "Desk"})
        assert changed.json()["data"]["friendly_name"] == "Desk"
        assert changed.json()["data"]["is_default"] is True
        assert len((await client.get("/v1/numbers")).json()["data"]) == 1
        assert (await client.delete(path)).status_code == 204
        assert (await client.get(path)).status_code == 404


async def test_a_trunk_that_a_number_names_cannot_be_deleted(served):
    trunk_body = {"name": "C", "outbound_uri": "sip:192.0.2.9", "encryption": "none"}
    async with served() as (client, _, _):
        trunk = (await client.post("/v1/voice/sip-trunks", json=trunk_body)).json()["data"]
        body = {"number": "+14155550100", "trunk_id": trunk["id"]}
        assert (await client.post("/v1/numbers", json=body)).status_code == 201
        refused = await client.delete(f"/v1/voice/sip-trunks/{trunk['id']}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "RESOURCE_IN_USE")


async def test_a_second_page_of_calls_goes_on_where_the_first_ended(served):
    async with served() as (client, store, org_id):
        ids = [await keep_call(store, org_id, second) for second in range(5)]
        first = (await client.get("/v1/voice/calls?limit=2")).json()
        await keep_call(store, org_id, 60)
        cursor = first["meta"]["pagination"]["cursor"]
        second = (await client.get("/v1/voice/calls", params={"limit": 3, "cursor": cursor})).json()
        shown = [call["id"] for call in first["data"] + second["data"]]
        assert shown == ids[::-1]
        assert second["meta"]["pagination"] == {"cursor": None, "has_more": False, "total": 6}
        bad = await client.get("/v1/numbers", params={"cursor": cursor})
        assert (bad.status_code, bad.json()["error"]["code"]) == (400, "INVALID_CURSOR")


async def test_a_call_is_shown_with_its_timeline_and_its_audio(served, tmp_path):
    (tmp_path / "one.wav").write_bytes(b"RIFF0123")
    recording = Recording(new_recording_id(), RecordingStatus.COMPLETED, "one.wav", 1.0, 1, 8, "ab")
    async with served() as (client, store, org_id):
        call_id = await keep_call(store, org_id, 0, recording=recording)
        call = (await client.get(f"/v1/voice/calls/{call_id}")).json()["data"]
        assert (call["status"], call["to"]) == ("ringing", "+14155550123")
        events = (await client.get(f"/v1/voice/calls/{call_id}/events")).json()["data"]
        assert [event["type"] for event in events] == ["call.ringing"]
        audio = await client.get(call["recording_url"], headers={"X-API-Key": ""})
        assert (audio.status_code, audio.content) == (200, b"RIFF0123")


async def keep_call(store: Store, org_id: str, second: int, **fields) -> str:
    now = START + timedelta(seconds=second)
    call = CallRecord(
        id=new_call_id(),
        org_id=org_id,
        node_id="node_1",
        direction=Direction.OUTBOUND,
        from_="+14155550100",
        to="+14155550123",
        status=CallStatus.RINGING,
        created_at=now,
        **fields,
    )
    event = CallEvent(
        new_event_id(), call.id, org_id, 1, "call.ringing", now, {"call_id": call.id, "sequence": 1}
    )
    await store.journal.commit(CallChange(call, (event,), is_new=True))
    return call.id
