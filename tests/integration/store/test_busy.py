from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import pytest

from orbit_voice.store import sqlite
from orbit_voice.store.errors import StoreUnavailableError

pytestmark = pytest.mark.anyio


async def test_a_writer_waits_for_another_process_and_then_writes(opened, make, tmp_path):
    async with opened() as world:
        with closing(sqlite3.connect(tmp_path / "v.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            trunk = make.trunk(world.ours)
            waiting = asyncio.create_task(world.store.trunks.create_trunk(trunk))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            # Reads go on while it waits.
            assert await world.store.trunks.get_trunk(world.ours, trunk.id) is None
            other.execute("COMMIT")
            await waiting
        assert await world.store.trunks.get_trunk(world.ours, trunk.id) == trunk


async def test_a_database_that_stays_locked_is_unavailable_and_keeps_nothing(
    opened, make, tmp_path, monkeypatch
):
    async with opened():
        pass  # make the file and its organizations before it is locked
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.05)
    async with opened() as world:
        with closing(sqlite3.connect(tmp_path / "v.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            call = make.call(world.ours)
            with pytest.raises(StoreUnavailableError):
                await world.store.journal.commit(make.first(call))
            other.execute("ROLLBACK")
        assert await world.store.calls.get_call(world.ours, call.id) is None
        await world.store.journal.commit(make.first(call))
        assert await world.store.calls.get_call(world.ours, call.id) == call
