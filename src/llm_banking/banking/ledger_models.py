"""Rows of banking. Amounts are integer minor units; positive is a credit.

What the ledger's functions write (balances, entries, postings, holds; migration 0004) is only read here.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Base
from llm_banking.kit.ids import uuid7


class Account(Base):
    """A customer's account, or one of the bank's own (`internal`, of nobody).

    `balance_minor` is the sum of its postings and is negative where money is owed. `held_minor` of it is set aside, and
    `floor_minor` is the least that may be left: 0, or what a credit line allows. The bank's own keep no balance.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint("kind IN ('checking', 'savings', 'credit_card', 'loan', 'internal')", name="kind"),
        CheckConstraint("number_last4 ~ '^[0-9]{4}$'", name="number_last4"),
        CheckConstraint("(user_id IS NULL) = (kind = 'internal')", name="owner"),
        CheckConstraint("status IN ('open', 'frozen', 'closed')", name="status"),
        CheckConstraint("held_minor >= 0", name="held_minor"),
        Index("uq_accounts_internal", "name", "currency", unique=True, postgresql_where=text("kind = 'internal'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(Text)
    number_last4: Mapped[str] = mapped_column(String(4))
    currency: Mapped[str] = mapped_column(String(3))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    floor_minor: Mapped[int | None] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(String(8), server_default="open")
    balance_minor: Mapped[int] = mapped_column(BigInteger, server_default="0")
    held_minor: Mapped[int] = mapped_column(BigInteger, server_default="0")


class LedgerEntry(Base):
    """What was posted together. Final."""

    __tablename__ = "ledger_entries"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    body_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    kind: Mapped[str] = mapped_column(String(32))
    booked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    posted_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=text("now()"))
    reverses_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("ledger_entries.id", name="fk_ledger_entries_reverses_id"), unique=True
    )


class Posting(Base):
    """One account's part of an entry. Final."""

    __tablename__ = "postings"
    __table_args__ = (
        UniqueConstraint("entry_id", "account_id", name="uq_postings_entry_id_account_id"),
        CheckConstraint("amount_minor <> 0", name="amount_minor"),
        Index("ix_postings_account_booked", "account_id", "booked_at", "entry_id"),
    )

    entry_id: Mapped[UUID] = mapped_column(ForeignKey("ledger_entries.id"), primary_key=True)
    leg: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    description: Mapped[str] = mapped_column(Text)
    booked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    balance_after_minor: Mapped[int | None] = mapped_column(BigInteger)


class Hold(Base):
    """Money of an account that is set aside until it is posted (captured), released or expired."""

    __tablename__ = "holds"
    __table_args__ = (
        CheckConstraint("amount_minor > 0", name="amount_minor"),
        CheckConstraint("status IN ('active', 'captured', 'released')", name="status"),
        CheckConstraint("(status = 'captured') = (entry_id IS NOT NULL)", name="entry_id"),
        Index("ix_holds_expires_at", "expires_at", postgresql_where=text("status = 'active'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(8), server_default="active")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=text("now()"))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    entry_id: Mapped[UUID | None] = mapped_column(ForeignKey("ledger_entries.id"))


class Card(Base):
    """A card of an account. Its status and its limit change; of its number the last four digits are kept.

    `daily_limit_minor` is its owner's own limit for a day, in the account's currency; the bank's alone where null.
    """

    __tablename__ = "cards"
    __table_args__ = (
        CheckConstraint("kind IN ('debit', 'credit')", name="kind"),
        CheckConstraint("number_last4 ~ '^[0-9]{4}$'", name="number_last4"),
        CheckConstraint("status IN ('inactive', 'active', 'frozen', 'blocked')", name="status"),
        CheckConstraint("daily_limit_minor >= 0", name="daily_limit_minor"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), index=True)
    kind: Mapped[str] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(Text)
    number_last4: Mapped[str] = mapped_column(String(4))
    expires_on: Mapped[date] = mapped_column(Date)
    status: Mapped[str] = mapped_column(String(8))
    status_changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    daily_limit_minor: Mapped[int | None] = mapped_column(BigInteger)
    replaces_id: Mapped[UUID | None] = mapped_column(ForeignKey("cards.id"), unique=True)
