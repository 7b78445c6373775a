"""The outbox: what the webhook engine claims and settles.

A claim pushes ``due_at`` to the moment it lapses and counts ``claims`` up. So a claim needs no
cleaner: whoever holds one and dies is overtaken by time, and a settlement that comes late, after
somebody else claimed the row again, does not match the count and changes nothing.

Claims and settlements are not written durably: after a loss of power an event may be delivered
again, under the same id, which receivers must expect anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from orbit_voice.kit.outbox import Delivery, DeliveryStatus, Exchange, Settlement
from orbit_voice.kit.pages import Page
from orbit_voice.store import outbox_statements as statements
from orbit_voice.store.columns import from_micros, optional_micros, to_micros
from orbit_voice.store.database import Database
from orbit_voice.store.keyset import Order, read_page
from orbit_voice.store.organizations import secret_place
from orbit_voice.store.prepared import PreparedStatement
from orbit_voice.store.sealing import Sealer
from orbit_voice.store.tables import deliveries

_NEWEST_FIRST = Order("deliveries", deliveries.c.created_at, deliveries.c.id)


@dataclass(frozen=True, slots=True)
class KeptDelivery:
    """A delivery as the API shows it.

    Attributes:
        id: ``dlv_…``.
        event_id: ``evt_…``.
        event_type: ``call.answered`` …
        url: Where it goes.
        status: Where it stands.
        attempts: Attempts that ended.
        created_at: When the event happened.
        due_at: When it is tried next; None when settled or held back by an earlier one.
        settled_at: When it was delivered or given up.
        last_attempt_at: When the latest attempt ended.
        last_status: The receiver's HTTP status then, or None.
        last_error: Why that was no success.
        excerpt: The beginning of the answer's body.
    """

    id: str
    event_id: str
    event_type: str
    url: str
    status: DeliveryStatus
    attempts: int
    created_at: datetime
    due_at: datetime | None
    settled_at: datetime | None
    last_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None
    excerpt: str | None


class Outbox:
    """Hands deliveries out and takes their outcomes back.

    Args:
        database: Where.
        sealer: Opens the secrets that sign.
        node_id: Who claims.
    """

    def __init__(self, database: Database, sealer: Sealer, *, node_id: str) -> None:
        self._database = database
        self._node_id = node_id
        self._open = lru_cache(maxsize=1024)(sealer.open)
        dialect = database.dialect
        self._claim = PreparedStatement(statements.claim(), dialect)
        self._next_due = PreparedStatement(statements.next_due(), dialect)
        self._settle = PreparedStatement(statements.settle(), dialect)
        self._promote = PreparedStatement(statements.promote(), dialect)
        self._signing_secret = PreparedStatement(statements.signing_secret(), dialect)

    async def release(self, now: datetime) -> None:
        """Give back what this node claimed and did not settle: it is due at once.

        To be called while nobody delivers for this node: at its start, and after its end.
        """
        mine = deliveries.c.due_at.is_not(None) & (deliveries.c.claimed_by == self._node_id)
        back = deliveries.update().where(mine).values(claimed_by=None, due_at=now)
        await self._database.write(lambda connection: connection.execute(back), durable=False)

    async def due(self) -> Mapping[str, datetime]:
        """Return every destination with something to send, and when the first of it is due.

        What somebody else has claimed counts as due when the claim lapses.
        """
        query = (
            sa.select(deliveries.c.destination, sa.func.min(deliveries.c.due_at).label("due_at"))
            .where(deliveries.c.due_at.is_not(None))
            .group_by(deliveries.c.destination)
        )
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return {row.destination: row.due_at for row in rows}

    async def exchange(
        self,
        settlements: Sequence[Settlement],
        wanted: Mapping[str, int],
        *,
        now: datetime,
        lease_s: float,
    ) -> Exchange:
        """Settle attempts and claim new deliveries, in one transaction.

        Args:
            settlements: Of attempts that ended; one whose claim was overtaken has no effect.
            wanted: Destinations, and how many deliveries to claim for each at most.
            now: What is due by then is claimed.
            lease_s: How long the claims hold.
        """
        now_at = to_micros(now)
        lapses_at = to_micros(now + timedelta(seconds=lease_s))
        return await self._database.write(
            lambda connection: self._exchange(connection, settlements, wanted, now_at, lapses_at),
            durable=False,
        )

    async def list_deliveries(
        self, org_id: str, *, cursor: str | None, limit: int
    ) -> Page[KeptDelivery]:
        """Return one page, newest first.

        Raises:
            CallError: ``INVALID_CURSOR``.
        """
        query = sa.select(deliveries).where(deliveries.c.org_id == org_id)
        return await self._database.read(
            lambda connection: read_page(
                connection, query, _NEWEST_FIRST, cursor=cursor, limit=limit, decode=_read_kept
            )
        )

    def _exchange(
        self,
        connection: sa.Connection,
        settlements: Sequence[Settlement],
        wanted: Mapping[str, int],
        now_at: int,
        lapses_at: int,
    ) -> Exchange:
        self._settle.execute(connection, [_settlement_row(one) for one in settlements])
        final = (one for one in settlements if one.status is not DeliveryStatus.PENDING)
        settled = [{"delivery": one.delivery_id, "now_at": now_at} for one in final]
        self._promote.execute(connection, settled)
        claimed: list[Delivery] = []
        next_due: dict[str, datetime | None] = {}
        for lane, limit in wanted.items():
            claimed += self._claim_lane(connection, lane, limit, now_at, lapses_at)
            due_at = self._next_due.query(connection, lane=lane).scalar()
            next_due[lane] = None if due_at is None else from_micros(due_at)
        return Exchange(tuple(claimed), next_due)

    def _claim_lane(
        self, connection: sa.Connection, lane: str, limit: int, now_at: int, lapses_at: int
    ) -> list[Delivery]:
        rows = self._claim.query(
            connection,
            lane=lane,
            wanted=limit,
            now_at=now_at,
            lapses_at=lapses_at,
            node=self._node_id,
        ).all()
        if not rows:
            return []
        secret = self._secret(connection, rows[0].org_id)  # a lane is one organization's
        oldest_first = sorted(rows, key=lambda row: (row.created_at, row.id))
        return [_read_claimed(row, lane, secret) for row in oldest_first]

    def _secret(self, connection: sa.Connection, org_id: str) -> str:
        sealed = self._signing_secret.query(connection, organization=org_id).scalar_one()
        return self._open(sealed, place=secret_place(org_id))


def _settlement_row(settlement: Settlement) -> dict[str, Any]:
    is_final = settlement.status is not DeliveryStatus.PENDING
    at = to_micros(settlement.at)
    return {
        "delivery": settlement.delivery_id,
        "claim": settlement.claim,
        "new_status": settlement.status.value,
        "new_due_at": optional_micros(settlement.due_at),
        "new_settled_at": at if is_final else None,
        "attempt_at": at,
        "http_status": settlement.http_status,
        "error": settlement.error,
        "answer": settlement.excerpt,
    }


def _read_claimed(row: sa.Row[Any], lane: str, secret: str) -> Delivery:
    return Delivery(
        id=row.id,
        claim=row.claims,
        destination=lane,
        url=row.url,
        event_id=row.event_id,
        event_type=row.event_type,
        body=row.body.encode(),
        secret=secret,
        attempts=row.attempts,
    )


def _read_kept(row: sa.Row[Any]) -> KeptDelivery:
    return KeptDelivery(
        id=row.id,
        event_id=row.event_id,
        event_type=row.event_type,
        url=row.url,
        status=DeliveryStatus(row.status),
        attempts=row.attempts,
        created_at=row.created_at,
        due_at=row.due_at,
        settled_at=row.settled_at,
        last_attempt_at=row.last_attempt_at,
        last_status=row.last_status,
        last_error=row.last_error,
        excerpt=row.excerpt,
    )
