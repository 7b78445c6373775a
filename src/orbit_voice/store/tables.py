"""The tables. ``store/migrations`` makes them; a test asserts that both agree.

What is asked for often has an index that holds only the rows in question: calls without an end,
deliveries that wait. Such an index stays small however much history there is.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from orbit_voice.store.columns import JSON_DOCUMENT, Moment

metadata: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> sa.Column[str]:
    return sa.Column("id", sa.String, primary_key=True)


def _organization() -> sa.Column[str]:
    return sa.Column("org_id", sa.String, sa.ForeignKey("organizations.id"), nullable=False)


def _created_at() -> sa.Column[Any]:
    return sa.Column("created_at", Moment, nullable=False)


organizations: Final = sa.Table(
    "organizations",
    metadata,
    _id(),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("signing_secret", sa.String, nullable=False),
    _created_at(),
)
"""``signing_secret`` is sealed; it signs webhooks that name no secret of their own."""

api_keys: Final = sa.Table(
    "api_keys",
    metadata,
    _id(),
    _organization(),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("prefix", sa.String, nullable=False),
    sa.Column("sha256", sa.String, nullable=False, unique=True),
    sa.Column("mode", sa.String, nullable=False),
    sa.Column("scopes", JSON_DOCUMENT, nullable=False),
    _created_at(),
    sa.Index("ix_api_keys_page", "org_id", "created_at", "id"),
)
"""The key's text is not here, only its SHA-256 (hex) and the part that is safe to show."""

