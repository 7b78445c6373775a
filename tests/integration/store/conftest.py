"""A real store on a real file, and values to keep in it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from orbit_voice.calls.records import CallChange, CallEvent, CallRecord, CallStatus, Direction
from orbit_voice.kit.ids import new_call_id, new_event_id, new_number_id, new_trunk_id
from orbit_voice.store.sealing import Sealer, SecretKey
from orbit_voice.store.store import open_store
from orbit_voice.trunks.records import Number, Trunk

START = datetime(2026, 1, 31, 8, tzinfo=UTC)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(SecretKey("a key for tests, long enough"))


@pytest.fixture
def opened(tmp_path, sealer):
    """Open the store of this test, as often as wanted; ``ours`` and ``theirs`` own rows."""

    @asynccontextmanager
    async def open_it(**options):
        url = f"sqlite:///{tmp_path}/v.db"
        async with open_store(url, sealer, **{"node_id": "node_1", **options}) as store:
            known = await store.organizations.list_organizations()
            while len(known) < 2:
                known.append(
                    await store.organizations.create_organization(
                        "org", START + timedelta(seconds=len(known))
                    )
                )
            yield SimpleNamespace(store=store, ours=known[0].id, theirs=known[1].id)

    return open_it


class Make:
    """Makes values; what a test does not name has some sensible value."""

    def call(self, org_id, second=0, **fields):
        return CallRecord(
            **{
                "id": new_call_id(),
                "org_id": org_id,
                "node_id": "node_1",
                "direction": Direction.OUTBOUND,
                "from_": "+14155550100",
                "to": "+14155550123",
                "status": CallStatus.INITIATING,
                "created_at": START + timedelta(seconds=second),
                **fields,
            }
        )

    def event(self, call, sequence, kind="call.ringing"):
        data = {"call_id": call.id, "sequence": sequence}
        at = START + timedelta(seconds=sequence)
        return CallEvent(new_event_id(), call.id, call.org_id, sequence, kind, at, data)

    def first(self, call, **fields):
        return CallChange(call, (self.event(call, 1, "call.initiated"),), is_new=True, **fields)

    def trunk(self, org_id, second=0, **fields):
        at = START + timedelta(seconds=second)
        return Trunk(
            **{
                "id": new_trunk_id(),
                "org_id": org_id,
                "name": "Carrier",
                "outbound_uri": "sip:192.0.2.9",
                "created_at": at,
                "updated_at": at,
                **fields,
            }
        )

    def number(self, org_id, number="+14155550100", second=0, **fields):
        at = START + timedelta(seconds=second)
        return Number(new_number_id(), org_id, number, at, at, **fields)


@pytest.fixture
def make() -> Make:
    return Make()
