"""The engine in virtual time: schedule, order, isolation."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orbit_voice.kit.errors import TransportError
from orbit_voice.kit.outbox import (
    Delivery,
    DeliveryStatus,
    Exchange,
    Settlement,
    destination_of,
)
from orbit_voice.testing.virtual_time import run_virtual
from orbit_voice.webhooks.client import Answer, RequestError
from orbit_voice.webhooks.delivery import WebhookDelivery
from orbit_voice.webhooks.lanes import Limits
from orbit_voice.webhooks.metrics import DeliveryMetrics
from orbit_voice.webhooks.targets import UrlRefusedError

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
ORG = "org_1"


def loop_clock() -> datetime:
    return EPOCH + timedelta(seconds=asyncio.get_running_loop().time())


@dataclass
class Row:
    id: str
    stream: str
    position: int
    url: str
    destination: str
    due_at: datetime | None
    status: DeliveryStatus = DeliveryStatus.PENDING
    attempts: int = 0
    claims: int = 0
    claimed: bool = False
    settled_at: datetime | None = None
    history: list[Settlement] = field(default_factory=list)


class MemoryOutbox:
    """Keeps what the store promises: one claimable delivery per call, claims that lapse."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.broken = False
        self.exchanges = 0

    def add(self, call: str, url: str, at: datetime) -> str:
        stream = [row for row in self.rows.values() if row.stream == call]
        is_held_back = any(row.settled_at is None for row in stream)
        position = len(stream) + 1
        row = Row(
            id=f"dlv_{call}_{position}",
            stream=call,
            position=position,
            url=url,
            destination=destination_of(ORG, url),
            due_at=None if is_held_back else at,
        )
        self.rows[row.id] = row
        return row.destination

    async def release(self, now: datetime) -> None:
        for row in self.rows.values():
            if row.claimed:
                row.claimed, row.due_at = False, now

    async def due(self) -> Mapping[str, datetime]:
        found: dict[str, datetime] = {}
        for row in self.rows.values():
            if row.due_at is not None:
                found[row.destination] = min(found.get(row.destination, row.due_at), row.due_at)
        return found

    async def exchange(
        self,
        settlements: Sequence[Settlement],
        wanted: Mapping[str, int],
        *,
        now: datetime,
        lease_s: float,
    ) -> Exchange:
        self.exchanges += 1
        settlements = tuple(settlements)
        await asyncio.sleep(0.001)
        if self.broken:
            raise TransportError("the database is away")
        for settlement in settlements:
            self._settle(settlement, now)
        claimed: list[Delivery] = []
        next_due: dict[str, datetime | None] = {}
        for lane, limit in wanted.items():
            rows = [row for row in self.rows.values() if row.destination == lane and row.due_at]
            lapses_at = now + timedelta(seconds=lease_s)
            ready = [row for row in rows if row.due_at is not None and row.due_at <= now]
            claimed += [self._claim(row, lapses_at) for row in ready[:limit]]
            free = [row.due_at for row in rows if row.due_at and not row.claimed]
            next_due[lane] = min(free, default=None)
        return Exchange(tuple(claimed), next_due)

    def _claim(self, row: Row, lapses_at: datetime) -> Delivery:
        row.due_at, row.claimed, row.claims = lapses_at, True, row.claims + 1
        return Delivery(
            id=row.id,
            claim=row.claims,
            destination=row.destination,
            url=row.url,
            event_id=row.id.replace("dlv", "evt"),
            event_type="call.dtmf",
            body=b"{}",
            secret="whsec_1",
            attempts=row.attempts,
        )

    def _settle(self, settlement: Settlement, now: datetime) -> None:
        row = self.rows[settlement.delivery_id]
        if row.claims != settlement.claim or not row.claimed:
            return
        row.claimed, row.due_at, row.status = False, settlement.due_at, settlement.status
        row.attempts += 1
        row.history.append(settlement)
        if settlement.status is not DeliveryStatus.PENDING:
            row.settled_at = now
            stream = [row_ for row_ in self.rows.values() if row_.stream == row.stream]
            unsettled = [row_ for row_ in stream if row_.settled_at is None]
            if unsettled and unsettled[0].due_at is None:
                unsettled[0].due_at = now


Behaviour = Callable[[str, int], Awaitable[int]]


