"""Rows of banking. Amounts are integer minor units; a balance is always the sum of its transactions."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Base
from llm_banking.kit.ids import uuid7


class Account(Base):
    """A customer's account. A credit card's balance is negative while money is owed."""

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint("kind IN ('checking', 'savings', 'credit_card')", name="kind"),
        CheckConstraint("number_last4 ~ '^[0-9]{4}$'", name="number_last4"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(Text)
    number_last4: Mapped[str] = mapped_column(String(4))
    currency: Mapped[str] = mapped_column(String(3))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)


class Transaction(Base):
    """Money in (positive) or out (negative) of one account, final once booked."""

    __tablename__ = "transactions"
    __table_args__ = (
        Index("ix_transactions_account_booked", "account_id", "booked_at"),
        CheckConstraint("amount_minor <> 0", name="amount_minor"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    description: Mapped[str] = mapped_column(Text)
    booked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
