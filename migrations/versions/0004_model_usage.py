"""Which models an account may use, as answers say it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("account_fact", sa.Column("model_usage", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("account_fact", "model_usage")