class ScriptedPoster:
    """Answers as ``behave(url, nth attempt of the delivery)`` says and keeps what came."""

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave
        self.posts: list[tuple[float, str, str]] = []
        self.headers: list[Mapping[str, str]] = []
        self.taken: list[tuple[float, str]] = []
        self.under_way: defaultdict[str, int] = defaultdict(int)
        self.most: defaultdict[str, int] = defaultdict(int)
        self.most_of_one_delivery = 0
        self._attempts: defaultdict[str, int] = defaultdict(int)

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float
    ) -> Answer:
        delivery = headers["X-Devotel-Delivery-Id"]
        self.posts.append((asyncio.get_running_loop().time(), url, delivery))
        self.headers.append(headers)
        self._attempts[delivery] += 1
        keys = (url, url.split("/")[2], delivery, "all")
        for key in keys:
            self.under_way[key] += 1
            self.most[key] = max(self.most[key], self.under_way[key])
        self.most_of_one_delivery = max(self.most_of_one_delivery, self.under_way[delivery])
        try:
            status = await self._behave(url, self._attempts[delivery])
        finally:
            for key in keys:
                self.under_way[key] -= 1
        self.taken.append((asyncio.get_running_loop().time(), delivery))
        return Answer(status, "")

    def times_of(self, delivery: str) -> list[float]:
        return [time for time, _, name in self.posts if name == delivery]


async def ok(url: str, attempt: int) -> int:
    await asyncio.sleep(0.05)
    return 200


async def until_settled(outbox: MemoryOutbox) -> None:
    while any(row.settled_at is None for row in outbox.rows.values()):  # noqa: ASYNC110 - virtual
        await asyncio.sleep(0.5)


def run(
    fill: Callable[[MemoryOutbox], None],
    behave: Behaviour,
    *,
    limits: Limits | None = None,
    until_s: float | None = None,
) -> tuple[MemoryOutbox, ScriptedPoster, DeliveryMetrics]:
    """Deliver what ``fill`` puts into the outbox, until all is settled or a time is reached."""

    async def scenario() -> tuple[MemoryOutbox, ScriptedPoster, DeliveryMetrics]:
        outbox, poster = MemoryOutbox(), ScriptedPoster(behave)
        fill(outbox)
        async with WebhookDelivery(outbox, poster, clock=loop_clock, limits=limits) as delivery:
            if until_s is None:
                await until_settled(outbox)
            else:
                await asyncio.sleep(until_s)
            metrics = delivery.metrics()
        return outbox, poster, metrics

    return run_virtual(scenario(), limit_s=400_000.0)


def test_a_failed_delivery_is_retried_on_the_contracts_schedule_and_then_dead() -> None:
    async def fail(url: str, attempt: int) -> int:
        return 500

    outbox, poster, metrics = run(lambda box: box.add("c", "https://a.example/", EPOCH), fail)
    times = poster.times_of("dlv_c_1")
    waits = [after - before for before, after in pairwise(times)]
    assert waits == pytest.approx([60, 300, 1800, 7200, 28800, 86400], abs=0.1)
    assert outbox.rows["dlv_c_1"].status is DeliveryStatus.DEAD
    assert (metrics.delivered, metrics.retried, metrics.dead) == (0, 6, 1)


def test_every_attempt_has_the_same_ids_and_a_fresh_time() -> None:
    async def second_time(url: str, attempt: int) -> int:
        return 204 if attempt == 2 else 503

    _, poster, metrics = run(lambda box: box.add("c", "https://a.example/", EPOCH), second_time)
    first, second = poster.headers
    assert first["X-Devotel-Event-Id"] == second["X-Devotel-Event-Id"] == "evt_c_1"
    assert first["X-Devotel-Delivery-Id"] == second["X-Devotel-Delivery-Id"]
    assert first["X-Devotel-Signature"] != second["X-Devotel-Signature"]
    assert (metrics.delivered, metrics.retried, metrics.dead) == (1, 1, 0)


