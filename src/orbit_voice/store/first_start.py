"""What a new installation needs before anybody can ask it anything: an owner and a key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from orbit_voice.store.api_keys import (
    ALL_SCOPES,
    Mode,
    describe_key,
    hash_key,
    insert_key,
    new_key_text,
)
from orbit_voice.store.database import Database
from orbit_voice.store.organizations import insert_organization, new_organization
from orbit_voice.store.sealing import Sealer
from orbit_voice.store.tables import api_keys, organizations

DEFAULT_ORGANIZATION: Final = "default"
"""Name of the organization that the first start makes."""


@dataclass(frozen=True, slots=True)
class FirstStart:
    """Who may ask, after a start.

    Attributes:
        org_id: The first organization.
        is_first: True when it was made just now.
        new_key: Text of a key made just now, to be shown once; None when one was given or exists.
    """

    org_id: str
    is_first: bool
    new_key: str | None

    def __repr__(self) -> str:
        return f"FirstStart(org_id={self.org_id!r}, is_first={self.is_first})"


async def prepare_first_start(
    database: Database, sealer: Sealer, *, bootstrap_key: str | None, now: datetime
) -> FirstStart:
    """Make the first organization, its signing secret and a key, unless they are there.

    Args:
        database: Migrated.
        sealer: Seals the signing secret.
        bootstrap_key: ``ORBIT_BOOTSTRAP_API_KEY``: accepted from now on, with every scope. None:
            the first start makes a key of its own.
        now: The present moment.
    """
    return await database.write(lambda connection: _prepare(connection, sealer, bootstrap_key, now))


def _prepare(
    connection: sa.Connection, sealer: Sealer, bootstrap_key: str | None, now: datetime
) -> FirstStart:
    oldest = sa.select(organizations.c.id).order_by(organizations.c.created_at, organizations.c.id)
    org_id: str | None = connection.scalar(oldest.limit(1))
    is_first = org_id is None
    if org_id is None:
        made = new_organization(DEFAULT_ORGANIZATION, now)
        insert_organization(connection, made, sealer)
        org_id = made.id
    if bootstrap_key is not None:
        _accept(connection, bootstrap_key, org_id, "bootstrap", now)
        return FirstStart(org_id, is_first, None)
    if not is_first:
        return FirstStart(org_id, is_first, None)
    text = new_key_text(Mode.LIVE)
    _accept(connection, text, org_id, "first start", now)
    return FirstStart(org_id, is_first, text)


def _accept(connection: sa.Connection, text: str, org_id: str, name: str, now: datetime) -> None:
    known = sa.select(api_keys.c.id).where(api_keys.c.sha256 == hash_key(text))
    if connection.scalar(known) is None:
        key = describe_key(text, org_id, name, scopes=ALL_SCOPES, now=now)
        insert_key(connection, key, text)
