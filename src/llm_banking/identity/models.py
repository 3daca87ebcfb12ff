"""Rows of identity."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Base
from llm_banking.kit.ids import uuid7


class User(Base):
    """A customer of the bank or a member of its staff. `customer_number` is the bank's own reference."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint(
            "account_type IN ('guest', 'user', 'premium', 'agent', 'auditor', 'admin')", name="account_type"
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    customer_number: Mapped[str | None] = mapped_column(String(32), unique=True)
    display_name: Mapped[str] = mapped_column(Text)
    account_type: Mapped[str] = mapped_column(String(16))
    preferred_language: Mapped[str] = mapped_column(String(16), default="en")
    is_demo: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
