"""Phone numbers in the database: :class:`~orbit_voice.trunks.interfaces.NumberStore`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from orbit_voice.kit.errors import CallError, ErrorCode
from orbit_voice.kit.pages import Page
from orbit_voice.store.database import Database
from orbit_voice.store.keyset import Order, read_page
from orbit_voice.store.tables import numbers, trunks
from orbit_voice.trunks.records import Number, RoutingType

_NEWEST_FIRST = Order("numbers", numbers.c.created_at, numbers.c.id)


class Numbers:
    """Keeps phone numbers.

    Args:
        database: Where.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_number(self, number: Number) -> None:
        """Keep a new number; with ``is_default`` the organization's former default loses it.

        Raises:
            CallError: ``CONFLICT`` when the number is registered already; ``NOT_FOUND`` when
                ``trunk_id`` is no trunk of the organization.
        """
        await self._write(lambda connection: _create(connection, number), number)

    async def get_number(self, org_id: str, number_id: str) -> Number | None:
        """Return one number by its id, or None."""
        return await self._find(numbers.c.org_id == org_id, numbers.c.id == number_id)

    async def list_numbers(self, org_id: str, *, cursor: str | None, limit: int) -> Page[Number]:
        """Return one page, newest first.

        Raises:
            CallError: ``INVALID_CURSOR``.
        """
        query = sa.select(numbers).where(numbers.c.org_id == org_id)
        return await self._database.read(
            lambda connection: read_page(
                connection, query, _NEWEST_FIRST, cursor=cursor, limit=limit, decode=_read
            )
        )

    async def update_number(self, number: Number) -> bool:
        """Replace a number's row by ``number``; return False when there is none.

        Raises:
            CallError: as :meth:`create_number`.
        """
        return await self._write(lambda connection: _update(connection, number), number)

    async def delete_number(self, org_id: str, number_id: str) -> bool:
        """Delete a number; return False when there is none."""
        gone = numbers.delete().where(numbers.c.org_id == org_id, numbers.c.id == number_id)
        return await self._database.write(lambda connection: connection.execute(gone).rowcount == 1)

    async def find_number(self, org_id: str, number: str) -> Number | None:
        """Return the organization's number written ``number`` (E.164), or None."""
        return await self._find(numbers.c.org_id == org_id, numbers.c.number == number)

    async def inbound_number(self, number: str) -> Number | None:
        """Return whoever's number is written ``number`` (E.164): an inbound call names no owner."""
        return await self._find(numbers.c.number == number)

    async def default_number(self, org_id: str) -> Number | None:
        """Return the caller ID of calls that name none, or None."""
        return await self._find(numbers.c.org_id == org_id, numbers.c.is_default)

    async def _write(self, work: Callable[[sa.Connection], bool], number: Number) -> bool:
        try:
            return await self._database.write(work)
        except sa.exc.IntegrityError as error:  # somebody was quicker, after we had looked
            raise _conflict(number) from error

    async def _find(self, *conditions: sa.ColumnElement[bool]) -> Number | None:
        query = sa.select(numbers).where(*conditions)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else _read(row)


def _create(connection: sa.Connection, number: Number) -> bool:
    _check(connection, number)
    connection.execute(numbers.insert(), _row(number))
    return True


def _update(connection: sa.Connection, number: Number) -> bool:
    this = (numbers.c.org_id == number.org_id) & (numbers.c.id == number.id)
    if connection.scalar(sa.select(numbers.c.id).where(this)) is None:
        return False
    _check(connection, number)
    return connection.execute(numbers.update().where(this).values(_row(number))).rowcount == 1


def _check(connection: sa.Connection, number: Number) -> None:
    """Make room for ``number``, or say why it cannot be."""
    taken = sa.select(numbers.c.id).where(
        numbers.c.number == number.number, numbers.c.id != number.id
    )
    if connection.scalar(taken) is not None:
        raise _conflict(number)
    if number.trunk_id is not None:
        _check_trunk(connection, number)
    if number.is_default:
        others = (numbers.c.org_id == number.org_id) & (numbers.c.id != number.id)
        connection.execute(
            numbers.update().where(others, numbers.c.is_default).values(is_default=False)
        )


def _check_trunk(connection: sa.Connection, number: Number) -> None:
    trunk = sa.select(trunks.c.id).where(
        trunks.c.org_id == number.org_id, trunks.c.id == number.trunk_id
    )
    if connection.scalar(trunk) is None:
        details = {"field": "trunk_id", "value": number.trunk_id}
        raise CallError(ErrorCode.NOT_FOUND, details=details)


def _conflict(number: Number) -> CallError:
    return CallError(
        ErrorCode.CONFLICT,
        "This number is registered already. Release it where it is, then register it again.",
        details={"field": "number", "value": number.number, "state": "registered"},
    )


def _row(number: Number) -> dict[str, Any]:
    return {
        "id": number.id,
        "org_id": number.org_id,
        "number": number.number,
        "friendly_name": number.friendly_name,
        "trunk_id": number.trunk_id,
        "is_default": number.is_default,
        "routing": None if number.routing is None else number.routing.value,
        "webhook_url": number.webhook_url,
        "created_at": number.created_at,
        "updated_at": number.updated_at,
    }


def _read(row: sa.Row[Any]) -> Number:
    return Number(
        id=row.id,
        org_id=row.org_id,
        number=row.number,
        created_at=row.created_at,
        updated_at=row.updated_at,
        friendly_name=row.friendly_name,
        trunk_id=row.trunk_id,
        is_default=row.is_default,
        routing=None if row.routing is None else RoutingType(row.routing),
        webhook_url=row.webhook_url,
    )
