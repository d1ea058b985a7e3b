"""Renewal of sign-ins: where a credential comes from, how its renewal stands, and the claims."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ADDED = (
    ("kind", sa.String(length=4), "copy"),
    ("renewal", sa.String(length=8), "off"),
    ("renewal_code", sa.String(length=64), None),
    ("renew_at", sa.BigInteger(), None),
    ("renewed_at", sa.BigInteger(), None),
    ("renewal_failures", sa.Integer(), "0"),
    ("renewal_refusals", sa.Integer(), "0"),
    ("refused_at", sa.BigInteger(), None),
    ("spare_sealed", sa.LargeBinary(), None),
)


def upgrade() -> None:
    for name, kind, default in _ADDED:
        column = sa.Column(name, kind, nullable=default is None, server_default=default)
        op.add_column("credential", column)
    op.execute(
        "UPDATE credential SET kind = 'file' "
        "WHERE account_id IN (SELECT id FROM account WHERE origin = 'followed')"
    )
    # Until now these were plain hashes, compared by nothing; from now on they need the key.
    op.execute("UPDATE credential SET refresh_fp = NULL")
    op.create_table(
        "renewal",
        sa.Column("refresh_fp", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("claim_id", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("refresh_fp", name="pk_renewal"),
    )
    op.create_index("ix_renewal_claim_id", "renewal", ["claim_id"], unique=True)
    op.add_column("site_state", sa.Column("renewal_after", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("site_state", "renewal_after")
    op.drop_table("renewal")
    for name, _, _ in reversed(_ADDED):
        op.drop_column("credential", name)
