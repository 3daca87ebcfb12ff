"""From what a customer wishes to a plan that is frozen, and from an approved plan to a schedule."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.bank_days import BankDays
from llm_banking.banking.business_days import Roll
from llm_banking.operations.errors import NotPossibleError, TooManySchedulesError
from llm_banking.operations.models import ScheduledPayment
from llm_banking.operations.payment import Payment
from llm_banking.operations.policy import ScheduleRules
from llm_banking.operations.when import MAX_PAYMENTS, NOW, Once, OnDay, Plan, Repeats, Wish


def plan(wish: Wish, days: BankDays, today: date, rules: ScheduleRules) -> Plan:
    """What is frozen of a wish. Raises NotPossibleError, RecurrenceInvalidError and YearNotListedError."""
    if isinstance(wish, OnDay):
        if wish.day <= today:
            raise NotPossibleError("A payment is planned for a day after today. Leave the day out to pay now.")
        _check_far(wish.day, today, rules)
        return Once(wish.day, days.business_day_from(wish.day))
    if isinstance(wish, Repeats):
        return _repeats(wish, days, today, rules)
    return NOW


def _repeats(wish: Repeats, days: BankDays, today: date, rules: ScheduleRules) -> Repeats:
    found = replace(wish, rule=replace(wish.rule, roll=Roll.FOLLOWING))
    first = found.rule.due_day(0)
    if first < today:
        raise NotPossibleError("The first day is over. Choose today or a later one.")
    _check_far(first, today, rules)
    days.business_day_from(first)
    if found.last_day is not None and (found.count is not None or found.last_day < first):
        raise NotPossibleError("Give the day after which it ends, not before the first one, or a number of payments.")
    if found.count is not None and not 1 <= found.count <= MAX_PAYMENTS:
        raise NotPossibleError(f"A payment is repeated up to {MAX_PAYMENTS} times.")
    return found


def _check_far(day: date, today: date, rules: ScheduleRules) -> None:
    if day > today + timedelta(days=rules.days_ahead):
        raise NotPossibleError(f"The first payment is at most {rules.days_ahead} days ahead. Choose an earlier day.")


async def check_room(session: AsyncSession, payload: Payment, today: date, rules: ScheduleRules) -> None:
    """Whether a plan can still be begun, and the customer may have one more. Raises NotPossibleError."""
    first = None if payload.when == NOW else payload.when.due_day(0)
    if first is None or first < today:
        raise NotPossibleError("The day of the payment is over. Ask for it again with a later day.")
    active = select(func.count()).where(
        ScheduledPayment.user_id == UUID(payload.user_id), ScheduledPayment.status == "active"
    )
    if (await session.scalar(active) or 0) >= rules.most:
        raise TooManySchedulesError(rules.most)


def add_schedule(session: AsyncSession, payload: Payment, days: BankDays, now: datetime) -> None:
    """Put an approved plan on its owner's schedules."""
    first = None if payload.when == NOW else payload.when.due_day(0)
    if first is None:
        raise NotPossibleError("This payment has no day on which it is made.")
    session.add(
        ScheduledPayment(
            id=UUID(payload.id),
            user_id=UUID(payload.user_id),
            next_on=days.business_day_from(first),
            created_at=now,
        )
    )
