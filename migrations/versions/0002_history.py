"""Windows, readings, rollups, facts and attempts, and the view that shows snapshots."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# As it was at this migration: the one in the code may move on.
SNAPSHOT_VIEW = """
CREATE VIEW snapshot AS
SELECT a.name AS account, r.taken_at AS taken_at, w.key AS window_key,
       r.used_percent AS used_percent,
       CASE WHEN r.used_percent >= 100 THEN 0 WHEN r.used_percent <= 0 THEN 100
            ELSE 100 - r.used_percent END AS remaining_percent,
       r.resets_at AS resets_at
FROM reading r JOIN limit_window w ON w.id = r.window_id JOIN account a ON a.id = w.account_id
WHERE r.used_percent IS NOT NULL AND a.deleted_at IS NULL
"""


def upgrade() -> None:
    op.create_table(
        "limit_window",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("upstream_name", sa.String(length=200), nullable=True),
        sa.Column("length_s", sa.Integer(), nullable=True),
        sa.Column("used_percent", sa.Float(), nullable=True),
        sa.Column("resets_at", sa.BigInteger(), nullable=True),
        sa.Column("taken_at", sa.BigInteger(), nullable=True),
        sa.Column("spend_limit", sa.String(length=64), nullable=True),
        sa.Column("spend_used", sa.String(length=64), nullable=True),
        sa.Column("spend_unit", sa.String(length=64), nullable=True),
        sa.Column("gone_at", sa.BigInteger(), nullable=True),
        sa.Column("rose_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_limit_window_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_limit_window"),
    )
    op.create_index(
        "uq_limit_window_account_id_key", "limit_window", ["account_id", "key"], unique=True
    )
    op.create_table(
        "reading",
        sa.Column("window_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("taken_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("used_percent", sa.Float(), nullable=True),
        sa.Column("resets_at", sa.BigInteger(), nullable=True),
        sa.Column("flags", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("window_id", "taken_at", name="pk_reading"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollup",
        sa.Column("span", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("window_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slot", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_used", sa.Float(), nullable=True),
        sa.Column("min_used", sa.Float(), nullable=True),
        sa.Column("max_used", sa.Float(), nullable=True),
        sa.Column("last_used", sa.Float(), nullable=True),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("last_resets_at", sa.BigInteger(), nullable=True),
        sa.Column("rise", sa.Float(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("span", "window_id", "slot", name="pk_rollup"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "account_fact",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("plan", sa.String(length=200), nullable=True),
        sa.Column("allowed", sa.Boolean(), nullable=True),
        sa.Column("limit_reached", sa.Boolean(), nullable=True),
        sa.Column("reached_type", sa.String(length=200), nullable=True),
        sa.Column("spend_reached", sa.Boolean(), nullable=False),
        sa.Column("credits", sa.Text(), nullable=True),
        sa.Column("reset_credits", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_account_fact_account_id"),
        sa.PrimaryKeyConstraint("account_id", "since", name="pk_account_fact"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "attempt",
        sa.Column("account_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("fault_code", sa.String(length=40), nullable=True),
        sa.Column("fault_data", sa.Text(), nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("ms_sum", sa.BigInteger(), nullable=False),
        sa.Column("ms_max", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_attempt_account_id"),
        sa.PrimaryKeyConstraint("account_id", "first_at", name="pk_attempt"),
        sqlite_with_rowid=False,
    )
    op.execute(SNAPSHOT_VIEW)


def downgrade() -> None:
    op.execute("DROP VIEW snapshot")
    op.drop_table("attempt")
    op.drop_table("account_fact")
    op.drop_table("rollup")
    op.drop_table("reading")
    op.drop_table("limit_window")
