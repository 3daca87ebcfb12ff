"""Payments that are made later, or again and again: what is planned, what became of it, and an end to it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Request
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.api.dependencies import CallerDep, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, Model, Timestamp, metadata_of
from llm_banking.api.idempotency import OptionalIdempotencyKey, answered_once
from llm_banking.api.v2.operations import PAGE_CURSOR, ConfirmRequest, OperationBody, approved, decimal
from llm_banking.api.v2.when import WhenBody, when_body
from llm_banking.identity.principal import LimitClass, Permission, requires
from llm_banking.identity.step_up import Refusal
from llm_banking.operations.drafts import CancelSchedule, Kind
from llm_banking.operations.models import PaymentRun
from llm_banking.operations.schedule_records import MAX_PAGE_ROWS, Planned, planned_of, runs_of, schedules_of

routes = router("/api/v2/scheduled-payments", "scheduled payments")


class ScheduledPaymentBody(Model):
    """A planned payment. `id` is that of the operation which was confirmed.

    `next_on` is the day of the next payment or try; null once it is over. `failed_attempts` are those of that payment.
    """

    id: UUID
    kind: Kind
    status: Literal["active", "finished", "cancelled", "failed"]
    summary: str
    amount: str
    fee: str
    currency: str
    when: WhenBody
    next_on: date | None
    failed_attempts: int
    created_at: Timestamp
    ended_at: Timestamp | None


class PaymentRunBody(Model):
    """One try at one payment, counted from 1. `reason` says why it was not made, `entry_id` is what was posted."""

    number: int
    attempt: int
    due_on: date
    status: Literal["executed", "failed"]
    reason: str | None
    entry_id: UUID | None
    ran_at: Timestamp


class ScheduledPaymentPage(Model):
    """Planned payments, and where the next page begins (null on the last)."""

    items: list[ScheduledPaymentBody]
    next_cursor: str | None


class ScheduledPaymentDetails(Model):
    """A planned payment with its latest tries, newest first."""

    scheduled_payment: ScheduledPaymentBody
    runs: list[PaymentRunBody]


def _body(planned: Planned) -> ScheduledPaymentBody:
    row, pending = planned.schedule, planned.pending
    return ScheduledPaymentBody.model_validate(
        {
            "id": row.id,
            "kind": pending.kind,
            "status": row.status,
            "summary": pending.summary,
            "amount": decimal(pending.payload, "amount_minor"),
            "fee": decimal(pending.payload, "fee_minor"),
            "currency": pending.payload["currency"],
            "when": when_body(pending.payload),
            "next_on": row.next_on,
            "failed_attempts": row.attempts,
            "created_at": row.created_at,
            "ended_at": row.ended_at,
        }
    )


def _run(row: PaymentRun) -> PaymentRunBody:
    return PaymentRunBody.model_validate(
        {
            "number": row.number + 1,
            "attempt": row.attempt,
            "due_on": row.due_on,
            "status": row.status,
            "reason": row.reason,
            "entry_id": row.entry_id,
            "ran_at": row.ran_at,
        }
    )


@routes.get("")
@policy(requires(Permission.BANKING_READ))
async def list_scheduled_payments(
    request: Request,
    caller: CallerDep,
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE_ROWS)] = 20,
    cursor: Annotated[str | None, Query(pattern=PAGE_CURSOR)] = None,
) -> Envelope[ScheduledPaymentPage]:
    """The caller's planned payments, newest first, with those that are over."""
    before = None if cursor is None else UUID(cursor)
    async with services.database.transaction(visible_to={caller.user_id}) as session:
        found = await schedules_of(session, caller.user_id, limit=limit + 1, before=before)
    items = [_body(one) for one in found[:limit]]
    following = items[-1].id.hex if len(found) > limit else None
    return Envelope(data=ScheduledPaymentPage(items=items, next_cursor=following), metadata=metadata_of(request))


@routes.get("/{schedule_id}")
@policy(requires(Permission.BANKING_READ))
async def get_scheduled_payment(
    request: Request, schedule_id: UUID, caller: CallerDep, services: ServicesDep
) -> Envelope[ScheduledPaymentDetails]:
    """One planned payment, and what became of it."""
    async with services.database.transaction(visible_to={caller.user_id}) as session:
        found = await planned_of(session, caller.user_id, schedule_id)
        runs = await runs_of(session, schedule_id)
    details = ScheduledPaymentDetails(scheduled_payment=_body(found), runs=[_run(one) for one in runs])
    return Envelope(data=details, metadata=metadata_of(request))


@routes.post("/{schedule_id}/cancel")
@policy(requires(Permission.BANKING_WRITE, LimitClass.TRANSFER))
async def cancel_scheduled_payment(
    request: Request,
    schedule_id: UUID,
    caller: CallerDep,
    services: ServicesDep,
    key: OptionalIdempotencyKey = None,
) -> Envelope[OperationBody]:
    """Make no more payments of it. What was paid stays paid. The answer is the operation that ended it."""

    async def work(session: AsyncSession) -> OperationBody | Refusal:
        pending = await services.gate.propose(session, caller, CancelSchedule(schedule_id), channel="api")
        return await approved(services, session, caller, pending.id, ConfirmRequest())

    data = await answered_once(services, caller, request, {}, key=key, status=200, answer=OperationBody, work=work)
    return Envelope(data=data, metadata=metadata_of(request))
