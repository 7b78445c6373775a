from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from orbit_voice.calls.interfaces import CallFilter
from orbit_voice.calls.records import (
    Attempt,
    CallChange,
    CallStatus,
    Direction,
    Hangup,
    HangupBy,
    MediaSummary,
    Recording,
    RecordingStatus,
)
from orbit_voice.kit.errors import CallError, ErrorCode, HangupCause
from orbit_voice.kit.ids import new_recording_id
from orbit_voice.signaling.trace import SipTraceEntry
from orbit_voice.store.errors import StoreCorruptError
from orbit_voice.store.recordings import RecordingFiles
from orbit_voice.store.tables import call_events, deliveries

pytestmark = pytest.mark.anyio
HOOK = "https://hooks.example.com/voice"


async def count(store, table):
    query = sa.select(sa.func.count()).select_from(table)
    return await store.database.read(lambda connection: connection.scalar(query))


async def test_a_call_is_read_back_as_it_was_committed_after_a_restart(opened, make):
    async with opened() as world:
        call = make.call(
            world.ours, metadata={"a": 1, "b": "ü"}, sip_headers={"X-A": "b"}, webhook_url=HOOK
        )
        await world.store.journal.commit(make.first(call))
        now = call.created_at
        ended = replace(
            call,
            status=CallStatus.COMPLETED,
            ringing_at=now,
            answered_at=now,
            ended_at=now + timedelta(seconds=9),
            attempts=(Attempt("trk_1", now, now, 200, None),),
            media=MediaSummary(codec="PCMU", mos=4.3),
            hangup=Hangup(HangupBy.CALLEE, HangupCause.NORMAL_CLEARING, 200, "OK", "Done."),
            next_sequence=3,
        )
        entry = SipTraceEntry(now, True, "udp", "a:1", "b:2", "INVITE sip:b SIP/2.0", "INVITE …")
        await world.store.journal.commit(CallChange(ended, (make.event(call, 2),), False, (entry,)))
    async with opened() as world:
        assert await world.store.calls.get_call(world.ours, call.id) == ended
        assert await world.store.calls.sip_trace(world.ours, call.id) == [entry]
        page = await world.store.calls.list_events(world.ours, call.id, cursor=None, limit=9)
        assert [event.sequence for event in page.rows] == [1, 2]


async def test_another_organization_sees_nothing_of_a_call(opened, make):
    async with opened() as world:
        call = make.call(world.ours)
        await world.store.journal.commit(make.first(call))
        reads = world.store.calls
        assert await reads.get_call(world.theirs, call.id) is None
        assert await reads.sip_trace(world.theirs, call.id) == []
        events = await reads.list_events(world.theirs, call.id, cursor=None, limit=9)
        calls = await reads.list_calls(world.theirs, CallFilter(), cursor=None, limit=9)
        assert (events.total, calls.total) == (0, 0)


async def test_an_event_is_in_the_outbox_only_when_its_call_has_a_webhook(opened, make):
    async with opened() as world:
        told, untold = make.call(world.ours, webhook_url=HOOK), make.call(world.ours)
        await asyncio.gather(
            *(world.store.journal.commit(make.first(call)) for call in (told, untold))
        )
        assert await count(world.store, call_events) == 2
        assert await count(world.store, deliveries) == 1


async def test_a_change_that_fails_keeps_nothing_and_harms_no_other_of_its_batch(opened, make):
    async with opened(gather_s=0.05) as world:
        good = make.call(world.ours, webhook_url=HOOK)
        unmade = make.call(world.ours, webhook_url=HOOK)
        ownerless = make.call("org_nobody", webhook_url=HOOK)
        outcomes = await asyncio.gather(
            world.store.journal.commit(make.first(good)),
            world.store.journal.commit(CallChange(unmade, (make.event(unmade, 1),))),
            world.store.journal.commit(make.first(ownerless)),
            return_exceptions=True,
        )
        assert outcomes[0] is None
        assert isinstance(outcomes[1], StoreCorruptError)
        assert isinstance(outcomes[2], sa.exc.IntegrityError)
        assert await count(world.store, call_events) == 1
        assert await count(world.store, deliveries) == 1


async def test_committing_a_change_twice_does_no_harm(opened, make):
    async with opened() as world:
        change = make.first(make.call(world.ours, webhook_url=HOOK))
        await world.store.journal.commit(change)
        await world.store.journal.commit(change)
        assert await count(world.store, call_events) == 1
        assert await count(world.store, deliveries) == 1


async def test_changes_that_come_together_share_a_transaction(opened, make, monkeypatch):
    async with opened(gather_s=0.05) as world:
        units = []
        write = type(world.store.database).write

        async def counted(self, work, **options):
            units.append(work)
            return await write(self, work, **options)

        monkeypatch.setattr(type(world.store.database), "write", counted)
        changes = [make.first(make.call(world.ours)) for _ in range(100)]
        await asyncio.gather(*map(world.store.journal.commit, changes))
        assert len(units) == 1
        assert await count(world.store, call_events) == 100


