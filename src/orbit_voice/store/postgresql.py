"""PostgreSQL as a :class:`~orbit_voice.store.database.Database`, through asyncpg."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from orbit_voice.store.database import UNAVAILABLE, engine_options
from orbit_voice.store.errors import StoreUnavailableError

POOL_SIZE: Final = 8
"""Connections of one process: a group commit, the outbox, and pages for the API."""

T = TypeVar("T")


class PostgresqlDatabase:
    """A database on a PostgreSQL server.

    Args:
        url: ``postgresql://user:password@host:port/name``.
    """

    def __init__(self, url: sa.URL) -> None:
        self._engine = create_async_engine(
            url.set(drivername="postgresql+asyncpg"),
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_pre_ping=True,
            **engine_options(),
        )
        # A page and its total are two statements and must see the same rows.
        self._snapshots = self._engine.execution_options(isolation_level="REPEATABLE READ")

    @property
    def dialect(self) -> sa.Dialect:
        """The dialect to compile statements for."""
        return self._engine.dialect

    async def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Run ``work`` on one consistent snapshot; it must not write."""
        try:
            async with self._snapshots.begin() as connection:
                return await connection.run_sync(work)
        except (*UNAVAILABLE, OSError) as error:
            raise StoreUnavailableError(str(error)) from error

    async def write(self, work: Callable[[sa.Connection], T], *, durable: bool = True) -> T:
        """Run ``work`` in one transaction; return when it is committed."""
        try:
            async with self._engine.begin() as connection:
                if not durable:
                    await connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                return await connection.run_sync(work)
        except (*UNAVAILABLE, OSError) as error:
            raise StoreUnavailableError(str(error)) from error

    async def __aenter__(self) -> Self:
        await self.read(lambda connection: connection.exec_driver_sql("SELECT 1"))
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._engine.dispose()
