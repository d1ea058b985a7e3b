"""Cycles, what the judges of readings keep, and when an event was told or withdrawn."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name, kind in (
        ("told_at", sa.BigInteger()),
        ("withdrawn_at", sa.BigInteger()),
        ("rule", sa.Integer()),
    ):
        op.add_column("event", sa.Column(name, kind, nullable=True))
    op.create_table(
        "cycle",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("window_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("how", sa.String(10), nullable=False),
        sa.Column("used_at_reset", sa.Float(), nullable=False),
        sa.Column("peak", sa.Float(), nullable=False),
        sa.Column("ran_out_at", sa.BigInteger(), nullable=True),
        sa.Column("zero_s", sa.BigInteger(), nullable=False),
        sa.Column("readings", sa.Integer(), nullable=False),
        sa.Column("gap_s", sa.BigInteger(), nullable=False),
        sa.Column("is_lower_bound", sa.Boolean(), nullable=False),
        sa.Column("rule", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cycle"),
        sa.ForeignKeyConstraint(["window_id"], ["limit_window.id"], name="fk_cycle_window_id"),
        sa.UniqueConstraint("window_id", "ended_at", name="uq_cycle_window_id_ended_at"),
    )
    op.create_table(
        "window_state",
        sa.Column("window_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("window_id", name="pk_window_state"),
        sa.ForeignKeyConstraint(
            ["window_id"], ["limit_window.id"], name="fk_window_state_window_id"
        ),
    )
    op.create_table(
        "account_state",
        sa.Column("account_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_account_state"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_account_state_account_id"),
    )


def downgrade() -> None:
    # Without the mark the next upgrade judges all readings again, and finds none of this twice.
    op.execute("DELETE FROM setting WHERE key = 'judged_by_rules'")
    op.execute("DELETE FROM event WHERE rule IS NOT NULL")
    for table in ("account_state", "window_state", "cycle"):
        op.drop_table(table)
    for name in ("rule", "withdrawn_at", "told_at"):
        op.drop_column("event", name)
