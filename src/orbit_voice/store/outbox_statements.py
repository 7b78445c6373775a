"""The outbox's statements (see :data:`orbit_voice.store.tables.deliveries` for the states).

Parameters have names that no column has, as SQLAlchemy asks.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from orbit_voice.store.tables import deliveries, organizations


def _number(name: str) -> sa.BindParameter[int]:
    return sa.bindparam(name, type_=sa.BigInteger)


def _text(name: str) -> sa.BindParameter[str]:
    return sa.bindparam(name, type_=sa.String)


def claim() -> sa.Update:
    """Claim up to ``wanted`` deliveries for ``lane`` that are due by ``now_at``.

    Until ``lapses_at`` they are ``node``'s. Returns what is needed to send them.
    """
    candidate = deliveries.alias("candidate")
    due = (
        sa.select(candidate.c.id)
        .where(candidate.c.destination == _text("lane"), candidate.c.due_at <= _number("now_at"))
        .order_by(candidate.c.due_at)
        .limit(_number("wanted"))
        .with_for_update(skip_locked=True)
    )
    returned = deliveries.c
    return (
        sa.update(deliveries)
        .where(deliveries.c.id.in_(due))
        .values(
            due_at=_number("lapses_at"), claimed_by=_text("node"), claims=deliveries.c.claims + 1
        )
        .returning(
            returned.id,
            returned.org_id,
            returned.claims,
            returned.url,
            returned.event_id,
            returned.event_type,
            returned.body,
            returned.attempts,
            returned.created_at,
        )
    )


def next_due() -> sa.Select[Any]:
    """Select when the next delivery for ``lane`` that nobody has claimed is due."""
    lane = deliveries.c.destination == _text("lane")
    return (
        sa.select(deliveries.c.due_at)
        .where(lane, deliveries.c.due_at.is_not(None), deliveries.c.claimed_by.is_(None))
        .order_by(deliveries.c.due_at)
        .limit(1)
    )


def settle() -> sa.Update:
    """Write down how an attempt of ``delivery`` under ``claim`` went, once."""
    this = (deliveries.c.id == _text("delivery")) & (deliveries.c.claims == _number("claim"))
    return (
        sa.update(deliveries)
        .where(this, deliveries.c.claimed_by.is_not(None), deliveries.c.settled_at.is_(None))
        .values(
            status=_text("new_status"),
            due_at=_number("new_due_at"),
            settled_at=_number("new_settled_at"),
            claimed_by=sa.null(),
            attempts=deliveries.c.attempts + 1,
            last_attempt_at=_number("attempt_at"),
            last_status=_number("http_status"),
            last_error=_text("error"),
            excerpt=_text("answer"),
        )
    )


def promote() -> sa.Update:
    """Let the next delivery of ``delivery``'s stream come up at ``now_at``, if it is held back."""
    settled = deliveries.alias("settled")
    head = deliveries.alias("head")
    stream = sa.select(settled.c.stream).where(settled.c.id == _text("delivery")).scalar_subquery()
    first = (
        sa.select(head.c.id)
        .where(head.c.stream == stream, head.c.settled_at.is_(None))
        .order_by(head.c.position)
        .limit(1)
        .scalar_subquery()
    )
    return (
        sa.update(deliveries)
        .where(deliveries.c.id == first, deliveries.c.due_at.is_(None))
        .values(due_at=_number("now_at"))
    )


def signing_secret() -> sa.Select[Any]:
    """Select the sealed signing secret of organization ``organization``."""
    return sa.select(organizations.c.signing_secret).where(
        organizations.c.id == _text("organization")
    )