async def test_the_listener_hears_of_destinations_after_they_are_durable(opened, make):
    async with opened() as world:
        heard = []
        world.store.journal.on_deliveries(heard.append)
        await world.store.journal.commit(make.first(make.call(world.ours)))
        assert heard == []
        await world.store.journal.commit(make.first(make.call(world.ours, webhook_url=HOOK)))
        assert heard == [{f"{world.ours} {HOOK}"}]
        assert set(await world.store.outbox.due()) == heard[0]


async def test_calls_without_an_end_are_found_after_a_restart(opened, make):
    async with opened() as world:
        later, earlier = make.call(world.ours, 5), make.call(world.theirs, 1)
        elsewhere = make.call(world.ours, node_id="node_2")
        over = make.call(world.ours, status=CallStatus.FAILED, ended_at=later.created_at)
        for call in (later, earlier, elsewhere, over):
            await world.store.journal.commit(make.first(call))
    async with opened() as world:
        assert await world.store.journal.open_calls("node_1") == [earlier, later]


async def test_pages_neither_repeat_nor_skip_a_call_while_calls_are_added(opened, make):
    async with opened() as world:
        # Seven calls of two moments: the ids decide within a moment.
        calls = [make.call(world.ours, second=index // 4) for index in range(7)]
        for call in calls:
            await world.store.journal.commit(make.first(call))
        seen, cursor = [], None
        while True:
            page = await world.store.calls.list_calls(
                world.ours, CallFilter(), cursor=cursor, limit=2
            )
            seen += [call.id for call in page.rows]
            cursor = page.cursor
            if cursor is None:
                break
            await world.store.journal.commit(make.first(make.call(world.ours, second=100)))
        newest_first = sorted(calls, key=lambda call: (call.created_at, call.id), reverse=True)
        assert seen == [call.id for call in newest_first]


async def test_a_cursor_of_another_list_or_of_nobody_is_refused(opened, make):
    async with opened() as world:
        for second in range(2):
            await world.store.journal.commit(make.first(make.call(world.ours, second)))
        page = await world.store.calls.list_calls(world.ours, CallFilter(), cursor=None, limit=1)
        for wrong in ("", "x", "ä", "A" * 1000, page.cursor[:-2], page.cursor + "A"):
            with pytest.raises(CallError) as refusal:
                await world.store.calls.list_calls(world.ours, CallFilter(), cursor=wrong, limit=1)
            assert refusal.value.code is ErrorCode.INVALID_CURSOR
        with pytest.raises(CallError):
            await world.store.trunks.list_trunks(world.ours, cursor=page.cursor, limit=1)


async def test_filters_choose_calls(opened, make):
    async with opened() as world:
        ours = world.ours
        base = make.call(ours, 0)
        busy = make.call(ours, 10, status=CallStatus.BUSY, ended_at=base.created_at)
        inbound = make.call(ours, 20, direction=Direction.INBOUND, from_="+33100000000")
        other = make.call(ours, 30, to="sip:bob@example.com")
        for call in (base, busy, inbound, other):
            await world.store.journal.commit(make.first(call))
        for where, expected in (
            (CallFilter(), [other, inbound, busy, base]),
            (CallFilter(status=CallStatus.BUSY), [busy]),
            (CallFilter(status=CallStatus.INITIATING), [other, inbound, base]),
            (CallFilter(direction=Direction.INBOUND), [inbound]),
            (CallFilter(from_="+33100000000"), [inbound]),
            (CallFilter(to="sip:bob@example.com"), [other]),
            (CallFilter(created_after=inbound.created_at), [other, inbound]),
            (CallFilter(created_before=inbound.created_at), [busy, base]),
            (CallFilter(status=CallStatus.BUSY, direction=Direction.INBOUND), []),
        ):
            page = await world.store.calls.list_calls(ours, where, cursor=None, limit=10)
            assert [call.id for call in page.rows] == [call.id for call in expected], where
            assert page.total == len(expected)


async def test_a_recording_is_found_once_it_is_finished_and_by_its_owner_alone(
    opened, make, tmp_path
):
    async with opened() as world:
        recording = Recording(new_recording_id(), RecordingStatus.RECORDING, "r/1.wav")
        call = make.call(world.ours, recording=recording)
        await world.store.journal.commit(make.first(call))
        files = RecordingFiles(world.store.recordings, tmp_path)
        assert await files.find_recording(world.ours, recording.id) is None
        done = replace(recording, status=RecordingStatus.COMPLETED, sha256="ab", channels=1)
        await world.store.journal.commit(CallChange(replace(call, recording=done)))
        found = await files.find_recording(world.ours, recording.id)
        assert (found.path, found.sha256) == (tmp_path / "r/1.wav", "ab")
        assert await files.find_recording(world.theirs, recording.id) is None
        assert not await world.store.recordings.delete_recording(world.theirs, recording.id)
        assert await world.store.recordings.delete_recording(world.ours, recording.id)
        assert (await world.store.calls.get_call(world.ours, call.id)).recording is None
