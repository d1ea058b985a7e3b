"""Accounts, their credentials and the state of the site."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("name_key", sa.String(length=255), nullable=True),
        sa.Column("origin", sa.String(length=10), nullable=False),
        sa.Column("source_path", sa.Text(), nullable=True),
        sa.Column("source_hash", sa.String(length=64), nullable=True),
        sa.Column("source_gone_at", sa.BigInteger(), nullable=True),
        sa.Column("chatgpt_account_id", sa.String(length=128), nullable=True),
        sa.Column("chatgpt_user_id", sa.String(length=200), nullable=True),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("answer_user_id", sa.String(length=200), nullable=True),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("fault_code", sa.String(length=40), nullable=True),
        sa.Column("fault_data", sa.Text(), nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("attempted_at", sa.BigInteger(), nullable=True),
        sa.Column("taken_at", sa.BigInteger(), nullable=True),
        sa.Column("cached_at", sa.BigInteger(), nullable=True),
        sa.Column("run_first_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("interval_s", sa.Integer(), nullable=True),
        sa.Column("next_due_at", sa.BigInteger(), nullable=True),
        sa.Column("requested_at", sa.BigInteger(), nullable=True),
        sa.Column("claim_id", sa.BigInteger(), nullable=True),
        sa.Column("claimed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("name_key", name="uq_account_name_key"),
    )
    op.create_index(
        "ix_account_chatgpt_account_id", "account", ["chatgpt_account_id"], unique=False
    )
    op.create_index("ix_account_next_due_at", "account", ["next_due_at"], unique=False)
    op.create_table(
        "credential",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("access_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("refresh_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("id_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("access_expires_at", sa.BigInteger(), nullable=True),
        sa.Column("access_fp", sa.String(length=32), nullable=False),
        sa.Column("refresh_fp", sa.String(length=32), nullable=True),
        sa.Column("client_id", sa.String(length=128), nullable=True),
        sa.Column("fedramp", sa.Boolean(), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_credential_account_id"),
        sa.PrimaryKeyConstraint("account_id", name="pk_credential"),
    )
    op.create_index("ix_credential_refresh_fp", "credential", ["refresh_fp"], unique=False)
    op.create_table(
        "site_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("data_version", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.Column("session_epoch", sa.Integer(), nullable=False),
        sa.Column("nonce", sa.String(length=32), nullable=False),
        sa.Column("address_blocked_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_site_state"),
    )
    op.create_table(
        "setting",
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_setting"),
    )
    op.create_table(
        "event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("window_id", sa.Integer(), nullable=True),
        sa.Column("data", sa.Text(), nullable=True),
        sa.Column("dedupe", sa.String(length=120), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sa.UniqueConstraint("dedupe", name="uq_event_dedupe"),
    )
    op.create_index("ix_event_account_id", "event", ["account_id"], unique=False)
    op.create_index("ix_event_at", "event", ["at"], unique=False)
    op.execute(
        sa.text(
            "INSERT INTO site_state (id, data_version, session_epoch, nonce) VALUES (1, 1, 1, "
            ":nonce)"
        ).bindparams(nonce=secrets.token_hex(8))
    )


def downgrade() -> None:
    op.drop_table("event")
    op.drop_table("setting")
    op.drop_table("site_state")
    op.drop_table("credential")
    op.drop_table("account")
