"""News for others, written with what it tells: both are committed, or neither is. The worker delivers it later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Index, Integer, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Base
from llm_banking.kit.ids import uuid7


class OutboxRow(Base):
    """One piece of news about a user. `payload` holds ids, never names or amounts: whoever is told may ask.

    `position` is the order in which a user's news was written. `attempts` counts those that were begun, so that news
    which ends whoever delivers it is given up as well: `parked_at`.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index(
            "ix_outbox_waiting",
            "user_id",
            "position",
            postgresql_where=text("delivered_at IS NULL AND parked_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    topic: Mapped[str] = mapped_column(String(64))
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)
    delivered_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    next_attempt_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=text("now()"))
    parked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


def tell(session: AsyncSession, user_id: UUID, topic: str, payload: Mapping[str, Any]) -> None:
    """Write a piece of news in the caller's transaction."""
    session.add(OutboxRow(user_id=user_id, topic=topic, payload=dict(payload)))
