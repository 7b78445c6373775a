from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

pytestmark = pytest.mark.anyio

WRITER = """
import asyncio, sys
from dataclasses import replace
from orbit_voice.calls.records import CallChange, CallEvent, CallRecord, CallStatus, Direction
from orbit_voice.kit.clock import utc_now
from orbit_voice.kit.ids import new_call_id, new_event_id
from orbit_voice.store.sealing import Sealer, SecretKey
from orbit_voice.store.store import open_store

async def one(journal, org_id):
    call = CallRecord(new_call_id(), org_id, "node_1", Direction.OUTBOUND, None, "+14155550123",
                      CallStatus.RINGING, utc_now(), webhook_url="https://h.example.com/")
    for sequence in range(1, 6):
        data = {"call_id": call.id, "sequence": sequence}
        event = CallEvent(new_event_id(), call.id, org_id, sequence, "call.x", utc_now(), data)
        call = replace(call, next_sequence=sequence + 1)
        await journal.commit(CallChange(call, (event,), is_new=sequence == 1))
        print(event.id, flush=True)

async def main():
    sealer = Sealer(SecretKey("a key for tests, long enough"))
    async with open_store(sys.argv[1], sealer, node_id="node_1") as store:
        org = await store.organizations.create_organization("org", utc_now())
        while True:
            await asyncio.gather(*(one(store.journal, org.id) for _ in range(20)))

asyncio.run(main())
"""


def kill_after(lines: int, url: str) -> list[str]:
    """Kill a writing process once it told of ``lines`` events; return their ids."""
    with subprocess.Popen([sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE) as writer:
        told = [writer.stdout.readline().decode().strip() for _ in range(lines)]
        os.kill(writer.pid, signal.SIGKILL)
    return told


@pytest.mark.parametrize("lines", [7, 60, 333])
async def test_a_killed_process_leaves_whole_units_and_all_it_told_of(tmp_path, opened, lines):
    url = f"sqlite:///{tmp_path}/v.db"
    told = kill_after(lines, url)
    with closing(sqlite3.connect(tmp_path / "v.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        kept = {row[0] for row in database.execute("SELECT id FROM call_events")}
        in_outbox = {row[0] for row in database.execute("SELECT event_id FROM deliveries")}
        calls = database.execute(
            "SELECT next_sequence - 1, (SELECT count(*) FROM call_events WHERE call_id = calls.id),"
            " (SELECT max(sequence) FROM call_events WHERE call_id = calls.id) FROM calls"
        ).fetchall()
    assert all(told)
    assert kept.issuperset(told)
    assert kept == in_outbox
    assert {len(set(row)) for row in calls} == {1}
    async with opened() as world:
        assert len(await world.store.journal.open_calls("node_1")) == len(calls)
