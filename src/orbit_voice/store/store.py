"""The store, whole: one database and everything that is kept in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from orbit_voice.kit.clock import utc_now
from orbit_voice.store.api_keys import ApiKeys
from orbit_voice.store.calls import CallReads
from orbit_voice.store.database import Database
from orbit_voice.store.group_commit import GATHER_S
from orbit_voice.store.journal import Journal
from orbit_voice.store.numbers import Numbers
from orbit_voice.store.organizations import Organizations
from orbit_voice.store.outbox import Outbox
from orbit_voice.store.postgresql import PostgresqlDatabase
from orbit_voice.store.recordings import Recordings
from orbit_voice.store.schema import migrate
from orbit_voice.store.sealing import Sealer
from orbit_voice.store.sqlite import SqliteDatabase
from orbit_voice.store.trunks import Trunks


@dataclass(frozen=True, slots=True)
class Store:
    """Everything that is kept. Made by :func:`open_store`."""

    database: Database
    journal: Journal
    calls: CallReads
    recordings: Recordings
    trunks: Trunks
    numbers: Numbers
    organizations: Organizations
    api_keys: ApiKeys
    outbox: Outbox


@asynccontextmanager
async def open_store(
    url: str,
    sealer: Sealer,
    *,
    node_id: str,
    gather_s: float = GATHER_S,
    clock: Callable[[], datetime] = utc_now,
) -> AsyncIterator[Store]:
    """Open the database, bring it to the newest form, and take changes until left.

    Args:
        url: ``ORBIT_DATABASE_URL``; see :func:`database_at`.
        sealer: Seals and opens the secrets in it.
        node_id: Who we are; stays the same over restarts.
        gather_s: How long a change of a call waits for others to share its transaction.
        clock: UTC.

    Raises:
        StoreUnavailableError: The database cannot be reached.
        SchemaError: A newer version of this program made it.
        ValueError: ``url`` names no database that can be used.
    """
    async with database_at(url) as database:
        await migrate(database)
        async with Journal(database, gather_s=gather_s, clock=clock) as journal:
            yield Store(
                database=database,
                journal=journal,
                calls=CallReads(database),
                recordings=Recordings(database),
                trunks=Trunks(database, sealer),
                numbers=Numbers(database),
                organizations=Organizations(database, sealer),
                api_keys=ApiKeys(database),
                outbox=Outbox(database, sealer, node_id=node_id),
            )


def database_at(url: str) -> Database:
    """Return the database at ``url``, to be entered.

    Args:
        url: ``sqlite:///relative/path``, ``sqlite:////absolute/path`` or ``postgresql://…``. A
            driver named in the scheme (``sqlite+aiosqlite``) is accepted and changes nothing.

    Raises:
        ValueError: Another kind of database, or SQLite without a file.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise ValueError("the database URL is not of the form scheme://…") from error
    match parsed.get_backend_name():
        case "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise ValueError("SQLite needs a file: what is in memory survives nothing")
            return SqliteDatabase(Path(parsed.database))
        case "postgresql":
            return PostgresqlDatabase(parsed)
        case other:
            raise ValueError(f"{other} is no database this program knows: sqlite or postgresql")
