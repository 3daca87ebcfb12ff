"""Cards have a limit and know which card they replace; charges are disputed and loans applied for, a person decides."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ROLE = "llm_banking_app_role"
GRANTS = {
    "disputes": "SELECT, INSERT, UPDATE (status, settled_entry_id, decided_at, decided_by)",
    "loan_applications": "SELECT, INSERT, UPDATE (status, changed_at, changed_by)",
}
_OF_USER = "user_id = ANY ((SELECT visible_user_ids())::uuid[]) OR (SELECT has_scope('system'))"


def upgrade() -> None:
    op.add_column("cards", sa.Column("daily_limit_minor", sa.BigInteger(), nullable=True))
    op.add_column("cards", sa.Column("replaces_id", sa.Uuid(), nullable=True))
    op.create_check_constraint(op.f("ck_cards_daily_limit_minor"), "cards", "daily_limit_minor >= 0")
    op.create_unique_constraint(op.f("uq_cards_replaces_id"), "cards", ["replaces_id"])
    op.create_foreign_key(op.f("fk_cards_replaces_id_cards"), "cards", "cards", ["replaces_id"], ["id"])
    op.execute(f"GRANT UPDATE (daily_limit_minor) ON cards TO {ROLE}")
    _disputes()
    _loans()
    for table, privileges in GRANTS.items():
        op.execute(f"GRANT {privileges} ON {table} TO {ROLE}")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY rows_of_a_user ON {table} USING ({_OF_USER}) WITH CHECK ({_OF_USER})")


def _disputes() -> None:
    op.create_table(
        "disputes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("credit_entry_id", sa.Uuid(), nullable=True),
        sa.Column("settled_entry_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "status IN ('open', 'provisional_credit', 'resolved_for_customer', 'resolved_for_merchant')",
            name=op.f("ck_disputes_status"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_disputes_amount_minor")),
        sa.CheckConstraint(
            "status <> 'provisional_credit' OR credit_entry_id IS NOT NULL", name=op.f("ck_disputes_credit")
        ),
        sa.CheckConstraint(
            "(status IN ('open', 'provisional_credit')) = (decided_at IS NULL)"
            " AND (decided_at IS NULL) = (decided_by IS NULL)",
            name=op.f("ck_disputes_decided"),
        ),
        sa.CheckConstraint("decided_by <> user_id", name=op.f("ck_disputes_not_by_oneself")),
        sa.ForeignKeyConstraint(["id"], ["pending_operations.id"], name=op.f("fk_disputes_id_pending_operations")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_disputes_user_id_users")),
        sa.ForeignKeyConstraint(["decided_by"], ["users.id"], name=op.f("fk_disputes_decided_by_users")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_disputes_account_id_accounts")),
        *(
            sa.ForeignKeyConstraint([column], ["ledger_entries.id"], name=op.f(f"fk_disputes_{column}_ledger_entries"))
            for column in ("entry_id", "credit_entry_id", "settled_entry_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
        sa.UniqueConstraint("account_id", "entry_id", name="uq_disputes_account_id_entry_id"),
    )
    op.create_index("ix_disputes_user_id", "disputes", ["user_id"])


def _loans() -> None:
    op.create_table(
        "loan_applications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("months", sa.SmallInteger(), nullable=False),
        sa.Column("annual_percent", sa.String(length=8), nullable=False),
        sa.Column("payment_minor", sa.BigInteger(), nullable=False),
        sa.Column("concerns", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "status IN ('received', 'under_review', 'approved', 'declined')", name=op.f("ck_loan_applications_status")
        ),
        sa.CheckConstraint(
            "amount_minor > 0 AND payment_minor > 0 AND months > 0", name=op.f("ck_loan_applications_terms")
        ),
        sa.CheckConstraint("(status = 'received') = (changed_by IS NULL)", name=op.f("ck_loan_applications_changed")),
        sa.CheckConstraint("changed_by <> user_id", name=op.f("ck_loan_applications_not_by_oneself")),
        sa.ForeignKeyConstraint(
            ["id"], ["pending_operations.id"], name=op.f("fk_loan_applications_id_pending_operations")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_loan_applications_user_id_users")),
        sa.ForeignKeyConstraint(["changed_by"], ["users.id"], name=op.f("fk_loan_applications_changed_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_loan_applications")),
    )
    op.create_index("ix_loan_applications_user_id", "loan_applications", ["user_id"])


def downgrade() -> None:
    op.drop_table("loan_applications")
    op.drop_table("disputes")
    for column in ("replaces_id", "daily_limit_minor"):
        op.drop_column("cards", column)
