"""Cards have a daily limit, and know which card they replace."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ROLE = "llm_banking_app_role"


def upgrade() -> None:
    op.add_column("cards", sa.Column("daily_limit_minor", sa.BigInteger(), nullable=True))
    op.add_column("cards", sa.Column("replaces_id", sa.Uuid(), nullable=True))
    op.create_check_constraint(op.f("ck_cards_daily_limit_minor"), "cards", "daily_limit_minor >= 0")
    op.create_unique_constraint(op.f("uq_cards_replaces_id"), "cards", ["replaces_id"])
    op.create_foreign_key(op.f("fk_cards_replaces_id_cards"), "cards", "cards", ["replaces_id"], ["id"])
    op.execute(f"GRANT UPDATE (daily_limit_minor) ON cards TO {ROLE}")


def downgrade() -> None:
    for column in ("replaces_id", "daily_limit_minor"):
        op.drop_column("cards", column)
