"""Brings a database to the form this program expects (Alembic, ``store/migrations``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from orbit_voice.store.database import Database
from orbit_voice.store.errors import SchemaError
from orbit_voice.store.tables import metadata

_DIRECTORY: Final = Path(__file__).parent / "migrations"
_POSTGRESQL_LOCK: Final = 0x4F52_4249_54
"""Advisory lock held while migrating, so that nodes that start together take turns."""


async def migrate(database: Database) -> tuple[str | None, str]:
    """Bring ``database`` to the newest revision, in one transaction.

    Returns:
        The revision before (None: it was empty) and after.

    Raises:
        SchemaError: A newer version of this program made the database.
    """
    return await database.write(_migrate)


async def schema_differences(database: Database) -> list[Any]:
    """Return what Alembic finds different between ``database`` and the tables in code."""
    return await database.read(
        lambda connection: compare_metadata(MigrationContext.configure(connection), metadata)
    )


def _migrate(connection: sa.Connection) -> tuple[str | None, str]:
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_POSTGRESQL_LOCK)))
    config = Config()
    config.set_main_option("script_location", str(_DIRECTORY).replace("%", "%%"))
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    head = scripts.get_current_head()
    assert head is not None, "there is a first migration"
    before = MigrationContext.configure(connection).get_current_revision()
    if before is not None and before not in {
        script.revision for script in scripts.walk_revisions()
    }:
        raise SchemaError(
            f"the database is at revision {before}, which this version does not know: "
            "run the version that made it, or a newer one"
        )
    if before != head:
        command.upgrade(config, "head")
    return before, head
