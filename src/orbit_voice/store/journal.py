"""The durable memory of calls: :class:`~orbit_voice.calls.interfaces.CallJournal`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Self

import sqlalchemy as sa

from orbit_voice.calls.records import CallChange, CallRecord
from orbit_voice.kit.clock import utc_now
from orbit_voice.store.call_rows import read_call, select_calls
from orbit_voice.store.changes import ChangeWriter, destinations_of
from orbit_voice.store.database import Database
from orbit_voice.store.group_commit import GATHER_S, GroupCommit
from orbit_voice.store.tables import calls


class Journal(AbstractAsyncContextManager["Journal"]):
    """Commits changes of calls, many in one transaction. An async context manager.

    Args:
        database: Where.
        gather_s: How long a change waits for others to share its transaction.
        clock: Says when a recording first became known.
    """

    def __init__(
        self,
        database: Database,
        *,
        gather_s: float = GATHER_S,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._clock = clock
        self._changes = ChangeWriter(database.dialect)
        self._group = GroupCommit(self._write, gather_s=gather_s)
        self._listener: Callable[[set[str]], None] = _nobody

    def on_deliveries(self, listener: Callable[[set[str]], None]) -> None:
        """Have ``listener`` told, after each commit, which destinations have something new."""
        self._listener = listener

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._group.__aexit__(None, None, None)

    async def commit(self, change: CallChange) -> None:
        """Write one change; return when it is durable.

        Changes of one call are committed in the order of the calls to this method. The same change
        may be committed again when the outcome of the first time is not known.

        Raises:
            StoreUnavailableError: The database cannot write now; nothing was kept.
            StoreCorruptError: A change of a call whose first change was never committed.
        """
        await self._group.commit(change)

    async def open_calls(self, node_id: str) -> list[CallRecord]:
        """Return this node's calls that have no end yet, oldest first (after a crash)."""
        return await self._database.read(lambda connection: _open_calls(connection, node_id))

    async def _write(self, changes: Sequence[CallChange]) -> None:
        now = self._clock()
        await self._database.write(lambda connection: self._changes.write(connection, changes, now))
        if destinations := destinations_of(changes):
            self._listener(destinations)


def _nobody(destinations: set[str]) -> None:
    """Nobody delivers in this process; who does looks into the outbox from time to time."""


def _open_calls(connection: sa.Connection, node_id: str) -> list[CallRecord]:
    rows = select_calls().where(calls.c.ended_at.is_(None), calls.c.node_id == node_id)
    found = connection.execute(rows.order_by(calls.c.created_at, calls.c.id))
    return [read_call(row) for row in found]
