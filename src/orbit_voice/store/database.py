"""A database as the store sees it: units of work run in it, one hop each.

A unit of work is an ordinary function of a SQLAlchemy connection, so every query is written once.
Where it runs is the backend's matter: SQLite in threads of its own (one change of threads per unit,
where an asynchronous driver makes one per statement), PostgreSQL on the event loop through
SQLAlchemy's asynchronous engine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol, Self, TypeVar

import orjson
import sqlalchemy as sa

T = TypeVar("T")

UNAVAILABLE: Final = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)
"""What drivers raise when the database, not the statement, is at fault."""


class Database(Protocol):
    """Runs units of work. Entered before use; both methods raise ``StoreUnavailableError``.

    A unit that raises is rolled back, and what it raised is passed on.
    """

    @property
    def dialect(self) -> sa.Dialect:
        """The dialect to compile statements for."""

    async def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Run ``work`` on one consistent snapshot; it must not write."""

    async def write(self, work: Callable[[sa.Connection], T], *, durable: bool = True) -> T:
        """Run ``work`` in one transaction; return when it is committed.

        Args:
            work: Runs alone on SQLite, beside others on PostgreSQL.
            durable: True when the commit must survive a loss of power. False is for what may be
                done again, and then costs no wait for the disk. A crash of the process alone
                undoes neither.
        """

    async def __aenter__(self) -> Self:
        """Connect."""

    async def __aexit__(self, *exc_info: object) -> None:
        """Finish what runs and disconnect."""


def engine_options() -> dict[str, Any]:
    """Return what every SQLAlchemy engine of the store is made with."""
    return {
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": orjson.loads,
    }
