"""Alerts: what is open, the channels, and what is to be sent through them."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert_state",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("window_key", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("level", sa.Float(), nullable=True),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("open_since", sa.BigInteger(), nullable=True),
        sa.Column("armed", sa.Boolean(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("seen_value", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "window_key", "kind", name="pk_alert_state"),
    )
    op.create_table(
        "channel",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("url_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("kinds", sa.Text(), nullable=True),
        sa.Column("accounts", sa.Text(), nullable=True),
        sa.Column("thresholds", sa.Text(), nullable=True),
        sa.Column("quiet", sa.Text(), nullable=True),
        sa.Column("language", sa.String(length=8), nullable=True),
        sa.Column("digest", sa.String(length=40), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_channel"),
        sa.UniqueConstraint("name", name="uq_channel_name"),
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.String(length=40), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("claimed_by", sa.BigInteger(), nullable=True),
        sa.Column("claimed_until", sa.BigInteger(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name="fk_delivery_event_id"),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name="fk_delivery_channel_id"),
        sa.UniqueConstraint("event_id", "channel_id", name="uq_delivery_event_id_channel_id"),
    )
    op.create_index("ix_delivery_state_due_at", "delivery", ["state", "due_at"])


def downgrade() -> None:
    op.drop_table("delivery")
    op.drop_table("channel")
    op.drop_table("alert_state")