@pytest.mark.parametrize("status", [301, 307, 400, 404, 410, 429, 500, 599])
def test_only_a_2xx_is_success(status: int) -> None:
    async def answer(url: str, attempt: int) -> int:
        return status if attempt == 1 else 200

    outbox, _, _ = run(lambda box: box.add("c", "https://a.example/", EPOCH), answer)
    first = outbox.rows["dlv_c_1"].history[0]
    assert (first.status, first.error) == (DeliveryStatus.PENDING, f"HTTP {status}")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RequestError("no answer in time"), "no answer in time"),
        (UrlRefusedError("a.example leads to a private address"), "leads to a private address"),
        (RuntimeError("a bug"), "internal error"),
    ],
)
def test_an_attempt_without_an_answer_is_retried_and_says_why(error: Exception, said: str) -> None:
    async def answer(url: str, attempt: int) -> int:
        if attempt == 1:
            raise error
        return 200

    outbox, _, _ = run(lambda box: box.add("c", "https://a.example/", EPOCH), answer)
    first = outbox.rows["dlv_c_1"].history[0]
    assert first.http_status is None
    assert said in (first.error or "")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_events_of_a_call_arrive_in_order_whatever_fails(seed: int) -> None:
    chance = random.Random(seed)

    def fill(outbox: MemoryOutbox) -> None:
        for _ in range(5):
            for call in ("a", "b", "c"):
                outbox.add(call, "https://one.example/", EPOCH)

    async def waver(url: str, attempt: int) -> int:
        await asyncio.sleep(chance.random())
        return chance.choice([200, 200, 500])

    outbox, poster, _ = run(fill, waver)
    for call in ("a", "b", "c"):
        first_posts = list(
            dict.fromkeys(name for _, _, name in poster.posts if f"_{call}_" in name)
        )
        assert first_posts == [f"dlv_{call}_{n}" for n in range(1, 6)]
        for before, after in pairwise(first_posts):
            settled_at = outbox.rows[before].settled_at
            assert settled_at is not None
            assert poster.times_of(after)[0] >= (settled_at - EPOCH).total_seconds()
    assert poster.most_of_one_delivery == 1


def test_a_dead_receiver_delays_no_other() -> None:
    def fill(outbox: MemoryOutbox) -> None:
        for n in range(500):
            outbox.add(f"dead{n}", f"https://dead.example/{n}", EPOCH)
        for n in range(50):
            outbox.add(f"live{n}", f"https://live{n % 5}.example/", EPOCH)

    async def behave(url: str, attempt: int) -> int:
        if "dead" in url:
            await asyncio.sleep(30.0)
            raise RequestError("no answer in time")
        return await ok(url, attempt)

    _, poster, _ = run(fill, behave, until_s=3.0)
    live = [time for time, name in poster.taken if "live" in name]
    assert len(live) == 50
    assert max(live) < 1.0


def test_many_dead_hosts_leave_most_places_to_the_others() -> None:
    def fill(outbox: MemoryOutbox) -> None:
        for n in range(400):
            outbox.add(f"dead{n}", f"https://dead{n % 4}.example/{n}", EPOCH)
        for n in range(40):
            outbox.add(f"live{n}", "https://live.example/", EPOCH + timedelta(seconds=100))

    async def behave(url: str, attempt: int) -> int:
        if "dead" in url:
            await asyncio.sleep(30.0)
            raise RequestError("no answer in time")
        return await ok(url, attempt)

    _, poster, _ = run(fill, behave, until_s=110.0)
    live = [time for time, name in poster.taken if "live" in name]
    assert len(live) == 40
    assert max(live) < 102.0


def test_attempts_at_once_stay_within_the_limits() -> None:
    def fill(outbox: MemoryOutbox) -> None:
        for n in range(60):
            outbox.add(f"c{n}", f"https://host{n % 2}.example/{n % 4}", EPOCH)

    limits = Limits(total=12, per_host=8, per_lane=5)
    _, poster, _ = run(fill, ok, limits=limits)
    assert poster.most["all"] == 12
    assert max(count for key, count in poster.most.items() if key.startswith("https://")) == 5
    assert max(poster.most["host0.example"], poster.most["host1.example"]) == 8


def test_news_is_delivered_at_once() -> None:
    async def scenario() -> float:
        outbox, poster = MemoryOutbox(), ScriptedPoster(ok)
        async with WebhookDelivery(outbox, poster, clock=loop_clock) as delivery:
            await asyncio.sleep(10.0)
            delivery.notify({outbox.add("c", "https://a.example/", loop_clock())})
            await until_settled(outbox)
        return poster.posts[0][0]

    assert run_virtual(scenario()) == pytest.approx(10.0, abs=0.01)


