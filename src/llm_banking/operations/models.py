"""Rows of the gate. What of them may change, and when, the database says too (migration 0007)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Base
from llm_banking.kit.ids import uuid7

_KIND = "kind ~ '^[a-z]+(_[a-z]+)*$'"


class PendingOperation(Base):
    """What a customer was shown and may approve. Only `status` and `consumed_at` change, once.

    `session_id` is the conversation it came from, `message_id` the message that showed it: no foreign keys, for this
    row outlives those.
    """

    __tablename__ = "pending_operations"
    __table_args__ = (
        CheckConstraint(_KIND, name="kind"),
        CheckConstraint("channel IN ('api', 'chat')", name="channel"),
        CheckConstraint("status IN ('pending', 'consumed', 'voided', 'expired')", name="status"),
        CheckConstraint("(status = 'consumed') = (consumed_at IS NOT NULL)", name="consumed_at"),
        CheckConstraint("consumed_at >= created_at AND consumed_at < expires_at", name="in_time"),
        Index("ix_pending_operations_user_id", "user_id", "id"),
        Index("ix_pending_operations_open", "user_id", postgresql_where=text("status = 'pending'")),
        Index("ix_pending_operations_expires_at", "expires_at", postgresql_where=text("status = 'pending'")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(32))
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    payload_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    summary: Mapped[str] = mapped_column(Text)
    requires: Mapped[list[str]] = mapped_column(ARRAY(String(16)))
    session_id: Mapped[UUID | None]
    message_id: Mapped[UUID | None]
    channel: Mapped[str] = mapped_column(String(8))
    status: Mapped[str] = mapped_column(String(8), default="pending")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    consumed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class BankOperation(Base):
    """What was done for a customer. Final. `request` is the payload that was approved.

    `amount_minor` is null where no money was to move, `entry_id` also where it has not moved yet (`scheduled`).
    """

    __tablename__ = "bank_operations"
    __table_args__ = (
        CheckConstraint(_KIND, name="kind"),
        CheckConstraint("status IN ('executed', 'failed', 'scheduled')", name="status"),
        CheckConstraint("amount_minor > 0", name="amount_minor"),
        CheckConstraint(
            "(status = 'executed') = (executed_at IS NOT NULL) AND (entry_id IS NULL OR status = 'executed')",
            name="executed",
        ),
        CheckConstraint("(amount_minor IS NULL) = (currency IS NULL)", name="currency"),
        Index("ix_bank_operations_user_executed", "user_id", "executed_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(32))
    pending_id: Mapped[UUID] = mapped_column(ForeignKey("pending_operations.id"), unique=True)
    entry_id: Mapped[UUID | None] = mapped_column(ForeignKey("ledger_entries.id"), unique=True)
    payee_id: Mapped[UUID | None] = mapped_column(ForeignKey("payees.id"), index=True)
    status: Mapped[str] = mapped_column(String(16))
    amount_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str | None] = mapped_column(String(3))
    request: Mapped[dict[str, Any]] = mapped_column(JSONB)
    result: Mapped[dict[str, Any]] = mapped_column(JSONB)
    confirmation_code: Mapped[str] = mapped_column(String(16), unique=True)
    message_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    executed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class ContactCode(Base):
    """The code of a change of address. `code_encrypted` is there until it was sent; its keyed hash is bound to `id`."""

    __tablename__ = "contact_codes"
    __table_args__ = (
        CheckConstraint("failures BETWEEN 0 AND 5", name="failures"),
        CheckConstraint("expires_at > created_at", name="in_time"),
        CheckConstraint("sent_at IS NULL OR code_encrypted IS NULL", name="forgotten"),
        Index("ix_contact_codes_user_created", "user_id", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(ForeignKey("pending_operations.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    code_encrypted: Mapped[bytes | None] = mapped_column(LargeBinary)
    failures: Mapped[int] = mapped_column(SmallInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class ScheduledPayment(Base):
    """A payment that was approved to be made later, or again and again; what it is stands in the approved payload.

    Payment `next_number` is tried on `next_on` or as soon after as the worker runs; `attempts` of it failed so far.
    """

    __tablename__ = "scheduled_payments"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'finished', 'cancelled', 'failed')", name="status"),
        CheckConstraint(
            "(status = 'active') = (next_on IS NOT NULL) AND (status = 'active') = (ended_at IS NULL)", name="ended"
        ),
        CheckConstraint("next_number >= 0 AND attempts >= 0", name="counts"),
        Index("ix_scheduled_payments_due", "next_on", "id", postgresql_where=text("status = 'active'")),
    )

    id: Mapped[UUID] = mapped_column(ForeignKey("pending_operations.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    status: Mapped[str] = mapped_column(String(16), default="active")
    next_number: Mapped[int] = mapped_column(Integer, default=0)
    next_on: Mapped[date | None] = mapped_column(Date)
    attempts: Mapped[int] = mapped_column(SmallInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class PaymentRun(Base):
    """One try at one payment of a schedule. Final. One try of each number is executed at most."""

    __tablename__ = "payment_runs"
    __table_args__ = (
        CheckConstraint("status IN ('executed', 'failed')", name="status"),
        CheckConstraint(
            "(status = 'executed') = (entry_id IS NOT NULL) AND (entry_id IS NULL) = (reason IS NOT NULL)",
            name="executed",
        ),
        CheckConstraint("number >= 0 AND attempt >= 1", name="counts"),
        Index(
            "uq_payment_runs_executed",
            "schedule_id",
            "number",
            unique=True,
            postgresql_where=text("status = 'executed'"),
        ),
    )

    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("scheduled_payments.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    attempt: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    due_on: Mapped[date] = mapped_column(Date)
    status: Mapped[str] = mapped_column(String(8))
    reason: Mapped[str | None] = mapped_column(String(32))
    entry_id: Mapped[UUID | None] = mapped_column(ForeignKey("ledger_entries.id"), unique=True)
    ran_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
