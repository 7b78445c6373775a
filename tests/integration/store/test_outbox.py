from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orbit_voice.calls.records import CallChange
from orbit_voice.kit.outbox import DeliveryStatus, Settlement, destination_of

pytestmark = pytest.mark.anyio
HOOK = "https://hooks.example.com/voice"
NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)


async def keep_events(world, make, count):
    """Keep a call with ``count`` events; return its lane."""
    call = make.call(world.ours, webhook_url=HOOK)
    await world.store.journal.commit(make.first(call))
    for sequence in range(2, count + 1):
        await world.store.journal.commit(CallChange(call, (make.event(call, sequence),)))
    return destination_of(world.ours, HOOK)


async def claim(world, lane, *settlements, now=NOW, lease_s=60.0):
    exchange = await world.store.outbox.exchange(settlements, {lane: 10}, now=now, lease_s=lease_s)
    return list(exchange.deliveries)


def settled(delivery, status, due_at=None, **fields):
    return Settlement(delivery.id, delivery.claim, status, due_at, NOW, **fields)


async def test_events_of_a_call_are_handed_out_one_after_the_other(opened, make):
    async with opened() as world:
        lane = await keep_events(world, make, 3)
        types, last = [], ()
        for _ in range(3):
            (delivery,) = await claim(world, lane, *last)
            assert delivery.secret.startswith("whsec_")
            assert delivery.event_id.encode() in delivery.body
            types.append(delivery.event_type)
            last = (settled(delivery, DeliveryStatus.DELIVERED, http_status=200),)
        assert types == ["call.initiated", "call.ringing", "call.ringing"]
        assert await claim(world, lane, *last) == []
        assert await world.store.outbox.due() == {}


async def test_a_dead_delivery_lets_the_next_one_come_up(opened, make):
    async with opened() as world:
        lane = await keep_events(world, make, 2)
        (first,) = await claim(world, lane)
        (second,) = await claim(world, lane, settled(first, DeliveryStatus.DEAD, error="gone"))
        assert second.event_type == "call.ringing"
        page = await world.store.outbox.list_deliveries(world.ours, cursor=None, limit=9)
        assert [row.status for row in page.rows] == [DeliveryStatus.PENDING, DeliveryStatus.DEAD]
        assert page.rows[1].last_error == "gone"


async def test_a_claimed_delivery_is_nobody_elses_until_the_lease_ends(opened, make):
    async with opened() as world:
        lane = await keep_events(world, make, 1)
        (held,) = await claim(world, lane)
        assert await claim(world, lane, now=NOW + timedelta(seconds=59)) == []
        (again,) = await claim(world, lane, now=NOW + timedelta(seconds=60))
        assert (again.id, again.claim) == (held.id, held.claim + 1)
        # The first holder comes late: its settlement changes nothing.
        late = settled(held, DeliveryStatus.DELIVERED)
        (third,) = await claim(world, lane, late, now=NOW + timedelta(seconds=200))
        assert third.id == held.id


async def test_a_failed_attempt_is_due_again_when_it_says_and_holds_back_the_later(opened, make):
    async with opened() as world:
        lane = await keep_events(world, make, 2)
        (first,) = await claim(world, lane)
        later = NOW + timedelta(minutes=1)
        retry = settled(first, DeliveryStatus.PENDING, later, http_status=500, error="500")
        assert await claim(world, lane, retry) == []
        assert await world.store.outbox.due() == {lane: later}
        (again,) = await claim(world, lane, now=later)
        assert (again.id, again.attempts) == (first.id, 1)


async def test_a_restarted_node_gets_back_at_once_what_it_held(opened, make):
    async with opened() as world:
        lane = await keep_events(world, make, 1)
        (held,) = await claim(world, lane, lease_s=3600)
    async with opened(node_id="node_2") as world:
        await world.store.outbox.release(NOW)
        assert await claim(world, lane) == []
    async with opened() as world:
        await world.store.outbox.release(NOW)
        (again,) = await claim(world, lane)
        assert again.id == held.id
