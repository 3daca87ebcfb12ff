"""What is told of planned payments: always those of one customer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.operations.errors import ScheduleNotFoundError
from llm_banking.operations.models import PaymentRun, PendingOperation, ScheduledPayment

MAX_PAGE_ROWS = 100
MAX_RUNS = 100


@dataclass(frozen=True, slots=True)
class Planned:
    """A schedule, and what its owner approved."""

    schedule: ScheduledPayment
    pending: PendingOperation


async def schedules_of(
    session: AsyncSession, user_id: UUID, *, limit: int, before: UUID | None = None, active: bool = False
) -> list[Planned]:
    """A customer's schedules, newest first; those that were proposed before another one, if it is named.

    With `active`, those alone of which more payments are to come.
    """
    query = (
        select(ScheduledPayment, PendingOperation)
        .join(PendingOperation, PendingOperation.id == ScheduledPayment.id)
        .where(ScheduledPayment.user_id == user_id)
        .order_by(ScheduledPayment.id.desc())
        .limit(min(limit, MAX_PAGE_ROWS + 1))
        .execution_options(populate_existing=True)
    )
    if before is not None:
        query = query.where(ScheduledPayment.id < before)
    if active:
        query = query.where(ScheduledPayment.status == "active")
    return [Planned(row[0], row[1]) for row in await session.execute(query)]


async def planned_of(session: AsyncSession, user_id: UUID, schedule_id: UUID) -> Planned:
    """One of a customer's schedules. Raises ScheduleNotFoundError."""
    query = (
        select(ScheduledPayment, PendingOperation)
        .join(PendingOperation, PendingOperation.id == ScheduledPayment.id)
        .where(ScheduledPayment.user_id == user_id, ScheduledPayment.id == schedule_id)
        .execution_options(populate_existing=True)
    )
    found = (await session.execute(query)).one_or_none()
    if found is None:
        raise ScheduleNotFoundError
    return Planned(found[0], found[1])


async def runs_of(session: AsyncSession, schedule_id: UUID) -> Sequence[PaymentRun]:
    """The latest tries of a schedule that the transaction sees, newest first; MAX_RUNS at most."""
    latest = (PaymentRun.number.desc(), PaymentRun.attempt.desc())
    return (
        await session.scalars(
            select(PaymentRun).where(PaymentRun.schedule_id == schedule_id).order_by(*latest).limit(MAX_RUNS)
        )
    ).all()
