"""Cards of accounts. A card is as visible as its account, and only its status changes.

The scope `system` also sees an entry without postings, which nobody else does: the doctor looks for such.
Of a card's number the last four digits are kept and no more (truncation: PCI DSS 4.0, 3.5.1).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ROLE = "llm_banking_app_role"
_OF_ACCOUNT = "EXISTS (SELECT FROM accounts AS one WHERE one.id = account_id)"


def upgrade() -> None:
    op.create_table(
        "cards",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number_last4", sa.String(length=4), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("status_changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('debit', 'credit')", name=op.f("ck_cards_kind")),
        sa.CheckConstraint("number_last4 ~ '^[0-9]{4}$'", name=op.f("ck_cards_number_last4")),
        sa.CheckConstraint("status IN ('inactive', 'active', 'frozen', 'blocked')", name=op.f("ck_cards_status")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_cards_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cards")),
    )
    op.create_index("ix_cards_account_id", "cards", ["account_id"])
    op.execute(f"GRANT SELECT, INSERT, UPDATE (status, status_changed_at) ON cards TO {ROLE}")
    op.execute("ALTER TABLE cards ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE cards FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY rows_of_a_user ON cards USING ({_OF_ACCOUNT}) WITH CHECK ({_OF_ACCOUNT})")
    op.execute("CREATE POLICY all_are_counted ON ledger_entries FOR SELECT USING ((SELECT has_scope('system')))")


def downgrade() -> None:
    op.execute("DROP POLICY all_are_counted ON ledger_entries")
    op.drop_table("cards")
