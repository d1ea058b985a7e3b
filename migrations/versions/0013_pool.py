"""What is said of all accounts together, beside the order of use."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account_choice", sa.Column("pool", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("account_choice", "pool")
