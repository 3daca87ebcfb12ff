"""Planned payments: which are due, one of them made or its failure written down, and what their owner is told.

A payment, what it posted, the schedule's next one and the news are written in one transaction that holds the owner's
row and then the schedule's, as the gate does. The entry's id follows from the schedule and the payment's number: the
ledger takes each once, whatever happened before (ADR 0015).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.bank_days import BankDays
from llm_banking.banking.business_days import YearNotListedError
from llm_banking.banking.errors import (
    AccountNotFoundError,
    AccountNotOpenError,
    InsufficientFundsError,
    PayeeNotFoundError,
)
from llm_banking.identity.models import User
from llm_banking.kit import outbox
from llm_banking.kit.errors import LlmBankingError
from llm_banking.operations.errors import AmountLimitError, NotPossibleError, PendingAlteredError
from llm_banking.operations.handlers import as_shown
from llm_banking.operations.models import PaymentRun, PendingOperation, ScheduledPayment
from llm_banking.operations.payment import Payment
from llm_banking.operations.payments import Payments
from llm_banking.operations.policy import ScheduleRules
from llm_banking.operations.when import NOW, Once

REASONS: dict[type[LlmBankingError], str] = {
    InsufficientFundsError: "insufficient_funds",
    AmountLimitError: "limit_exceeded",
    AccountNotOpenError: "account_not_open",
    AccountNotFoundError: "account_not_found",
    PayeeNotFoundError: "payee_removed",
    NotPossibleError: "not_possible",
}
"""Why a payment was not made, as it is stored and told."""
MISSED = "missed"
OWNER_SUSPENDED = "owner_suspended"
YEAR_NOT_LISTED = "year_not_listed"
_FOR_GOOD = frozenset({"payee_removed", "account_not_found"})
"""After these no try can succeed, and the schedule ends."""
_NEVER_AGAIN = frozenset({MISSED, *_FOR_GOOD})


@dataclass(frozen=True, slots=True)
class Due:
    """A schedule of which a payment is due, and whose it is."""

    id: UUID
    user_id: UUID
    next_on: date


async def due_schedules(session: AsyncSession, today: date, *, most: int, after: Due | None = None) -> Sequence[Due]:
    """Schedules with a payment that is due today or was before, in one order; those after another one, if it is named.

    It locks nothing: whoever takes one up looks again.
    """
    row = ScheduledPayment
    query = select(row.id, row.user_id, row.next_on).where(row.status == "active", row.next_on <= today)
    if after is not None:
        query = query.where(tuple_(row.next_on, row.id) > tuple_(after.next_on, after.id))
    found = await session.execute(query.order_by(row.next_on, row.id).limit(most))
    return [Due(one.id, one.user_id, one.next_on) for one in found if one.next_on is not None]


async def _taken(session: AsyncSession, due: Due, today: date) -> ScheduledPayment | None:
    """The schedule, locked, if a payment of it is still due."""
    row = ScheduledPayment
    still = (row.id == due.id, row.user_id == due.user_id, row.status == "active", row.next_on <= today)
    found: ScheduledPayment | None = await session.scalar(
        select(row).where(*still).with_for_update().execution_options(populate_existing=True)
    )
    return found


class Schedules:
    """Makes the payments of schedules."""

    def __init__(self, payments: Payments, rules: ScheduleRules, days: BankDays) -> None:
        self._payments = payments
        self._rules = rules
        self._days = days

    def today(self, now: datetime) -> date:
        """The day that it is at the bank."""
        return self._days.today(now)

    async def pay(self, session: AsyncSession, due: Due, now: datetime) -> PaymentRun | None:
        """Make a schedule's next payment, or write down why not, in a transaction that works for its owner alone.

        None where nothing is due any more, or somebody else is at work for this customer: whoever comes next looks
        again. Raises PendingAlteredError where what is stored is not what was approved.
        """
        held = select(User.status).where(User.id == due.user_id)
        owner_status = await session.scalar(held.with_for_update(key_share=True, skip_locked=True))
        today = self.today(now)
        schedule = None if owner_status is None else await _taken(session, due, today)
        if schedule is None or schedule.next_on is None:
            return None
        payload = await self._approved(session, schedule)
        due_on = None if payload.when == NOW else payload.when.due_day(schedule.next_number)
        if due_on is None:
            raise PendingAlteredError
        pays_on = self._pays_on(due_on)
        if pays_on is not None and pays_on > today:
            schedule.next_on = pays_on  # its year was not listed yet when this one came next
            return None
        entry_id, reason = None, self._refused(schedule.next_on, pays_on, owner_status, today)
        if reason is None:
            try:
                entry_id = await self._payments.pay(session, payload, schedule.next_number, now)
            except tuple(REASONS) as error:
                reason = REASONS[type(error)]
        run = PaymentRun(
            schedule_id=schedule.id,
            number=schedule.next_number,
            attempt=schedule.attempts + 1,
            due_on=due_on,
            status="failed" if entry_id is None else "executed",
            reason=reason,
            entry_id=entry_id,
            ran_at=now,
        )
        session.add(run)
        self._go_on(schedule, payload, run, today, now)
        _tell(session, schedule, run)
        await session.flush()
        return run

    def _pays_on(self, due_on: date) -> date | None:
        """The business day on which a due payment is made; None where its year is not listed."""
        try:
            return self._days.business_day_from(due_on)
        except YearNotListedError:
            return None

    def _refused(self, next_on: date, pays_on: date | None, owner_status: str | None, today: date) -> str | None:
        """Why a payment is not even tried: one that comes so late is no longer counted on."""
        if today - next_on > timedelta(days=self._rules.missed_after_days):
            return MISSED
        if pays_on is None:
            return YEAR_NOT_LISTED
        return None if owner_status == "active" else OWNER_SUSPENDED

    async def _approved(self, session: AsyncSession, schedule: ScheduledPayment) -> Payment:
        row = await session.scalar(
            select(PendingOperation).where(
                PendingOperation.id == schedule.id, PendingOperation.user_id == schedule.user_id
            )
        )
        if row is None or row.status != "consumed":
            raise PendingAlteredError
        payload = as_shown(row, dict.fromkeys([row.kind], self._payments))
        if not isinstance(payload, Payment):
            raise PendingAlteredError
        return payload

    def _go_on(self, schedule: ScheduledPayment, payload: Payment, run: PaymentRun, today: date, now: datetime) -> None:
        """Try the same again on a later day, go on to the next payment, or end."""
        if run.status == "failed" and run.reason not in _NEVER_AGAIN and schedule.attempts < self._rules.retries:
            schedule.attempts += 1
            schedule.next_on = self._next_try(today)
            return
        schedule.attempts = 0
        following = None if payload.when == NOW else payload.when.due_day(schedule.next_number + 1)
        if following is None or run.reason in _FOR_GOOD:
            once_failed = run.status == "failed" and isinstance(payload.when, Once)
            schedule.status = "failed" if once_failed or run.reason in _FOR_GOOD else "finished"
            schedule.next_on, schedule.ended_at = None, now
            return
        schedule.next_number += 1
        schedule.next_on = self._pays_on(following) or following  # where its year is not listed, it is told on that day

    def _next_try(self, today: date) -> date:
        try:
            return self._days.business_day_after(today)
        except YearNotListedError:
            return today + timedelta(days=1)


def _tell(session: AsyncSession, schedule: ScheduledPayment, run: PaymentRun) -> None:
    news = {"operation_id": str(schedule.id), "number": run.number, "due_on": run.due_on.isoformat()}
    if run.entry_id is not None:
        news["entry_id"] = str(run.entry_id)
    else:
        again = schedule.next_on if schedule.next_number == run.number and schedule.next_on is not None else None
        news |= {"reason": run.reason or "", "again_on": None if again is None else again.isoformat()}
    outbox.tell(session, schedule.user_id, f"scheduled_payment.{run.status}", news)
    if schedule.status != "active":
        end = {"operation_id": str(schedule.id), "status": schedule.status}
        outbox.tell(session, schedule.user_id, "scheduled_payment.ended", end)
