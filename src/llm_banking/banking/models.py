"""Rows of what the bank keeps beside its core: payees, disputes, applications for loans. Amounts are minor units."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Base
from llm_banking.kit.ids import uuid7


class Payee(Base):
    """Somebody whom a customer pays: another customer, an account elsewhere, or a biller.

    `account_id` is an account of this bank; an account elsewhere is encrypted, and only `account_last4` is shown. One
    that was removed stays, for what was paid to it refers to it.
    """

    __tablename__ = "payees"
    __table_args__ = (
        CheckConstraint("kind IN ('person', 'biller')", name="kind"),
        CheckConstraint("status IN ('active', 'removed')", name="status"),
        CheckConstraint("account_last4 ~ '^[0-9A-Z]{4}$'", name="account_last4"),
        CheckConstraint(
            "num_nonnulls(account_id, account_encrypted) = 1 OR (kind = 'biller' AND account_id IS NULL)",
            name="account",
        ),
        CheckConstraint("(account_id IS NULL) = (currency IS NULL)", name="currency"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    kind: Mapped[str] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(Text)
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts.id"), index=True)
    account_encrypted: Mapped[bytes | None] = mapped_column(LargeBinary)
    account_last4: Mapped[str] = mapped_column(String(4))
    currency: Mapped[str | None] = mapped_column(String(3))
    status: Mapped[str] = mapped_column(String(8), default="active")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    first_paid_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Dispute(Base):
    """A charge that its customer disputes, and how that was decided. `credit_entry_id` credited it provisionally.

    `settled_entry_id` is what the decision posted: the amount given back, or the provisional credit taken back.
    """

    __tablename__ = "disputes"
    __table_args__ = (
        UniqueConstraint("account_id", "entry_id", name="uq_disputes_account_id_entry_id"),
        CheckConstraint(
            "status IN ('open', 'provisional_credit', 'resolved_for_customer', 'resolved_for_merchant')", name="status"
        ),
        CheckConstraint("amount_minor > 0", name="amount_minor"),
        CheckConstraint("status <> 'provisional_credit' OR credit_entry_id IS NOT NULL", name="credit"),
        CheckConstraint(
            "(status IN ('open', 'provisional_credit')) = (decided_at IS NULL)"
            " AND (decided_at IS NULL) = (decided_by IS NULL)",
            name="decided",
        ),
        CheckConstraint("decided_by <> user_id", name="not_by_oneself"),
    )

    id: Mapped[UUID] = mapped_column(ForeignKey("pending_operations.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    entry_id: Mapped[UUID] = mapped_column(ForeignKey("ledger_entries.id"))
    reason: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(24))
    description: Mapped[str] = mapped_column(Text)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    credit_entry_id: Mapped[UUID | None] = mapped_column(ForeignKey("ledger_entries.id"))
    settled_entry_id: Mapped[UUID | None] = mapped_column(ForeignKey("ledger_entries.id"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))


class LoanApplication(Base):
    """An application for a loan on the terms that the customer was shown. A person changes its status.

    `concerns` is what the rules had to say about it when it came.
    """

    __tablename__ = "loan_applications"
    __table_args__ = (
        CheckConstraint("status IN ('received', 'under_review', 'approved', 'declined')", name="status"),
        CheckConstraint("amount_minor > 0 AND payment_minor > 0 AND months > 0", name="terms"),
        CheckConstraint("(status = 'received') = (changed_by IS NULL)", name="changed"),
        CheckConstraint("changed_by <> user_id", name="not_by_oneself"),
    )

    id: Mapped[UUID] = mapped_column(ForeignKey("pending_operations.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    status: Mapped[str] = mapped_column(String(16))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    months: Mapped[int] = mapped_column(SmallInteger)
    annual_percent: Mapped[str] = mapped_column(String(8))
    payment_minor: Mapped[int] = mapped_column(BigInteger)
    concerns: Mapped[list[str]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    changed_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
