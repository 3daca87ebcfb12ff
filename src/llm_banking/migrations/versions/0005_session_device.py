"""What a client calls its device is kept with its session, so that a person can tell the own sessions apart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("token_families", sa.Column("device", sa.String(length=100), nullable=True))


def downgrade() -> None:
    op.drop_column("token_families", "device")
