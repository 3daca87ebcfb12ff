"""The gate takes operations that move no money, and such as are done later: they have no amount, or no entry yet.

Which kinds there are is the gate's to know. What was approved is still compared with what was posted, for each.
"""

from __future__ import annotations

from importlib import resources

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_KIND = "kind ~ '^[a-z]+(_[a-z]+)*$'"
_LISTED = "kind IN ('own_transfer', 'payee_transfer', 'bill_payment')"
_EXECUTED = "(status = 'executed') = (executed_at IS NOT NULL) AND (entry_id IS NULL OR status = 'executed')"
_EXECUTED_0007 = "(status = 'executed') = (entry_id IS NOT NULL) AND (entry_id IS NULL) = (executed_at IS NULL)"


def upgrade() -> None:
    for table in ("pending_operations", "bank_operations"):
        _replace(table, "kind", _KIND)
    _replace("bank_operations", "executed", _EXECUTED)
    for column, kind in (("amount_minor", sa.BigInteger()), ("currency", sa.String(length=3))):
        op.alter_column("bank_operations", column, existing_type=kind, nullable=True)
    op.create_check_constraint(
        op.f("ck_bank_operations_currency"), "bank_operations", "(amount_minor IS NULL) = (currency IS NULL)"
    )
    op.execute(_sql("operations_0008.sql"))


def downgrade() -> None:
    op.drop_constraint(op.f("ck_bank_operations_currency"), "bank_operations")
    for column, kind in (("amount_minor", sa.BigInteger()), ("currency", sa.String(length=3))):
        op.alter_column("bank_operations", column, existing_type=kind, nullable=False)
    _replace("bank_operations", "executed", _EXECUTED_0007)
    for table in ("pending_operations", "bank_operations"):
        _replace(table, "kind", _LISTED)
    earlier = next(
        one for one in _sql("operations_0007.sql").split("\n\n") if "CREATE FUNCTION operation_was_approved" in one
    )
    op.execute(earlier.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))


def _replace(table: str, name: str, condition: str) -> None:
    op.drop_constraint(op.f(f"ck_{table}_{name}"), table)
    op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, condition)


def _sql(name: str) -> str:
    return resources.files("llm_banking.migrations").joinpath(name).read_text("utf-8")
