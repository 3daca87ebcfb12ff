"""Payments that are made later or again and again, what the worker does of them, and news that it tells once it may.

A schedule says which of its payments is next; what was paid is a row of its own, final, and the database compares it
with what the customer approved. The worker sees by a scope of its own what is due, and nobody's money (ADR 0015).
"""

from __future__ import annotations

from importlib import resources

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ROLE = "llm_banking_app_role"
GRANTS = {
    "scheduled_payments": "SELECT, INSERT, UPDATE (status, next_number, next_on, attempts, ended_at)",
    "payment_runs": "SELECT, INSERT",
    "outbox": "UPDATE (attempts, next_attempt_at, delivered_at, parked_at)",
}
_OF_USER = "user_id = ANY ((SELECT visible_user_ids())::uuid[]) OR (SELECT has_scope('system'))"
_OF_SCHEDULE = f"EXISTS (SELECT FROM scheduled_payments AS one WHERE one.id = schedule_id AND ({_OF_USER}))"
_WORKER = "(SELECT has_scope('worker'))"
_WORKER_MAY = {
    "the_worker_sees_what_is_due": ("scheduled_payments", f"FOR SELECT USING ({_WORKER} AND status = 'active')"),
    "the_worker_sees_news": ("outbox", f"FOR SELECT USING ({_WORKER})"),
    "the_worker_delivers": ("outbox", f"FOR UPDATE USING ({_WORKER}) WITH CHECK ({_WORKER})"),
    "the_worker_sees_what_waits": (
        "pending_operations",
        f"FOR SELECT USING ({_WORKER} AND status IN ('pending', 'expired'))",
    ),
    "the_worker_closes_what_is_over": (
        "pending_operations",
        f"FOR UPDATE USING ({_WORKER} AND status = 'pending') WITH CHECK ({_WORKER} AND status = 'expired')",
    ),
    "the_worker_sees_keys": ("idempotency_keys", f"FOR SELECT USING ({_WORKER})"),
    "the_worker_locks_keys": ("idempotency_keys", f"FOR UPDATE USING ({_WORKER}) WITH CHECK (false)"),
    "the_worker_forgets_keys": ("idempotency_keys", f"FOR DELETE USING ({_WORKER})"),
}
_FUNCTIONS = ("run_was_approved()", "run_is_final()", "schedule_was_approved()", "schedule_goes_forward()")


def upgrade() -> None:
    _schedules()
    _runs()
    _news()
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_index(
        "ix_pending_operations_expires_at",
        "pending_operations",
        ["expires_at"],
        postgresql_where=sa.text("status = 'pending'"),
    )
    for statement in (
        resources.files("llm_banking.migrations").joinpath("schedules_0010.sql").read_text("utf-8").split("\n\n")
    ):
        op.execute(statement)
    for table, privileges in GRANTS.items():
        op.execute(f"GRANT {privileges} ON {table} TO {ROLE}")
    for table, condition in (("scheduled_payments", _OF_USER), ("payment_runs", _OF_SCHEDULE)):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY rows_of_a_user ON {table} USING ({condition}) WITH CHECK ({condition})")
    for name, (table, what) in _WORKER_MAY.items():
        op.execute(f"CREATE POLICY {name} ON {table} {what}")


def _schedules() -> None:
    op.create_table(
        "scheduled_payments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("next_number", sa.Integer(), nullable=False),
        sa.Column("next_on", sa.Date(), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('active', 'finished', 'cancelled', 'failed')", name=op.f("ck_scheduled_payments_status")
        ),
        sa.CheckConstraint(
            "(status = 'active') = (next_on IS NOT NULL) AND (status = 'active') = (ended_at IS NULL)",
            name=op.f("ck_scheduled_payments_ended"),
        ),
        sa.CheckConstraint("next_number >= 0 AND attempts >= 0", name=op.f("ck_scheduled_payments_counts")),
        sa.ForeignKeyConstraint(
            ["id"], ["pending_operations.id"], name=op.f("fk_scheduled_payments_id_pending_operations")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_scheduled_payments_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scheduled_payments")),
    )
    op.create_index("ix_scheduled_payments_user_id", "scheduled_payments", ["user_id"])
    op.create_index(
        "ix_scheduled_payments_due",
        "scheduled_payments",
        ["next_on", "id"],
        postgresql_where=sa.text("status = 'active'"),
    )


def _runs() -> None:
    op.create_table(
        "payment_runs",
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=True),
        sa.Column("entry_id", sa.Uuid(), nullable=True),
        sa.Column("ran_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('executed', 'failed')", name=op.f("ck_payment_runs_status")),
        sa.CheckConstraint(
            "(status = 'executed') = (entry_id IS NOT NULL) AND (entry_id IS NULL) = (reason IS NOT NULL)",
            name=op.f("ck_payment_runs_executed"),
        ),
        sa.CheckConstraint("number >= 0 AND attempt >= 1", name=op.f("ck_payment_runs_counts")),
        sa.ForeignKeyConstraint(
            ["schedule_id"], ["scheduled_payments.id"], name=op.f("fk_payment_runs_schedule_id_scheduled_payments")
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["ledger_entries.id"], name=op.f("fk_payment_runs_entry_id_ledger_entries")
        ),
        sa.PrimaryKeyConstraint("schedule_id", "number", "attempt", name=op.f("pk_payment_runs")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_payment_runs_entry_id")),
    )
    op.create_index(
        "uq_payment_runs_executed",
        "payment_runs",
        ["schedule_id", "number"],
        unique=True,
        postgresql_where=sa.text("status = 'executed'"),
    )


def _news() -> None:
    """In the order in which it was written: ids of one millisecond are in none."""
    op.add_column("outbox", sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False))
    op.add_column(
        "outbox",
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
    )
    op.add_column("outbox", sa.Column("parked_at", sa.DateTime(timezone=True), nullable=True))
    op.drop_index("ix_outbox_waiting", "outbox")
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["user_id", "position"],
        postgresql_where=sa.text("delivered_at IS NULL AND parked_at IS NULL"),
    )


def downgrade() -> None:
    for name, (table, _) in _WORKER_MAY.items():
        op.execute(f"DROP POLICY {name} ON {table}")
    op.drop_table("payment_runs")
    op.drop_table("scheduled_payments")
    for function in _FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
    op.drop_index("ix_pending_operations_expires_at", "pending_operations")
    op.drop_index("ix_idempotency_keys_created_at", "idempotency_keys")
    op.execute(f"REVOKE UPDATE (attempts, delivered_at) ON outbox FROM {ROLE}")
    op.drop_index("ix_outbox_waiting", "outbox")
    for column in ("parked_at", "next_attempt_at", "position"):
        op.drop_column("outbox", column)
    op.create_index("ix_outbox_waiting", "outbox", ["id"], postgresql_where=sa.text("delivered_at IS NULL"))
