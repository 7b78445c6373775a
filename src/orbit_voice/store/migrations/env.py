"""Run by Alembic: migrates on the connection that `orbit_voice.store.schema` hands over."""

from __future__ import annotations

from alembic import context

from orbit_voice.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # The connection is in a transaction; all migrations of a start are kept, or none.
    transactional_ddl=True,
    transaction_per_migration=False,
)
context.run_migrations()
