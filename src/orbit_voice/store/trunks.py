"""Trunks in the database: :class:`~orbit_voice.trunks.interfaces.TrunkStore`."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.kit.pages import Page
from orbit_voice.store.database import Database
from orbit_voice.store.keyset import Order, read_page
from orbit_voice.store.sealing import Sealer
from orbit_voice.store.tables import calls, numbers, trunks
from orbit_voice.trunks.records import Encryption, Transport, Trunk

_NEWEST_FIRST = Order("trunks", trunks.c.created_at, trunks.c.id)
_BY_PREFERENCE = (trunks.c.priority, trunks.c.created_at, trunks.c.id)


class Trunks:
    """Keeps trunks, their passwords sealed.

    Args:
        database: Where.
        sealer: Seals and opens passwords.
    """

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    async def create_trunk(self, trunk: Trunk) -> None:
        """Keep a new trunk; return when it is durable."""
        row = self._row(trunk)
        await self._database.write(lambda connection: connection.execute(trunks.insert(), row))

    async def get_trunk(self, org_id: str, trunk_id: str) -> Trunk | None:
        """Return one trunk, or None."""
        query = sa.select(trunks).where(trunks.c.org_id == org_id, trunks.c.id == trunk_id)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else self._read(row)

    async def list_trunks(self, org_id: str, *, cursor: str | None, limit: int) -> Page[Trunk]:
        """Return one page, newest first.

        Raises:
            CallError: ``INVALID_CURSOR``.
        """
        query = sa.select(trunks).where(trunks.c.org_id == org_id)
        return await self._database.read(
            lambda connection: read_page(
                connection, query, _NEWEST_FIRST, cursor=cursor, limit=limit, decode=self._read
            )
        )

    async def update_trunk(self, trunk: Trunk) -> bool:
        """Replace a trunk's row by ``trunk``; return False when there is none."""
        change = (
            trunks.update()
            .where(trunks.c.org_id == trunk.org_id, trunks.c.id == trunk.id)
            .values(self._row(trunk))
        )
        return await self._database.write(
            lambda connection: connection.execute(change).rowcount == 1
        )

    async def delete_trunk(self, org_id: str, trunk_id: str) -> bool:
        """Delete a trunk; return False when there is none.

        Raises:
            CallError: ``RESOURCE_IN_USE`` while numbers name it (``details.numbers``) or calls on
                it have no end yet (``details.active_calls``).
        """
        try:
            return await self._database.write(
                lambda connection: _delete(connection, org_id, trunk_id)
            )
        except sa.exc.IntegrityError as error:  # a number took it up after we had looked
            raise CallError(ErrorCode.RESOURCE_IN_USE) from error

    async def enabled_trunks(self, org_id: str) -> list[Trunk]:
        """Return an organization's enabled trunks: lowest ``priority`` first, then oldest first."""
        query = sa.select(trunks).where(trunks.c.org_id == org_id, trunks.c.enabled)
        return await self._read_all(query.order_by(*_BY_PREFERENCE))

    async def all_enabled_trunks(self) -> list[Trunk]:
        """Return every organization's enabled trunks: whose carrier may be calling us."""
        query = sa.select(trunks).where(trunks.c.enabled)
        return await self._read_all(query.order_by(*_BY_PREFERENCE))

    async def _read_all(self, query: sa.Select[Any]) -> list[Trunk]:
        return await self._database.read(
            lambda connection: [self._read(row) for row in connection.execute(query)]
        )

    def _row(self, trunk: Trunk) -> dict[str, Any]:
        password = trunk.password
        if password is not None:
            password = self._sealer.seal(password, place=_place(trunk.id))
        return {
            "id": trunk.id,
            "org_id": trunk.org_id,
            "name": trunk.name,
            "outbound_uri": trunk.outbound_uri,
            "inbound_uris": list(trunk.inbound_uris),
            "username": trunk.username,
            "password": password,
            "realm": trunk.realm,
            "codecs": list(trunk.codecs),
            "encryption": trunk.encryption.value,
            "transport": trunk.transport.value,
            "priority": trunk.priority,
            "enabled": trunk.enabled,
            "created_at": trunk.created_at,
            "updated_at": trunk.updated_at,
        }

    def _read(self, row: sa.Row[Any]) -> Trunk:
        password = row.password
        if password is not None:
            password = self._sealer.open(password, place=_place(row.id))
        return Trunk(
            id=row.id,
            org_id=row.org_id,
            name=row.name,
            outbound_uri=row.outbound_uri,
            created_at=row.created_at,
            updated_at=row.updated_at,
            inbound_uris=tuple(row.inbound_uris),
            username=row.username,
            password=password,
            realm=row.realm,
            codecs=tuple(row.codecs),
            encryption=Encryption(row.encryption),
            transport=Transport(row.transport),
            priority=row.priority,
            enabled=row.enabled,
        )


def _place(trunk_id: str) -> str:
    return f"trunks/{trunk_id}/password"


def _delete(connection: sa.Connection, org_id: str, trunk_id: str) -> bool:
    named_by = list(
        connection.scalars(
            sa.select(numbers.c.number).where(
                numbers.c.org_id == org_id, numbers.c.trunk_id == trunk_id
            )
        )
    )
    active = connection.scalar(
        sa.select(sa.func.count()).where(
            calls.c.org_id == org_id, calls.c.ended_at.is_(None), calls.c.trunk_id == trunk_id
        )
    )
    if named_by or active:
        details = {"numbers": named_by, "active_calls": active}
        raise CallError(ErrorCode.RESOURCE_IN_USE, details=details)
    gone = trunks.delete().where(trunks.c.org_id == org_id, trunks.c.id == trunk_id)
    return connection.execute(gone).rowcount == 1
