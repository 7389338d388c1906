"""Which ledger has the log of a batch: `batches.ledger_since`."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("batches") as batches:
        batches.add_column(sa.Column("ledger_since", sa.DateTime(timezone=True), nullable=True))
