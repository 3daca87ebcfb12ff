"""What the gate tells of an operation, and how the rows are found: always those of one customer."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.kit.money import Money
from llm_banking.operations.errors import PendingNotFoundError
from llm_banking.operations.models import BankOperation, PaymentRun, PendingOperation

MAX_PAGE_ROWS = 100
_CODE_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Pending:
    """What waits for its owner's approval. `requires` names the factors of which one must be proved; none where empty.

    `status` is pending, consumed, voided or expired.
    """

    id: UUID
    kind: str
    summary: str
    payload: dict[str, Any]
    payload_hash: bytes
    created_at: datetime
    expires_at: datetime
    requires: frozenset[str]
    status: str

    @classmethod
    def of(cls, row: PendingOperation, now: datetime) -> Pending:
        """A row as it is at a time: one whose time is over is expired, whether or not the row says so yet."""
        over = row.status == "pending" and now >= row.expires_at
        return cls(
            row.id,
            row.kind,
            row.summary,
            row.payload,
            row.payload_hash,
            row.created_at,
            row.expires_at,
            frozenset(row.requires),
            "expired" if over else row.status,
        )


@dataclass(frozen=True, slots=True)
class Operation:
    """What was done. `pending_id` is the approved operation it came from, `summary` the text that was shown.

    `told` says what was done, and is made from what was approved, like the text shown.
    """

    id: UUID
    pending_id: UUID
    kind: str
    status: str
    summary: str
    told: str
    payload: dict[str, Any]
    confirmation_code: str
    entry_id: UUID | None
    executed_at: datetime | None

    @classmethod
    def of(cls, row: BankOperation, summary: str) -> Operation:
        """A row, with the text that its owner was shown."""
        return cls(
            row.id,
            row.pending_id,
            row.kind,
            row.status,
            summary,
            row.result.get("told", summary),
            row.request,
            row.confirmation_code,
            row.entry_id,
            row.executed_at,
        )


@dataclass(frozen=True, slots=True)
class Record:
    """An operation from its proposal on, and what was done where it was approved."""

    pending: Pending
    operation: Operation | None


async def locked(session: AsyncSession, user_id: UUID, pending_id: UUID) -> PendingOperation:
    """A customer's pending row, held until the transaction ends. Raises PendingNotFoundError."""
    found = await session.scalar(
        select(PendingOperation)
        .where(PendingOperation.id == pending_id, PendingOperation.user_id == user_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise PendingNotFoundError
    return found


async def records_of(
    session: AsyncSession, user_id: UUID, *, now: datetime, limit: int, before: UUID | None = None
) -> list[Record]:
    """A customer's operations, newest first; those that were proposed before another one, if it is named.

    At most one more than a page has: whoever asks for that one learns whether there is a next page.
    """
    query = (
        select(PendingOperation, BankOperation)
        .outerjoin(BankOperation, BankOperation.pending_id == PendingOperation.id)
        .where(PendingOperation.user_id == user_id)
        .order_by(PendingOperation.id.desc())
        .limit(min(limit, MAX_PAGE_ROWS + 1))
    )
    if before is not None:
        query = query.where(PendingOperation.id < before)
    return [_record(pending, done, now) for pending, done in (await session.execute(query)).all()]


async def record_of(session: AsyncSession, user_id: UUID, pending_id: UUID, *, now: datetime) -> Record:
    """One of a customer's operations. Raises PendingNotFoundError."""
    row = (
        await session.execute(
            select(PendingOperation, BankOperation)
            .outerjoin(BankOperation, BankOperation.pending_id == PendingOperation.id)
            .where(PendingOperation.user_id == user_id, PendingOperation.id == pending_id)
            .execution_options(populate_existing=True)
        )
    ).one_or_none()
    if row is None:
        raise PendingNotFoundError
    return _record(row[0], row[1], now)


def _record(pending: PendingOperation, done: BankOperation | None, now: datetime) -> Record:
    return Record(Pending.of(pending, now), Operation.of(done, pending.summary) if done is not None else None)


async def sent_since(
    session: AsyncSession,
    user_id: UUID,
    currency: str,
    moment: datetime,
    *,
    payee_id: UUID | None = None,
    account_id: UUID | None = None,
) -> Money:
    """What left a customer's accounts since a time, at once and by schedules.

    In all, or to one payee, or from one account.
    """
    mine = [
        BankOperation.user_id == user_id,
        BankOperation.currency == currency,
        func.jsonb_typeof(BankOperation.request["payer"]) == "object",  # what a dispute gives back is not sent
    ]
    if payee_id is not None:
        mine.append(BankOperation.payee_id == payee_id)
    if account_id is not None:
        mine.append(BankOperation.request["payer"]["account_id"].astext == str(account_id))
    total = func.coalesce(func.sum(BankOperation.amount_minor), 0)
    at_once = select(total).where(*mine, BankOperation.status == "executed", BankOperation.executed_at >= moment)
    by_schedules = (
        select(total)
        .join(PaymentRun, PaymentRun.schedule_id == BankOperation.pending_id)
        .where(*mine, PaymentRun.status == "executed", PaymentRun.ran_at >= moment)
    )
    sent = at_once.scalar_subquery() + by_schedules.scalar_subquery()
    return Money(int(await session.scalar(select(sent)) or 0), currency)


def confirmation_code() -> str:
    """Ten letters and digits that are hard to mistake: 50 random bits; the database keeps them unique."""
    letters = "".join(secrets.choice(_CODE_LETTERS) for _ in range(10))
    return f"{letters[:5]}-{letters[5:]}"
