"""Reads of calls for the API: :class:`~orbit_voice.calls.interfaces.CallReader`."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from orbit_voice.calls.interfaces import CallFilter
from orbit_voice.calls.records import CallEvent, CallRecord
from orbit_voice.kit.pages import Page
from orbit_voice.signaling.trace import SipTraceEntry
from orbit_voice.store.call_rows import read_call, read_event, read_trace, select_calls
from orbit_voice.store.database import Database
from orbit_voice.store.keyset import Order, read_page
from orbit_voice.store.tables import call_events, call_sip_messages, calls

_NEWEST_FIRST = Order("calls", calls.c.created_at, calls.c.id)


class CallReads:
    """Reads calls, their timelines and their SIP messages.

    Args:
        database: Where.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get_call(self, org_id: str, call_id: str) -> CallRecord | None:
        """Return one call, or None."""
        query = select_calls().where(calls.c.org_id == org_id, calls.c.id == call_id)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else read_call(row)

    async def list_calls(
        self, org_id: str, where: CallFilter, *, cursor: str | None, limit: int
    ) -> Page[CallRecord]:
        """Return one page, newest first.

        Raises:
            CallError: ``INVALID_CURSOR``.
        """
        query = select_calls().where(calls.c.org_id == org_id, *_conditions(where))
        return await self._database.read(
            lambda connection: read_page(
                connection, query, _NEWEST_FIRST, cursor=cursor, limit=limit, decode=read_call
            )
        )

    async def list_events(
        self, org_id: str, call_id: str, *, cursor: str | None, limit: int
    ) -> Page[CallEvent]:
        """Return one page of a call's timeline, oldest first.

        Raises:
            CallError: ``INVALID_CURSOR``.
        """
        query = sa.select(call_events).where(
            call_events.c.org_id == org_id, call_events.c.call_id == call_id
        )
        order = Order(f"events:{call_id}", call_events.c.sequence, call_events.c.id, ascending=True)
        return await self._database.read(
            lambda connection: read_page(
                connection, query, order, cursor=cursor, limit=limit, decode=read_event
            )
        )

    async def sip_trace(self, org_id: str, call_id: str) -> list[SipTraceEntry]:
        """Return the SIP messages of an ended call, in order; none for any other."""
        query = sa.select(call_sip_messages.c.messages).where(
            call_sip_messages.c.org_id == org_id, call_sip_messages.c.call_id == call_id
        )
        messages = await self._database.read(lambda connection: connection.scalar(query))
        return [] if messages is None else read_trace(messages)


def _conditions(where: CallFilter) -> list[sa.ColumnElement[Any]]:
    conditions: list[sa.ColumnElement[Any]] = []
    if where.status is not None:
        conditions.append(calls.c.status == where.status.value)
        # Says to the database which of the two small indexes holds them all.
        ended = calls.c.ended_at
        conditions.append(ended.is_not(None) if where.status.is_end else ended.is_(None))
    if where.from_ is not None:
        conditions.append(calls.c.from_address == where.from_)
    if where.to is not None:
        conditions.append(calls.c.to_address == where.to)
    if where.direction is not None:
        conditions.append(calls.c.direction == where.direction.value)
    if where.created_after is not None:
        conditions.append(calls.c.created_at >= where.created_after)
    if where.created_before is not None:
        conditions.append(calls.c.created_at < where.created_before)
    return conditions
