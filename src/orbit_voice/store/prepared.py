"""Statements compiled once.

Executing a SQLAlchemy statement costs a cache look-up and a pass over every value; on the path that
every call takes four times that is most of the work. Here the text is made once from the same
tables, and rows go to the driver as they are: moments as microseconds, JSON as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.compiler import SQLCompiler


class PreparedStatement:
    """One statement for one dialect.

    Args:
        statement: Any statement; its parameters, but for constants, are named.
        dialect: Where it will run.
        columns: The parameters to insert or set; None means all of the table's columns.
    """

    def __init__(
        self, statement: sa.Executable, dialect: sa.Dialect, columns: list[str] | None = None
    ) -> None:
        compiled = cast(
            SQLCompiler,
            cast(sa.ClauseElement, statement).compile(dialect=dialect, column_keys=columns),
        )
        assert compiled.positiontup is not None, "both dialects number their parameters"
        self.text = str(compiled)
        self._names = compiled.positiontup
        # Constants in the statement (a LIMIT, SQLite's OFFSET 0) are parameters too.
        self._constants = {
            name: value for name, value in compiled.params.items() if value is not None
        }

    def execute(
        self, connection: sa.Connection, rows: Sequence[Mapping[str, Any]]
    ) -> sa.CursorResult[Any] | None:
        """Run it for every row; no rows, no statement.

        Args:
            connection: Where.
            rows: Values by parameter name, as the driver takes them.

        Returns:
            The result, whose ``rowcount`` is that of all rows together; None without rows.
        """
        if not rows:
            return None
        return connection.exec_driver_sql(self.text, [self._values(row) for row in rows])

    def query(self, connection: sa.Connection, **values: Any) -> sa.CursorResult[Any]:
        """Run it once and return its rows, whose values are as the driver gives them."""
        return connection.exec_driver_sql(self.text, self._values(values))

    def _values(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        if self._constants:
            row = {**self._constants, **row}
        return tuple([row[name] for name in self._names])


def insert_into(table: sa.Table, dialect: sa.Dialect) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that knows the dialect's ON CONFLICT."""
    return postgresql.insert(table) if dialect.name == "postgresql" else sqlite.insert(table)


def insert_new(table: sa.Table, dialect: sa.Dialect) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT into ``table`` that leaves a row alone whose primary key is there."""
    return insert_into(table, dialect).on_conflict_do_nothing(index_elements=_key(table))


def upsert(
    table: sa.Table, dialect: sa.Dialect, *, keep: frozenset[str]
) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that overwrites a row whose primary key is there, but for ``keep``."""
    insert = insert_into(table, dialect)
    changed = {
        column.name: insert.excluded[column.name]
        for column in table.columns
        if column.name not in keep and not column.primary_key
    }
    return insert.on_conflict_do_update(index_elements=_key(table), set_=changed)


def _key(table: sa.Table) -> list[str]:
    return [column.name for column in table.primary_key]
