"""Organizations: who owns rows, and the secret that signs an organization's webhooks."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from orbit_voice.kit.ids import new_organization_id
from orbit_voice.store.database import Database
from orbit_voice.store.sealing import Sealer
from orbit_voice.store.tables import organizations

SECRET_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Organization:
    """An owner of calls, trunks, numbers, keys.

    Attributes:
        id: ``org_…``.
        name: For people.
        created_at: When it was made.
        signing_secret: ``whsec_…``; signs webhooks that name no secret of their own.
    """

    id: str
    name: str
    created_at: datetime
    signing_secret: str

    def __repr__(self) -> str:
        return f"Organization(id={self.id!r}, name={self.name!r})"


class Organizations:
    """Keeps organizations, their secrets sealed.

    Args:
        database: Where.
        sealer: Seals and opens the secrets.
    """

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def create_organization(self, name: str, now: datetime) -> Organization:
        """Make an organization with a fresh signing secret."""
        made = new_organization(name, now)
        await self._database.write(
            lambda connection: insert_organization(connection, made, self._sealer)
        )
        return made

    async def get_organization(self, org_id: str) -> Organization | None:
        """Return one organization, or None."""
        query = sa.select(organizations).where(organizations.c.id == org_id)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else read_organization(row, self._sealer)

    async def list_organizations(self) -> list[Organization]:
        """Return every organization, oldest first."""
        query = sa.select(organizations).order_by(organizations.c.created_at, organizations.c.id)
        return await self._database.read(
            lambda connection: [
                read_organization(row, self._sealer) for row in connection.execute(query)
            ]
        )


def new_organization(name: str, now: datetime) -> Organization:
    """Return an organization that is not kept yet."""
    secret = SECRET_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    return Organization(new_organization_id(), name, now, secret)


def insert_organization(
    connection: sa.Connection, organization: Organization, sealer: Sealer
) -> None:
    """Keep ``organization``."""
    sealed = sealer.seal(organization.signing_secret, place=secret_place(organization.id))
    connection.execute(
        organizations.insert(),
        {
            "id": organization.id,
            "name": organization.name,
            "created_at": organization.created_at,
            "signing_secret": sealed,
        },
    )


def read_organization(row: sa.Row[Any], sealer: Sealer) -> Organization:
    """Make an organization of its row."""
    secret = sealer.open(row.signing_secret, place=secret_place(row.id))
    return Organization(row.id, row.name, row.created_at, secret)


def secret_place(org_id: str) -> str:
    """Return where an organization's signing secret belongs, for the sealer."""
    return f"organizations/{org_id}/signing_secret"
