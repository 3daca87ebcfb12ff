"""Payees, and the gate that money passes: what a customer was shown, what was executed, and what is told to others.

What was shown is frozen: the application may change the status of a row that is still pending, and nothing else of it.
What was executed says from which approved row it came, and the database checks that when it commits (ADR 0010).
"""

from __future__ import annotations

from importlib import resources

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROLE = "llm_banking_app_role"
GRANTS = {
    "payees": "SELECT, INSERT, UPDATE (first_paid_at, status)",
    "pending_operations": "SELECT, INSERT, UPDATE (status, consumed_at)",
    "bank_operations": "SELECT, INSERT",
    "idempotency_keys": "SELECT, INSERT, UPDATE (status, response), DELETE",
    "outbox": "SELECT, INSERT",
}
FUNCTIONS = ("payee_account(uuid, text)",)
_OF_USER = "user_id = ANY ((SELECT visible_user_ids())::uuid[]) OR (SELECT has_scope('system'))"
_KINDS = "'own_transfer', 'payee_transfer', 'bill_payment'"


def upgrade() -> None:
    _payees()
    _pending()
    _executed()
    _delivery()
    for statement in (
        resources.files("llm_banking.migrations").joinpath("operations_0005.sql").read_text("utf-8").split("\n\n")
    ):
        op.execute(statement)
    for function in FUNCTIONS:
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO {ROLE}")
    for table, privileges in GRANTS.items():
        op.execute(f"GRANT {privileges} ON {table} TO {ROLE}")
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY rows_of_a_user ON {table} USING ({_OF_USER}) WITH CHECK ({_OF_USER})")


def _payees() -> None:
    op.create_table(
        "payees",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("account_encrypted", sa.LargeBinary(), nullable=True),
        sa.Column("account_last4", sa.String(length=4), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=True),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('person', 'biller')", name=op.f("ck_payees_kind")),
        sa.CheckConstraint("status IN ('active', 'removed')", name=op.f("ck_payees_status")),
        sa.CheckConstraint("account_last4 ~ '^[0-9A-Z]{4}$'", name=op.f("ck_payees_account_last4")),
        sa.CheckConstraint(
            "num_nonnulls(account_id, account_encrypted) = 1 OR (kind = 'biller' AND account_id IS NULL)",
            name=op.f("ck_payees_account"),
        ),
        sa.CheckConstraint("(account_id IS NULL) = (currency IS NULL)", name=op.f("ck_payees_currency")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_payees_user_id_users")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_payees_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payees")),
    )
    op.create_index("ix_payees_user_id", "payees", ["user_id"])
    op.create_index("ix_payees_account_id", "payees", ["account_id"])


def _pending() -> None:
    op.create_table(
        "pending_operations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("payload_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("requires", postgresql.ARRAY(sa.String(length=16)), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("consumed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(f"kind IN ({_KINDS})", name=op.f("ck_pending_operations_kind")),
        sa.CheckConstraint("channel IN ('api', 'chat')", name=op.f("ck_pending_operations_channel")),
        sa.CheckConstraint(
            "status IN ('pending', 'consumed', 'voided', 'expired')", name=op.f("ck_pending_operations_status")
        ),
        sa.CheckConstraint(
            "(status = 'consumed') = (consumed_at IS NOT NULL)", name=op.f("ck_pending_operations_consumed_at")
        ),
        sa.CheckConstraint(
            "consumed_at >= created_at AND consumed_at < expires_at", name=op.f("ck_pending_operations_in_time")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_pending_operations_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pending_operations")),
    )
    op.create_index("ix_pending_operations_user_id", "pending_operations", ["user_id", "id"])
    op.create_index(
        "ix_pending_operations_open", "pending_operations", ["user_id"], postgresql_where=sa.text("status = 'pending'")
    )


def _executed() -> None:
    op.create_table(
        "bank_operations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("pending_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=True),
        sa.Column("payee_id", sa.Uuid(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("request", postgresql.JSONB(), nullable=False),
        sa.Column("result", postgresql.JSONB(), nullable=False),
        sa.Column("confirmation_code", sa.String(length=16), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("executed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(f"kind IN ({_KINDS})", name=op.f("ck_bank_operations_kind")),
        sa.CheckConstraint("status IN ('executed', 'failed', 'scheduled')", name=op.f("ck_bank_operations_status")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_bank_operations_amount_minor")),
        sa.CheckConstraint(
            "(status = 'executed') = (entry_id IS NOT NULL) AND (entry_id IS NULL) = (executed_at IS NULL)",
            name=op.f("ck_bank_operations_executed"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_bank_operations_user_id_users")),
        sa.ForeignKeyConstraint(
            ["pending_id"], ["pending_operations.id"], name=op.f("fk_bank_operations_pending_id_pending_operations")
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["ledger_entries.id"], name=op.f("fk_bank_operations_entry_id_ledger_entries")
        ),
        sa.ForeignKeyConstraint(["payee_id"], ["payees.id"], name=op.f("fk_bank_operations_payee_id_payees")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_operations")),
        sa.UniqueConstraint("pending_id", name=op.f("uq_bank_operations_pending_id")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_bank_operations_entry_id")),
        sa.UniqueConstraint("confirmation_code", name=op.f("uq_bank_operations_confirmation_code")),
    )
    op.create_index("ix_bank_operations_user_executed", "bank_operations", ["user_id", "executed_at"])
    op.create_index("ix_bank_operations_payee_id", "bank_operations", ["payee_id"])


def _delivery() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("response", postgresql.JSONB(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_idempotency_keys_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_user_created", "idempotency_keys", ["user_id", "created_at"])
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_outbox_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index("ix_outbox_waiting", "outbox", ["id"], postgresql_where=sa.text("delivered_at IS NULL"))


def downgrade() -> None:
    for table in ("outbox", "idempotency_keys", "bank_operations", "pending_operations", "payees"):
        op.drop_table(table)
    for function in (*FUNCTIONS, "pending_is_frozen()", "operation_was_approved()", "operation_is_final()"):
        op.execute(f"DROP FUNCTION {function}")
