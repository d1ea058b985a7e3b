"""The banked resets that the upstream lists for each account, and when it was asked for them."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reset_credit",
        sa.Column("account_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("credit_hash", sa.String(length=64), nullable=False),
        sa.Column("granted_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("title", sa.String(length=200), nullable=True),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("gone_at", sa.BigInteger(), nullable=True),
        sa.Column("gone_how", sa.String(length=8), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_reset_credit_account_id"),
        sa.PrimaryKeyConstraint("account_id", "credit_hash", name="pk_reset_credit"),
    )
    op.create_table(
        "reset_credit_list",
        sa.Column("account_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("count", sa.Integer(), nullable=True),
        sa.Column("listed_at", sa.BigInteger(), nullable=True),
        sa.Column("retry_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name="fk_reset_credit_list_account_id"
        ),
        sa.PrimaryKeyConstraint("account_id", name="pk_reset_credit_list"),
    )


def downgrade() -> None:
    op.drop_table("reset_credit_list")
    op.drop_table("reset_credit")
