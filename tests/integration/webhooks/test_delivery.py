"""The engine with the real store, the real client and real receivers on loopback."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from orbit_voice.calls.records import CallChange, CallEvent, CallRecord, CallStatus, Direction
from orbit_voice.kit.clock import iso_utc, utc_now
from orbit_voice.kit.ids import new_call_id, new_event_id
from orbit_voice.store.first_start import prepare_first_start
from orbit_voice.store.sealing import Sealer, SecretKey
from orbit_voice.store.store import Store, open_store
from orbit_voice.store.tables import deliveries
from orbit_voice.webhooks.client import HttpClient
from orbit_voice.webhooks.delivery import WebhookDelivery
from orbit_voice.webhooks.guard import UrlGuard
from orbit_voice.webhooks.signing import verify

PATIENCE_S = 20.0


async def no_names(host: str) -> list[str]:
    raise AssertionError(f"{host} was looked up")


class ShiftedClock:
    """UTC, and as much later as a test says."""

    def __init__(self) -> None:
        self.shift = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.shift


@dataclass
class Bench:
    """A store with an organization, and what a test does with them."""

    store: Store
    org_id: str
    secret: str
    client: HttpClient
    clock: ShiftedClock

    def engine(self, **options: Any) -> WebhookDelivery:
        outbox = options.pop("outbox", self.store.outbox)
        engine = WebhookDelivery(outbox, self.client, clock=self.clock, **options)
        self.store.journal.on_deliveries(engine.notify)
        return engine

    async def call(self, url: str, events: int = 1) -> str:
        """Commit a call with ``events`` timeline entries, one by one; return its id."""
        record = CallRecord(
            id=new_call_id(),
            org_id=self.org_id,
            node_id="node_1",
            direction=Direction.OUTBOUND,
            from_=None,
            to="+12025550123",
            status=CallStatus.INITIATING,
            created_at=utc_now(),
            webhook_url=url,
        )
        for sequence in range(1, events + 1):
            event = CallEvent(
                id=new_event_id(),
                call_id=record.id,
                org_id=self.org_id,
                sequence=sequence,
                type="call.dtmf",
                created_at=utc_now(),
                data={"call_id": record.id, "sequence": sequence},
            )
            change = CallChange(
                replace(record, next_sequence=sequence + 1), (event,), is_new=sequence == 1
            )
            await self.store.journal.commit(change)
        return record.id

    async def rows(self) -> list[Mapping[str, Any]]:
        return await self.store.database.read(
            lambda connection: [
                dict(row)
                for row in connection.execute(
                    sa.select(deliveries).order_by(deliveries.c.position)
                ).mappings()
            ]
        )

    async def until_settled(self, engine: WebhookDelivery | None = None) -> None:
        """Wait until nothing is left to deliver; with ``engine``, pass over waits for a retry."""
        async with asyncio.timeout(PATIENCE_S):
            while any(row["settled_at"] is None for row in await self.rows()):
                if engine is not None and not engine.metrics().under_way:
                    await self._pass_to_next_due(engine)
                await asyncio.sleep(0.02)

    async def until_tried(self, count: int = 1) -> None:
        """Wait until ``count`` attempts are written down."""
        async with asyncio.timeout(PATIENCE_S):
            while sum(row["attempts"] for row in await self.rows()) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def _pass_to_next_due(self, engine: WebhookDelivery) -> None:
        due = await self.store.outbox.due()
        wait = min(due.values(), default=self.clock()) - self.clock()
        self.clock.shift += max(timedelta(), wait)
        engine.notify(set(due))


@asynccontextmanager
async def bench(directory: Path) -> AsyncIterator[Bench]:
    sealer = Sealer(SecretKey("a secret key for tests, and for nothing else"))
    url = f"sqlite:///{directory / 'orbit.sqlite3'}"
    guard = UrlGuard(resolver=no_names, allow=["127.0.0.0/8"])
    async with open_store(url, sealer, node_id="node_1") as store, HttpClient(guard) as client:
        first = await prepare_first_start(store.database, sealer, bootstrap_key=None, now=utc_now())
        organization = await store.organizations.get_organization(first.org_id)
        assert organization is not None
        yield Bench(store, first.org_id, organization.signing_secret, client, ShiftedClock())


def sequences(requests: list[Any], call_id: str) -> list[int]:
    """Return the sequence numbers of a call's events, in the order in which they first came."""
    data = [json.loads(request.body)["data"] for request in requests]
    return list(dict.fromkeys(one["sequence"] for one in data if one["call_id"] == call_id))


