"""Writes many calls' changes in one transaction: rows, timeline, outbox.

All of it or nothing: an event is in the outbox when, and only when, the call's row says that it
happened. Writing the same change twice does no harm, so a change whose outcome is unknown can be
committed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import orjson
import sqlalchemy as sa

from orbit_voice.calls.records import CallChange, CallEvent, CallRecord
from orbit_voice.kit.clock import iso_utc
from orbit_voice.kit.ids import IdPrefix
from orbit_voice.kit.outbox import DeliveryStatus, destination_of
from orbit_voice.store import call_rows
from orbit_voice.store.columns import json_text, to_micros
from orbit_voice.store.errors import StoreCorruptError
from orbit_voice.store.prepared import PreparedStatement, insert_new, upsert
from orbit_voice.store.tables import (
    call_events,
    call_sip_messages,
    calls,
    deliveries,
    recordings,
)

_RECORDING_IS_KEPT: Final = frozenset({"org_id", "call_id", "created_at"})

_WRITTEN: Final = (
    "id",
    "org_id",
    "event_id",
    "event_type",
    "stream",
    "position",
    "destination",
    "url",
    "body",
    "created_at",
    "status",
    "attempts",
    "claims",
)
"""Columns of a delivery that its INSERT sets to what it is given."""

_destination_of: Final = lru_cache(maxsize=1024)(destination_of)


class ChangeWriter:
    """The unit of work that writes changes.

    Args:
        dialect: Where it will run.
    """

    def __init__(self, dialect: sa.Dialect) -> None:
        self._insert_call = PreparedStatement(insert_new(calls, dialect), dialect)
        self._update_call = PreparedStatement(
            sa.update(calls).where(calls.c.id == sa.bindparam("call_id")),
            dialect,
            ["call_id", *call_rows.CHANGING],
        )
        self._insert_event = PreparedStatement(insert_new(call_events, dialect), dialect)
        self._insert_delivery = PreparedStatement(_insert_delivery(dialect), dialect)
        self._insert_trace = PreparedStatement(insert_new(call_sip_messages, dialect), dialect)
        self._write_recording = PreparedStatement(
            upsert(recordings, dialect, keep=_RECORDING_IS_KEPT), dialect
        )

    def write(
        self, connection: sa.Connection, changes: Sequence[CallChange], now: datetime
    ) -> None:
        """Write ``changes``, which are in the order in which they happened.

        Args:
            connection: In a transaction.
            changes: Of any calls.
            now: When recordings that are not there yet began to be known.

        Raises:
            StoreCorruptError: A change of a call that was never made.
            sqlalchemy.exc.IntegrityError: An organization that is not there, an event's sequence
                used twice …
        """
        self._write_calls(connection, changes)
        self._write_events(connection, changes)
        recorded = [change.call for change in changes if change.call.recording is not None]
        self._write_recording.execute(connection, _recording_rows(recorded, to_micros(now)))
        traces = [call_rows.trace_row(one.call, one.sip_trace) for one in changes if one.sip_trace]
        self._insert_trace.execute(connection, traces)

    def _write_calls(self, connection: sa.Connection, changes: Sequence[CallChange]) -> None:
        new = [call_rows.whole_row(change.call) for change in changes if change.is_new]
        self._insert_call.execute(connection, new)
        # Of several changes of one call in this transaction, the last tells all.
        latest = {change.call.id: change.call for change in changes if not change.is_new}
        rows = [call_rows.changing_row(call) for call in latest.values()]
        result = self._update_call.execute(connection, rows)
        # asyncpg counts no rows here (-1); there the events' foreign key tells.
        if result is not None and 0 <= result.rowcount < len(rows):
            raise StoreCorruptError("a change of a call that was never made")

    def _write_events(self, connection: sa.Connection, changes: Sequence[CallChange]) -> None:
        events: list[dict[str, Any]] = []
        outbox: list[dict[str, Any]] = []
        for change in changes:
            for event in change.events:
                data = json_text(event.data) or "{}"
                events.append(call_rows.event_row(event, data))
                if change.call.webhook_url is not None:
                    outbox.append(_delivery_row(change.call, event, data))
        self._insert_event.execute(connection, events)
        self._insert_delivery.execute(connection, outbox)


def destinations_of(changes: Sequence[CallChange]) -> set[str]:
    """Return the destinations that ``changes`` put deliveries in the outbox for."""
    return {
        _destination_of(change.call.org_id, change.call.webhook_url)
        for change in changes
        if change.events and change.call.webhook_url is not None
    }


def _recording_rows(recorded: Sequence[CallRecord], now: int) -> list[dict[str, Any]]:
    latest = {call.recording.id: call for call in recorded if call.recording is not None}
    return [
        call_rows.recording_row(call, call.recording, now)
        for call in latest.values()
        if call.recording is not None
    ]


def _delivery_row(call: CallRecord, event: CallEvent, data: str) -> dict[str, Any]:
    url = call.webhook_url or ""
    created_at = to_micros(event.created_at)
    return {
        # A call's own URL gets each event once, so the delivery can be named after the event.
        "new_id": IdPrefix.DELIVERY.value + event.id.removeprefix(IdPrefix.EVENT.value),
        "new_org_id": event.org_id,
        "new_event_id": event.id,
        "new_event_type": event.type,
        "new_stream": event.call_id,
        "new_position": event.sequence,
        "new_destination": _destination_of(event.org_id, url),
        "new_url": url,
        "new_body": _body(event, data),
        "new_created_at": created_at,
        "new_status": DeliveryStatus.PENDING.value,
        "new_attempts": 0,
        "new_claims": 0,
        "of_stream": event.call_id,
        "first_due_at": created_at,
    }


def _body(event: CallEvent, data: str) -> str:
    head = {"id": event.id, "type": event.type, "created_at": iso_utc(event.created_at)}
    return f'{orjson.dumps(head).decode()[:-1]},"data":{data}}}'


def _insert_delivery(dialect: sa.Dialect) -> sa.Executable:
    """Return the INSERT of a delivery; it is held back while its stream has an unsettled one."""
    earlier = deliveries.alias("earlier")
    unsettled = (
        sa.select(sa.literal_column("1"))
        .where(earlier.c.stream == sa.bindparam("of_stream"), earlier.c.settled_at.is_(None))
        # On PostgreSQL somebody may be settling that very row: wait for the outcome.
        .with_for_update(read=True)
        .exists()
    )
    first_due = sa.bindparam("first_due_at", type_=sa.BigInteger)
    values = {name: sa.bindparam(f"new_{name}", type_=deliveries.c[name].type) for name in _WRITTEN}
    return insert_new(deliveries, dialect).values(
        **values, due_at=sa.case((unsettled, sa.null()), else_=first_due)
    )