trunks: Final = sa.Table(
    "trunks",
    metadata,
    _id(),
    _organization(),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("outbound_uri", sa.String, nullable=False),
    sa.Column("inbound_uris", JSON_DOCUMENT, nullable=False),
    sa.Column("username", sa.String),
    sa.Column("password", sa.String),
    sa.Column("realm", sa.String),
    sa.Column("codecs", JSON_DOCUMENT, nullable=False),
    sa.Column("encryption", sa.String, nullable=False),
    sa.Column("transport", sa.String, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    _created_at(),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Index("ix_trunks_page", "org_id", "created_at", "id"),
)
"""``password`` is sealed."""

numbers: Final = sa.Table(
    "numbers",
    metadata,
    _id(),
    _organization(),
    sa.Column("number", sa.String, nullable=False, unique=True),
    sa.Column("friendly_name", sa.String),
    sa.Column("trunk_id", sa.String, sa.ForeignKey("trunks.id"), index=True),
    sa.Column("is_default", sa.Boolean, nullable=False),
    sa.Column("routing", sa.String),
    sa.Column("webhook_url", sa.String),
    _created_at(),
    sa.Column("updated_at", Moment, nullable=False),
    sa.Index("ix_numbers_page", "org_id", "created_at", "id"),
)

sa.Index(
    "uq_numbers_default",
    numbers.c.org_id,
    unique=True,
    sqlite_where=numbers.c.is_default,
    postgresql_where=numbers.c.is_default,
)

calls: Final = sa.Table(
    "calls",
    metadata,
    _id(),
    _organization(),
    sa.Column("node_id", sa.String, nullable=False),
    sa.Column("direction", sa.String, nullable=False),
    sa.Column("from_address", sa.String),
    sa.Column("to_address", sa.String, nullable=False),
    sa.Column("status", sa.String, nullable=False),
    _created_at(),
    sa.Column("agent_id", sa.String),
    sa.Column("ivr_id", sa.String),
    sa.Column("trunk_id", sa.String),
    sa.Column("record", sa.Boolean, nullable=False),
    sa.Column("max_duration_s", sa.Integer, nullable=False),
    sa.Column("ring_timeout_s", sa.Integer, nullable=False),
    sa.Column("webhook_url", sa.String),
    sa.Column("metadata", JSON_DOCUMENT, nullable=False),
    sa.Column("sip_headers", JSON_DOCUMENT, nullable=False),
    sa.Column("ringing_at", Moment),
    sa.Column("answered_at", Moment),
    sa.Column("ended_at", Moment),
    sa.Column("recording_id", sa.String),
    sa.Column("hangup", JSON_DOCUMENT),
    sa.Column("attempts", JSON_DOCUMENT, nullable=False),
    sa.Column("media", JSON_DOCUMENT),
    sa.Column("next_sequence", sa.Integer, nullable=False),
    sa.Index("ix_calls_page", "org_id", "created_at", "id"),
    sa.Index("ix_calls_to", "org_id", "to_address", "created_at", "id"),
    sa.Index("ix_calls_from", "org_id", "from_address", "created_at", "id"),
)

sa.Index(
    "ix_calls_open",
    calls.c.org_id,
    calls.c.created_at,
    calls.c.id,
    sqlite_where=calls.c.ended_at.is_(None),
    postgresql_where=calls.c.ended_at.is_(None),
)
sa.Index(
    "ix_calls_ended",
    calls.c.org_id,
    calls.c.status,
    calls.c.created_at,
    calls.c.id,
    sqlite_where=calls.c.ended_at.is_not(None),
    postgresql_where=calls.c.ended_at.is_not(None),
)

call_events: Final = sa.Table(
    "call_events",
    metadata,
    _id(),
    sa.Column("call_id", sa.String, sa.ForeignKey("calls.id"), nullable=False),
    sa.Column("org_id", sa.String, nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("type", sa.String, nullable=False),
    _created_at(),
    sa.Column("data", JSON_DOCUMENT, nullable=False),
    sa.UniqueConstraint("call_id", "sequence"),
)

call_sip_messages: Final = sa.Table(
    "call_sip_messages",
    metadata,
    sa.Column("call_id", sa.String, sa.ForeignKey("calls.id"), primary_key=True),
    sa.Column("org_id", sa.String, nullable=False),
    sa.Column("messages", sa.Text, nullable=False),
)
"""One row per call: a ladder is written once, with the end, and always read whole. ``messages`` is
a JSON array as text: nothing ever looks into it."""

recordings: Final = sa.Table(
    "recordings",
    metadata,
    _id(),
    _organization(),
    sa.Column("call_id", sa.String, sa.ForeignKey("calls.id"), nullable=False, index=True),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("path", sa.String, nullable=False),
    sa.Column("duration_seconds", sa.Float),
    sa.Column("channels", sa.Integer),
    sa.Column("size_bytes", sa.BigInteger),
    sa.Column("sha256", sa.String),
    _created_at(),
    sa.Index("ix_recordings_page", "org_id", "created_at", "id"),
)

deliveries: Final = sa.Table(
    "deliveries",
    metadata,
    _id(),
    _organization(),
    sa.Column("event_id", sa.String, nullable=False),
    sa.Column("event_type", sa.String, nullable=False),
    sa.Column("stream", sa.String, nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("destination", sa.String, nullable=False),
    sa.Column("url", sa.String, nullable=False),
    sa.Column("body", sa.String, nullable=False),
    _created_at(),
    sa.Column("status", sa.String, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("claims", sa.Integer, nullable=False),
    sa.Column("claimed_by", sa.String),
    sa.Column("due_at", Moment),
    sa.Column("settled_at", Moment),
    sa.Column("last_attempt_at", Moment),
    sa.Column("last_status", sa.Integer),
    sa.Column("last_error", sa.String),
    sa.Column("excerpt", sa.String),
    sa.Index("ix_deliveries_page", "org_id", "created_at", "id"),
)
"""The outbox. A row is in one of these states:

- *waiting*: ``due_at`` is set: it is sent when that moment has come. While somebody sends it,
  ``claimed_by`` names the node and ``due_at`` is when the claim lapses.
- *held back*: neither ``due_at`` nor ``settled_at``: an earlier row of its ``stream`` is not
  settled.
- *settled*: ``settled_at`` is set; ``status`` says ``delivered`` or ``dead``.
"""

sa.Index(
    "ix_deliveries_due",
    deliveries.c.destination,
    deliveries.c.due_at,
    sqlite_where=deliveries.c.due_at.is_not(None),
    postgresql_where=deliveries.c.due_at.is_not(None),
)
sa.Index(
    "ix_deliveries_unsettled",
    deliveries.c.stream,
    deliveries.c.position,
    sqlite_where=deliveries.c.settled_at.is_(None),
    postgresql_where=deliveries.c.settled_at.is_(None),
)
