"""SQLite as a :class:`~orbit_voice.store.database.Database`.

Write-ahead log, ``synchronous=FULL``. In WAL mode ``NORMAL`` loses the last commits when the power
fails (the file stays sound); what an API answer, an INVITE or a webhook rests on must not be lost,
so units that ask to be durable pay one fsync, shared by all changes of a group commit.
``bench/store.py`` measures what that costs.

One connection writes, in one thread: SQLite allows one writer anyway, and waiting in our own queue
is fair where waiting for its lock is not. Reads run beside it on a few connections that cannot
write. Another process (``orbit-voice keys create`` beside a server) is waited for
:data:`BUSY_TIMEOUT_S`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import sqlalchemy as sa

from orbit_voice.store.database import UNAVAILABLE, engine_options
from orbit_voice.store.errors import StoreUnavailableError

BUSY_TIMEOUT_S: Final = 5.0
"""How long to wait for another process's lock."""
READERS: Final = 3
"""Connections that read. A page takes well under a millisecond; three let a slow count of a long
history not hold up the rest."""
LOG_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""The log's file is cut to this after a checkpoint, however long a reader had held it open."""
CACHE_KIBIBYTES: Final = 16_384
"""Page cache of a connection."""

T = TypeVar("T")


class SqliteDatabase:
    """A database file.

    Args:
        path: The file; it is made when missing, its directory is not.
    """

    def __init__(self, path: Path) -> None:
        self._writer = _Thread(path, workers=1, writes=True)
        self._readers = _Thread(path, workers=READERS, writes=False)

    @property
    def dialect(self) -> sa.Dialect:
        """The dialect to compile statements for."""
        return self._writer.engine.dialect

    async def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Run ``work`` on one consistent snapshot; it must not write."""
        return await self._readers.run(work)

    async def write(self, work: Callable[[sa.Connection], T], *, durable: bool = True) -> T:
        """Run ``work`` in one transaction; return when it is committed."""
        return await self._writer.run(work, synchronous="FULL" if durable else "NORMAL")

    async def __aenter__(self) -> Self:
        # The writer comes first: it makes the file and turns the log on.
        await self._writer.run(_touch)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._readers.close()
        await self._writer.close()


def _touch(connection: sa.Connection) -> None:
    connection.exec_driver_sql("SELECT 1")


class _Thread:
    """Threads with a connection each, and the units of work that wait for them."""

    def __init__(self, path: Path, *, workers: int, writes: bool) -> None:
        self.engine = _engine(path, writes=writes)
        self._executor = ThreadPoolExecutor(
            workers, thread_name_prefix="sqlite-writer" if writes else "sqlite-reader"
        )
        self._of_thread = threading.local()
        self._connections: list[sa.Connection] = []

    async def run(self, work: Callable[[sa.Connection], T], *, synchronous: str = "FULL") -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, self._transact, work, synchronous)
        except UNAVAILABLE as error:
            raise StoreUnavailableError(str(error.__cause__ or error)) from error

    async def close(self) -> None:
        await asyncio.to_thread(self._executor.shutdown, wait=True)
        for connection in self._connections:
            connection.close()
        self.engine.dispose()

    def _transact(self, work: Callable[[sa.Connection], T], synchronous: str) -> T:
        connection = self._connection()
        if self._of_thread.synchronous != synchronous:
            _driver(connection).execute(f"PRAGMA synchronous={synchronous}")
            self._of_thread.synchronous = synchronous
        with connection.begin():
            return work(connection)

    def _connection(self) -> sa.Connection:
        connection: sa.Connection | None = getattr(self._of_thread, "connection", None)
        if connection is None:
            connection = self.engine.connect()
            self._connections.append(connection)
            self._of_thread.connection = connection
            self._of_thread.synchronous = "FULL"
        return connection


def _driver(connection: sa.Connection) -> Any:
    return connection.connection.driver_connection


def _engine(path: Path, *, writes: bool) -> sa.Engine:
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        poolclass=sa.pool.NullPool,
        connect_args={
            "timeout": BUSY_TIMEOUT_S,
            "isolation_level": None,  # transactions are begun below, not guessed by the driver
            "check_same_thread": False,  # closed by the thread that closes the database
        },
        **engine_options(),
    )
    sa.event.listen(engine, "connect", _configure_writer if writes else _configure_reader)
    # A writer that began as a reader could not wait for another process: it would fail at once.
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _configure_writer(connection: Any, record: object) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA journal_size_limit={LOG_LIMIT_BYTES}")
    connection.execute(f"PRAGMA cache_size=-{CACHE_KIBIBYTES}")


def _configure_reader(connection: Any, record: object) -> None:
    connection.execute("PRAGMA query_only=ON")
    connection.execute(f"PRAGMA cache_size=-{CACHE_KIBIBYTES}")