def test_an_event_arrives_signed(receiving: Any, answer: Any, tmp_path: Path) -> None:
    async def respond(request: Any, writer: Any) -> bytes:
        return bytes(answer(200, b"fine"))

    async def scenario() -> None:
        async with bench(tmp_path) as b, receiving(respond) as receiver:
            async with b.engine():
                call_id = await b.call(receiver.url())
                await b.until_settled()
            (request,) = receiver.requests
            (row,) = await b.rows()
            headers = request.headers
            assert verify(
                headers["x-devotel-signature"],
                request.body,
                b.secret,
                now=b.clock().timestamp(),
            )
            assert headers["x-devotel-event-id"] == row["event_id"]
            assert headers["x-devotel-event-type"] == "call.dtmf"
            assert headers["x-devotel-delivery-id"] == row["id"]
            assert headers["user-agent"] == "Devotel-Webhooks/1.0"
            assert json.loads(request.body) == {
                "id": row["event_id"],
                "type": "call.dtmf",
                "created_at": iso_utc(row["created_at"]),
                "data": {"call_id": call_id, "sequence": 1},
            }
            assert (row["status"], row["last_status"], row["excerpt"]) == ("delivered", 200, "fine")

    asyncio.run(scenario())


def test_a_500_is_retried_under_the_same_ids(receiving: Any, answer: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async def respond(request: Any, writer: Any) -> bytes:
            return bytes(answer(500 if len(receiver.requests) == 1 else 200))

        async with bench(tmp_path) as b, receiving(respond) as receiver, b.engine() as engine:
            await b.call(receiver.url())
            await b.until_tried()
            (row,) = await b.rows()
            assert row["due_at"] - row["last_attempt_at"] == timedelta(seconds=60)
            assert (row["status"], row["last_status"]) == ("pending", 500)
            await b.until_settled(engine)
            first, second = receiver.requests
            assert first.body == second.body
            for name in ("x-devotel-event-id", "x-devotel-delivery-id"):
                assert first.headers[name] == second.headers[name]

    asyncio.run(scenario())


def test_a_redirect_is_a_failure(receiving: Any, answer: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        async def respond(request: Any, writer: Any) -> bytes:
            if len(receiver.requests) == 1:
                return bytes(answer(302, b"", f"Location: {receiver.url('/elsewhere')}"))
            return bytes(answer(200))

        async with bench(tmp_path) as b, receiving(respond) as receiver, b.engine() as engine:
            await b.call(receiver.url())
            await b.until_settled(engine)
            assert [request.path for request in receiver.requests] == ["/hook", "/hook"]
            assert engine.metrics().retried == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("seed", range(3))
def test_each_calls_events_come_in_order_under_random_failures(
    receiving: Any, answer: Any, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    under_way: set[str] = set()
    doubled: list[str] = []
    attempts: Counter[str] = Counter()

    async def waver(request: Any, writer: Any) -> bytes | None:
        delivery = request.headers["x-devotel-delivery-id"]
        doubled.extend(under_way & {delivery})
        under_way.add(delivery)
        await asyncio.sleep(chance.random() / 50)
        under_way.discard(delivery)
        attempts[delivery] += 1
        if attempts[delivery] > 3:
            return bytes(answer(200))
        return chance.choice([bytes(answer(200)), bytes(answer(503)), None])

    async def scenario() -> None:
        async with bench(tmp_path) as b, receiving(waver) as receiver, b.engine() as engine:
            calls = await asyncio.gather(*(b.call(receiver.url(), 4) for _ in range(6)))
            await b.until_settled(engine)
            for call_id in calls:
                assert sequences(receiver.requests, call_id) == [1, 2, 3, 4]
            assert {row["status"] for row in await b.rows()} == {"delivered"}
        assert doubled == []

    asyncio.run(scenario())


def test_a_silent_receiver_delays_no_other(receiving: Any, answer: Any, tmp_path: Path) -> None:
    async def hang(request: Any, writer: Any) -> None:
        await asyncio.sleep(PATIENCE_S * 2)

    async def respond(request: Any, writer: Any) -> bytes:
        return bytes(answer(200))

    async def scenario() -> None:
        async with (
            bench(tmp_path) as b,
            receiving(hang) as silent,
            receiving(respond) as receiver,
            b.engine(drain_s=0.0),
        ):
            await asyncio.gather(*(b.call(silent.url()) for _ in range(40)))
            await asyncio.gather(*(b.call(receiver.url(), 2) for _ in range(10)))
            await b.until_tried(20)
            assert len(receiver.requests) == 20
            assert 1 <= len(silent.requests) <= 8

    asyncio.run(scenario())


class Killed:
    """The outbox of a process that is killed: it gives nothing back."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.dead = False

    async def release(self, now: datetime) -> None:
        if not self.dead:
            await self._inner.release(now)

    async def due(self) -> Any:
        return await self._inner.due()

    async def exchange(
        self, settlements: Any, wanted: Any, *, now: datetime, lease_s: float
    ) -> Any:
        if self.dead:
            return None
        return await self._inner.exchange(settlements, wanted, now=now, lease_s=lease_s)


def test_what_was_under_way_at_a_kill_is_delivered_after_the_restart(
    receiving: Any, answer: Any, tmp_path: Path
) -> None:
    hanging = True
    arrived = asyncio.Event()

    async def respond(request: Any, writer: Any) -> bytes:
        arrived.set()
        if hanging:
            await asyncio.sleep(PATIENCE_S * 2)
        return bytes(answer(200))

    async def scenario() -> None:
        nonlocal hanging
        async with receiving(respond) as receiver:
            async with bench(tmp_path) as b:
                outbox = Killed(b.store.outbox)
                async with b.engine(outbox=outbox, drain_s=0.0):
                    call_id = await b.call(receiver.url(), 3)
                    async with asyncio.timeout(PATIENCE_S):
                        await arrived.wait()
                    outbox.dead = True
                (first, *held_back) = await b.rows()
                assert first["claimed_by"] == "node_1"
                assert all(row["due_at"] is None for row in held_back)
            hanging = False
            async with bench(tmp_path) as b, b.engine():
                await b.until_settled()
                rows = await b.rows()
            assert [row["status"] for row in rows] == ["delivered"] * 3
            assert sequences(receiver.requests, call_id) == [1, 2, 3]
            ids = [request.headers["x-devotel-delivery-id"] for request in receiver.requests]
            assert ids == [rows[0]["id"], *(row["id"] for row in rows)]

    asyncio.run(scenario())


def test_a_claim_of_a_lost_node_lapses(receiving: Any, answer: Any, tmp_path: Path) -> None:
    async def respond(request: Any, writer: Any) -> bytes:
        return bytes(answer(200))

    async def scenario() -> None:
        async with bench(tmp_path) as b, receiving(respond) as receiver:
            await b.call(receiver.url())
            now = b.clock()
            lost = dict.fromkeys(await b.store.outbox.due(), 1)
            await b.store.outbox.exchange((), lost, now=now, lease_s=60.0)
            await b.store.database.write(
                lambda connection: connection.execute(
                    deliveries.update().values(claimed_by="node_lost")
                )
            )
            async with b.engine() as engine:
                await asyncio.sleep(0.2)
                assert receiver.requests == []
                await b.until_settled(engine)
            assert len(receiver.requests) == 1
            assert b.clock.shift > timedelta(seconds=50)

    asyncio.run(scenario())


def test_a_receiver_that_no_rule_allows_any_more_is_not_called(
    receiving: Any, answer: Any, tmp_path: Path
) -> None:
    async def respond(request: Any, writer: Any) -> bytes:
        return bytes(answer(200))

    async def scenario() -> None:
        async with (
            bench(tmp_path) as b,
            receiving(respond) as receiver,
            HttpClient(UrlGuard(resolver=no_names)) as strict,
        ):
            b.client = strict
            async with b.engine() as engine:
                await b.call(receiver.url())
                await b.until_tried()
                assert engine.metrics().retried == 1
            (row,) = await b.rows()
            assert row["last_error"] == "127.0.0.1 leads to a loopback address"
            assert receiver.connections == 0

    asyncio.run(scenario())


def test_many_calls_are_delivered_in_order_at_once(
    receiving: Any, answer: Any, tmp_path: Path
) -> None:
    async def respond(request: Any, writer: Any) -> bytes:
        return bytes(answer(200))

    async def scenario() -> None:
        async with bench(tmp_path) as b, receiving(respond) as receiver, b.engine():
            calls = await asyncio.gather(*(b.call(receiver.url(), 5) for _ in range(40)))
            await b.until_settled()
            assert len(receiver.requests) == 200
            for call_id in calls:
                found = sequences(receiver.requests, call_id)
                assert all(after == before + 1 for before, after in pairwise(found))

    asyncio.run(scenario())
