"""When a share link was last used."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("share_link", sa.Column("last_used_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("share_link", "last_used_at")
