"""Operations whose time to be approved is over."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.operations.models import PendingOperation


async def close_overdue(session: AsyncSession, now: datetime, *, most: int) -> int:
    """Mark them, of whomever the transaction sees, so many at most; returns how many there were.

    One that somebody approves or calls off at this moment is passed over.
    """
    waiting = select(PendingOperation.id).where(
        PendingOperation.status == "pending", PendingOperation.expires_at <= now
    )
    some = waiting.order_by(PendingOperation.expires_at).limit(most).with_for_update(skip_locked=True)
    closed = update(PendingOperation).where(PendingOperation.id.in_(some)).values(status="expired")
    return len((await session.scalars(closed.returning(PendingOperation.id))).all())