def test_what_nobody_told_of_is_found_within_a_minute() -> None:
    async def scenario() -> float:
        outbox, poster = MemoryOutbox(), ScriptedPoster(ok)
        async with WebhookDelivery(outbox, poster, clock=loop_clock):
            await asyncio.sleep(10.0)
            outbox.add("c", "https://a.example/", loop_clock())
            await until_settled(outbox)
        return poster.posts[0][0]

    assert run_virtual(scenario()) <= 61.0


def test_the_next_event_of_a_call_follows_at_once() -> None:
    def fill(outbox: MemoryOutbox) -> None:
        for _ in range(5):
            outbox.add("c", "https://a.example/", EPOCH)

    _, poster, _ = run(fill, ok)
    assert poster.posts[-1][0] < 1.0


def test_a_store_that_is_away_delays_and_loses_nothing() -> None:
    async def scenario() -> tuple[ScriptedPoster, DeliveryMetrics]:
        outbox, poster = MemoryOutbox(), ScriptedPoster(ok)
        for n in range(5):
            outbox.add(f"c{n}", "https://a.example/", EPOCH)
        async with WebhookDelivery(outbox, poster, clock=loop_clock) as delivery:
            await asyncio.sleep(0.02)  # five posts are under way
            outbox.broken = True
            await asyncio.sleep(5.0)
            lateness_s = delivery.metrics().lateness_s
            outbox.broken = False
            await until_settled(outbox)
            assert lateness_s > 4.0
            return poster, delivery.metrics()

    poster, metrics = run_virtual(scenario())
    assert len(poster.posts) == 5
    assert metrics.delivered == 5
    assert metrics.store_failures >= 4


def test_the_end_waits_for_what_is_under_way_and_starts_nothing_more() -> None:
    async def slow(url: str, attempt: int) -> int:
        await asyncio.sleep(3.0)
        return 200

    def fill(outbox: MemoryOutbox) -> None:
        outbox.add("c", "https://a.example/", EPOCH)
        outbox.add("c", "https://a.example/", EPOCH)

    outbox, poster, _ = run(fill, slow, until_s=1.0)
    assert [name for _, _, name in poster.posts] == ["dlv_c_1"]
    assert outbox.rows["dlv_c_1"].status is DeliveryStatus.DELIVERED
    assert outbox.rows["dlv_c_2"].due_at is not None


def test_what_the_end_cut_off_is_sent_again_by_the_next_start() -> None:
    async def scenario() -> tuple[list[float], float]:
        outbox = MemoryOutbox()
        outbox.add("c", "https://a.example/", EPOCH)

        async def hang(url: str, attempt: int) -> int:
            await asyncio.sleep(29.0 if attempt == 1 else 0.1)
            return 200

        poster = ScriptedPoster(hang)
        loop = asyncio.get_running_loop()
        async with WebhookDelivery(outbox, poster, clock=loop_clock, drain_s=2.0):
            await asyncio.sleep(1.0)
        ended = loop.time()
        async with WebhookDelivery(outbox, poster, clock=loop_clock):
            await until_settled(outbox)
        return poster.times_of("dlv_c_1"), ended

    times, ended = run_virtual(scenario())
    assert ended == pytest.approx(3.0, abs=0.1)
    assert times == pytest.approx([0.0, 3.0], abs=0.1)


def test_a_claim_that_lapses_while_we_hold_it_is_not_started_twice() -> None:
    async def scenario() -> ScriptedPoster:
        outbox = MemoryOutbox()
        outbox.add("c", "https://a.example/", EPOCH)

        async def slow(url: str, attempt: int) -> int:
            await asyncio.sleep(20.0)
            return 200

        poster = ScriptedPoster(slow)
        jump = timedelta()
        async with WebhookDelivery(outbox, poster, clock=lambda: loop_clock() + jump) as delivery:
            await asyncio.sleep(5.0)
            jump = timedelta(hours=1)
            delivery.notify({outbox.rows["dlv_c_1"].destination})
            await until_settled(outbox)
        return poster

    poster = run_virtual(scenario())
    assert len(poster.posts) == 1
    assert poster.most_of_one_delivery == 1


def test_an_idle_engine_asks_the_store_for_nothing() -> None:
    async def scenario() -> int:
        outbox = MemoryOutbox()
        async with WebhookDelivery(outbox, ScriptedPoster(ok), clock=loop_clock):
            await asyncio.sleep(3600.0)
            return outbox.exchanges

    assert run_virtual(scenario()) == 0
