"""The first tables.

Revision: 0001
Follows: nothing
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_MOMENT = sa.BigInteger()
_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    """Make every table."""
    _create_organizations()
    _create_api_keys()
    _create_trunks()
    _create_numbers()
    _create_calls()
    _create_call_events()
    _create_call_sip_messages()
    _create_recordings()
    _create_deliveries()


def _create_organizations() -> None:
    op.create_table(
        "organizations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("signing_secret", sa.String(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organizations"),
    )


def _create_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("prefix", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("scopes", _JSON, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name="fk_api_keys_org_id"),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("sha256", name="uq_api_keys_sha256"),
    )
    op.create_index("ix_api_keys_page", "api_keys", ["org_id", "created_at", "id"])


def _create_trunks() -> None:
    op.create_table(
        "trunks",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("outbound_uri", sa.String(), nullable=False),
        sa.Column("inbound_uris", _JSON, nullable=False),
        sa.Column("username", sa.String()),
        sa.Column("password", sa.String()),
        sa.Column("realm", sa.String()),
        sa.Column("codecs", _JSON, nullable=False),
        sa.Column("encryption", sa.String(), nullable=False),
        sa.Column("transport", sa.String(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name="fk_trunks_org_id"),
        sa.PrimaryKeyConstraint("id", name="pk_trunks"),
    )
    op.create_index("ix_trunks_page", "trunks", ["org_id", "created_at", "id"])


def _create_numbers() -> None:
    op.create_table(
        "numbers",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("friendly_name", sa.String()),
        sa.Column("trunk_id", sa.String()),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("routing", sa.String()),
        sa.Column("webhook_url", sa.String()),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name="fk_numbers_org_id"),
        sa.ForeignKeyConstraint(["trunk_id"], ["trunks.id"], name="fk_numbers_trunk_id"),
        sa.PrimaryKeyConstraint("id", name="pk_numbers"),
        sa.UniqueConstraint("number", name="uq_numbers_number"),
    )
    op.create_index("ix_numbers_page", "numbers", ["org_id", "created_at", "id"])
    op.create_index("ix_numbers_trunk_id", "numbers", ["trunk_id"])
    op.create_index(
        "uq_numbers_default",
        "numbers",
        ["org_id"],
        unique=True,
        sqlite_where=sa.text("is_default = 1"),
        postgresql_where=sa.text("is_default"),
    )


def _create_calls() -> None:
    op.create_table(
        "calls",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("node_id", sa.String(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("from_address", sa.String()),
        sa.Column("to_address", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("agent_id", sa.String()),
        sa.Column("ivr_id", sa.String()),
        sa.Column("trunk_id", sa.String()),
        sa.Column("record", sa.Boolean(), nullable=False),
        sa.Column("max_duration_s", sa.Integer(), nullable=False),
        sa.Column("ring_timeout_s", sa.Integer(), nullable=False),
        sa.Column("webhook_url", sa.String()),
        sa.Column("metadata", _JSON, nullable=False),
        sa.Column("sip_headers", _JSON, nullable=False),
        sa.Column("ringing_at", _MOMENT),
        sa.Column("answered_at", _MOMENT),
        sa.Column("ended_at", _MOMENT),
        sa.Column("recording_id", sa.String()),
        sa.Column("hangup", _JSON),
        sa.Column("attempts", _JSON, nullable=False),
        sa.Column("media", _JSON),
        sa.Column("next_sequence", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name="fk_calls_org_id"),
        sa.PrimaryKeyConstraint("id", name="pk_calls"),
    )
    op.create_index(
        "ix_calls_ended",
        "calls",
        ["org_id", "status", "created_at", "id"],
        sqlite_where=sa.text("ended_at IS NOT NULL"),
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )
    op.create_index("ix_calls_from", "calls", ["org_id", "from_address", "created_at", "id"])
    op.create_index(
        "ix_calls_open",
        "calls",
        ["org_id", "created_at", "id"],
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("ix_calls_page", "calls", ["org_id", "created_at", "id"])
    op.create_index("ix_calls_to", "calls", ["org_id", "to_address", "created_at", "id"])


def _create_call_events() -> None:
    op.create_table(
        "call_events",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("data", _JSON, nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_call_events_call_id"),
        sa.PrimaryKeyConstraint("id", name="pk_call_events"),
        sa.UniqueConstraint("call_id", "sequence", name="uq_call_events_call_id_sequence"),
    )


def _create_call_sip_messages() -> None:
    op.create_table(
        "call_sip_messages",
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("messages", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_call_sip_messages_call_id"),
        sa.PrimaryKeyConstraint("call_id", name="pk_call_sip_messages"),
    )


def _create_recordings() -> None:
    op.create_table(
        "recordings",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("duration_seconds", sa.Float()),
        sa.Column("channels", sa.Integer()),
        sa.Column("size_bytes", sa.BigInteger()),
        sa.Column("sha256", sa.String()),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["call_id"], ["calls.id"], name="fk_recordings_call_id"),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name="fk_recordings_org_id"),
        sa.PrimaryKeyConstraint("id", name="pk_recordings"),
    )
    op.create_index("ix_recordings_call_id", "recordings", ["call_id"])
    op.create_index("ix_recordings_page", "recordings", ["org_id", "created_at", "id"])


def _create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("org_id", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("event_type", sa.String(), nullable=False),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claims", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.String()),
        sa.Column("due_at", _MOMENT),
        sa.Column("settled_at", _MOMENT),
        sa.Column("last_attempt_at", _MOMENT),
        sa.Column("last_status", sa.Integer()),
        sa.Column("last_error", sa.String()),
        sa.Column("excerpt", sa.String()),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name="fk_deliveries_org_id"),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
    )
    op.create_index(
        "ix_deliveries_due",
        "deliveries",
        ["destination", "due_at"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index("ix_deliveries_page", "deliveries", ["org_id", "created_at", "id"])
    op.create_index(
        "ix_deliveries_unsettled",
        "deliveries",
        ["stream", "position"],
        sqlite_where=sa.text("settled_at IS NULL"),
        postgresql_where=sa.text("settled_at IS NULL"),
    )
