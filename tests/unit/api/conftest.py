"""The API on fakes of everything below it: memory instead of a store, lists instead of calls."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel

from orbit_voice.api.app import create_app
from orbit_voice.api.dependencies import Dependencies
from orbit_voice.calls.interfaces import CallFilter
from orbit_voice.calls.orders import CallOrder, PlayOrder, SayOrder
from orbit_voice.calls.records import CallEvent, CallRecord, CallStatus, Direction
from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.kit.ids import (
    new_api_key_id,
    new_call_id,
    new_number_id,
    new_recording_id,
    new_trunk_id,
)
from orbit_voice.kit.pages import Page
from orbit_voice.signaling.trace import SipTraceEntry
from orbit_voice.store.api_keys import ALL_SCOPES, ApiKey, Mode, Scope
from orbit_voice.store.recordings import RecordingFile
from orbit_voice.trunks.records import Number, Trunk

ORG = "org_ours"
OTHER_ORG = "org_theirs"
START = datetime(2026, 1, 31, 8, tzinfo=UTC)


def page_of(rows: Sequence[Any], cursor: str | None, limit: int) -> Page[Any]:
    """Page rows that are in the order of the list; the cursor is the index of the next row."""
    if cursor is not None and not cursor.isdigit():
        raise CallError(ErrorCode.INVALID_CURSOR)
    first = int(cursor or 0)
    more = first + limit < len(rows)
    return Page(tuple(rows[first : first + limit]), str(first + limit) if more else None, len(rows))


class FakeCalls:
    """Calls in memory: call control, reads, and what only living calls know."""

    def __init__(self) -> None:
        self.rows: dict[str, CallRecord] = {}
        self.orders: list[CallOrder] = []
        self.commands: list[tuple[str, Any]] = []
        self.events: dict[str, list[CallEvent]] = {}
        self.traces: dict[str, list[SipTraceEntry]] = {}
        self.live_traces: dict[str, list[SipTraceEntry]] = {}
        self.carried: dict[str, int] = {}
        self.filters: list[CallFilter] = []
        self.failure: Exception | None = None

    def add(self, org_id: str = ORG, **fields: Any) -> CallRecord:
        call = CallRecord(
            **{
                "id": new_call_id(),
                "org_id": org_id,
                "node_id": "node_1",
                "direction": Direction.OUTBOUND,
                "from_": "+14155550100",
                "to": "+14155550123",
                "status": CallStatus.INITIATING,
                "created_at": START + timedelta(seconds=len(self.rows)),
                **fields,
            }
        )
        self.rows[call.id] = call
        return call

    async def create(self, org_id: str, order: CallOrder) -> CallRecord:
        if self.failure is not None:
            raise self.failure
        self.orders.append(order)
        return self.add(
            org_id,
            from_=order.from_,
            to=order.to,
            trunk_id=order.trunk_id,
            record=order.record,
            max_duration_s=order.max_duration_s,
            ring_timeout_s=order.ring_timeout_s,
            webhook_url=order.webhook_url,
            metadata=order.metadata,
        )

    async def hangup(self, org_id: str, call_id: str) -> CallRecord:
        call = self._command(org_id, call_id, "hangup")
        self.rows[call_id] = replace(call, status=CallStatus.CANCELLED, ended_at=START)
        return self.rows[call_id]

    async def accept(self, org_id: str, call_id: str) -> CallRecord:
        return self._command(org_id, call_id, "accept")

    async def decline(self, org_id: str, call_id: str) -> CallRecord:
        return self._command(org_id, call_id, "decline")

    async def say(self, org_id: str, call_id: str, order: SayOrder) -> CallRecord:
        return self._command(org_id, call_id, order)

    async def play(self, org_id: str, call_id: str, order: PlayOrder) -> CallRecord:
        return self._command(org_id, call_id, order)

    async def stop(self, org_id: str, call_id: str) -> CallRecord:
        return self._command(org_id, call_id, "stop")

    async def dtmf(self, org_id: str, call_id: str, digits: str) -> CallRecord:
        return self._command(org_id, call_id, digits)

    def _command(self, org_id: str, call_id: str, what: Any) -> CallRecord:
        call = self._find(org_id, call_id)
        if call is None:
            raise CallError(ErrorCode.NOT_FOUND)
        if call.status.is_end:
            raise CallError(ErrorCode.CALL_NOT_ACTIVE, details={"status": call.status})
        self.commands.append((call_id, what))
        return call

    async def get_call(self, org_id: str, call_id: str) -> CallRecord | None:
        return self._find(org_id, call_id)

    async def list_calls(
        self, org_id: str, where: CallFilter, *, cursor: str | None, limit: int
    ) -> Page[CallRecord]:
        self.filters.append(where)
        rows = [call for call in reversed(self.rows.values()) if call.org_id == org_id]
        return page_of(rows, cursor, limit)

    async def list_events(
        self, org_id: str, call_id: str, *, cursor: str | None, limit: int
    ) -> Page[CallEvent]:
        return page_of(self.events.get(call_id, []), cursor, limit)

    async def sip_trace(self, org_id: str, call_id: str) -> list[SipTraceEntry]:
        return self.traces.get(call_id, [])

    def live_trace(self, org_id: str, call_id: str) -> list[SipTraceEntry] | None:
        return self.live_traces.get(call_id) if self._find(org_id, call_id) else None

    def active_calls(self, trunk_id: str) -> int:
        return self.carried.get(trunk_id, 0)

    def _find(self, org_id: str, call_id: str) -> CallRecord | None:
        call = self.rows.get(call_id)
        return call if call is not None and call.org_id == org_id else None


class FakeTrunks:
    """Trunks in memory."""

    def __init__(self) -> None:
        self.rows: dict[str, Trunk] = {}
        self.in_use: set[str] = set()

    async def create_trunk(self, trunk: Trunk) -> None:
        self.rows[trunk.id] = trunk

    async def get_trunk(self, org_id: str, trunk_id: str) -> Trunk | None:
        trunk = self.rows.get(trunk_id)
        return trunk if trunk is not None and trunk.org_id == org_id else None

    async def list_trunks(self, org_id: str, *, cursor: str | None, limit: int) -> Page[Trunk]:
        rows = [trunk for trunk in reversed(self.rows.values()) if trunk.org_id == org_id]
        return page_of(rows, cursor, limit)

    async def update_trunk(self, trunk: Trunk) -> bool:
        known = trunk.id in self.rows
        self.rows[trunk.id] = trunk
        return known

    async def delete_trunk(self, org_id: str, trunk_id: str) -> bool:
        if trunk_id in self.in_use:
            raise CallError(ErrorCode.RESOURCE_IN_USE, details={"numbers": ["+14155550100"]})
        known = await self.get_trunk(org_id, trunk_id) is not None
        if known:
            del self.rows[trunk_id]
        return known

    async def enabled_trunks(self, org_id: str) -> list[Trunk]:
        return [trunk for trunk in self.rows.values() if trunk.org_id == org_id and trunk.enabled]

    async def all_enabled_trunks(self) -> list[Trunk]:
        return [trunk for trunk in self.rows.values() if trunk.enabled]


class FakeNumbers:
    """Numbers in memory."""

    def __init__(self) -> None:
        self.rows: dict[str, Number] = {}

    async def create_number(self, number: Number) -> None:
        if await self.inbound_number(number.number) is not None:
            raise CallError(ErrorCode.CONFLICT, details={"field": "number"})
        self.rows[number.id] = number

    async def get_number(self, org_id: str, number_id: str) -> Number | None:
        number = self.rows.get(number_id)
        return number if number is not None and number.org_id == org_id else None

    async def list_numbers(self, org_id: str, *, cursor: str | None, limit: int) -> Page[Number]:
        rows = [number for number in reversed(self.rows.values()) if number.org_id == org_id]
        return page_of(rows, cursor, limit)

    async def update_number(self, number: Number) -> bool:
        known = number.id in self.rows
        self.rows[number.id] = number
        return known

    async def delete_number(self, org_id: str, number_id: str) -> bool:
        known = await self.get_number(org_id, number_id) is not None
        if known:
            del self.rows[number_id]
        return known

    async def find_number(self, org_id: str, number: str) -> Number | None:
        found = await self.inbound_number(number)
        return found if found is not None and found.org_id == org_id else None

    async def inbound_number(self, number: str) -> Number | None:
        return next((row for row in self.rows.values() if row.number == number), None)

    async def default_number(self, org_id: str) -> Number | None:
        ours = (row for row in self.rows.values() if row.org_id == org_id and row.is_default)
        return next(ours, None)


def a_key(
    org_id: str,
    *,
    text: str = "dv_live_sk_1",
    name: str = "k",
    mode: Mode = Mode.LIVE,
    scopes: frozenset[Scope] = ALL_SCOPES,
) -> ApiKey:
    """Return a key as a store would describe it."""
    return ApiKey(new_api_key_id(), org_id, name, text[:15], mode, scopes, START)


class FakeKeys:
    """API keys in memory: verifies, makes, lists, deletes."""

    def __init__(self) -> None:
        self.by_text: dict[str, ApiKey] = {}
        self.rows: dict[str, ApiKey] = {}

    def add(
        self,
        text: str,
        org_id: str = ORG,
        scopes: frozenset[Scope] = ALL_SCOPES,
        mode: Mode = Mode.LIVE,
    ) -> str:
        self.by_text[text] = a_key(org_id, text=text, scopes=scopes, mode=mode)
        return text

    async def verify(self, text: str) -> ApiKey | None:
        return self.by_text.get(text)

    async def create_key(
        self, org_id: str, name: str, *, mode: Mode, scopes: Collection[Scope], now: datetime
    ) -> tuple[ApiKey, str]:
        text = f"dv_{mode}_sk_made{len(self.rows)}"
        key = a_key(org_id, text=text, name=name, scopes=frozenset(scopes), mode=mode)
        self.rows[key.id] = self.by_text[text] = key
        return key, text

    async def list_keys(self, org_id: str, *, cursor: str | None, limit: int) -> Page[ApiKey]:
        rows = [key for key in reversed(self.rows.values()) if key.org_id == org_id]
        return page_of(rows, cursor, limit)

    async def delete_key(self, org_id: str, key_id: str) -> bool:
        key = self.rows.get(key_id)
        if key is None or key.org_id != org_id:
            return False
        del self.rows[key_id]
        self.by_text = {text: one for text, one in self.by_text.items() if one.id != key_id}
        return True


class FakeRecordings:
    """Recordings whose files the test writes."""

    def __init__(self) -> None:
        self.files: dict[tuple[str, str], RecordingFile] = {}

    def add(self, path: Path, recording_id: str, org_id: str = ORG, **fields: Any) -> None:
        self.files[org_id, recording_id] = RecordingFile(path, **fields)

    async def find_recording(self, org_id: str, recording_id: str) -> RecordingFile | None:
        return self.files.get((org_id, recording_id))


class FakeFlows:
    """Agents and IVR flows: those a test names, and no others."""

    def __init__(self) -> None:
        self.agents: set[str] = set()
        self.ivrs: set[str] = set()

    async def has_agent(self, org_id: str, agent_id: str) -> bool:
        return agent_id in self.agents

    async def has_ivr(self, org_id: str, ivr_id: str) -> bool:
        return ivr_id in self.ivrs


@dataclass
class World:
    """Everything below the API, and the answers the test gives for it."""

    calls: FakeCalls = field(default_factory=FakeCalls)
    trunks: FakeTrunks = field(default_factory=FakeTrunks)
    numbers: FakeNumbers = field(default_factory=FakeNumbers)
    keys: FakeKeys = field(default_factory=FakeKeys)
    recordings: FakeRecordings = field(default_factory=FakeRecordings)
    flows: FakeFlows = field(default_factory=FakeFlows)
    checks: dict[str, bool] = field(default_factory=lambda: {"store": True, "sip": True})
    readiness_failure: Exception | None = None
    checked_urls: list[str] = field(default_factory=list)
    public_url: str | None = None

    async def check_url(self, url: str) -> None:
        self.checked_urls.append(url)
        if "127.0.0.1" in url:
            raise CallError(ErrorCode.INVALID_WEBHOOK_URL, "The host is a loopback address.")

    async def readiness(self) -> Mapping[str, bool]:
        if self.readiness_failure is not None:
            raise self.readiness_failure
        return self.checks

    def dependencies(self) -> Dependencies:
        return Dependencies(
            control=self.calls,
            calls=self.calls,
            live=self.calls,
            trunks=self.trunks,
            numbers=self.numbers,
            api_keys=self.keys,
            recordings=self.recordings,
            flows=self.flows,
            check_url=self.check_url,
            readiness=self.readiness,
            inbound_address=lambda: "192.0.2.1:5060",
            link_secret=b"a secret of thirty-two bytes ...",
            public_url=self.public_url,
        )

    def seed(self, directory: Path, org_id: str = ORG) -> dict[str, str]:
        """Give an organization one of everything; return path parameter -> id."""
        call = self.calls.add(org_id, status=CallStatus.IN_PROGRESS, answered_at=START)
        trunk = Trunk(new_trunk_id(), org_id, "Carrier", "sip:192.0.2.9", START, START)
        self.trunks.rows[trunk.id] = trunk
        number = Number(
            new_number_id(), org_id, f"+1415555{len(self.numbers.rows):04}", START, START
        )
        self.numbers.rows[number.id] = number
        key = a_key(org_id)
        self.keys.rows[key.id] = key
        recording_id = new_recording_id()
        path = directory / f"{recording_id}.wav"
        path.write_bytes(b"RIFF and so on")
        self.recordings.add(path, recording_id, org_id)
        return {
            "call_id": call.id,
            "trunk_id": trunk.id,
            "number_id": number.id,
            "key_id": key.id,
            "recording_id": recording_id,
        }


@dataclass(frozen=True)
class Operation:
    """One documented operation: how it is called and what it promises."""

    method: str
    path: str
    example: Any
    answer: type[BaseModel] | None
    status: int
    takes_body: bool

    def filled(self, ids: Mapping[str, str]) -> str:
        """Return the path with ids in place of parameters."""
        return self.path.format_map(ids)


class Api:
    """Sends requests straight into the application.

    Attributes:
        key: Sent as ``X-API-Key`` unless the request says otherwise.
    """

    def __init__(self, world: World) -> None:
        self.app = create_app(world.dependencies())
        self.key: str | None = world.keys.add("dv_live_sk_ours")

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {} if self.key is None else {"X-API-Key": self.key}
        headers |= options.pop("headers", {})
        return asyncio.run(self._send(method, path, headers=headers, **options))

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://voice.test") as client:
            return await client.request(method, path, **options)

    def operations(self) -> list[Operation]:
        """Return every operation under ``/v1``."""
        document = self.get("/openapi.json").json()
        found = []
        for route in self.app.routes:
            if not isinstance(route, APIRoute) or not route.path.startswith("/v1/"):
                continue
            (method,) = route.methods
            body = document["paths"][route.path][method.lower()].get("requestBody")
            content = {} if body is None else body["content"]["application/json"]
            example = content.get("examples", {}).get("example", {}).get("value")
            answer = route.responses[route.status_code].get("model")
            found.append(
                Operation(method, route.path, example, answer, route.status_code, body is not None)
            )
        return found

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return self.request("POST", path, **_with_json(json, options))

    def put(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return self.request("PUT", path, **_with_json(json, options))

    def delete(self, path: str, **options: Any) -> httpx.Response:
        return self.request("DELETE", path, **options)


def _with_json(json: Any, options: dict[str, Any]) -> dict[str, Any]:
    return options if json is None else {"json": json, **options}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def api(world: World) -> Api:
    return Api(world)
