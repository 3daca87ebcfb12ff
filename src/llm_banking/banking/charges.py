"""Charges: what went from a customer's accounts, and was not taken back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.accounts import sql
from llm_banking.banking.errors import TransactionNotFoundError
from llm_banking.kit.money import Money


@dataclass(frozen=True, slots=True)
class Charge:
    """A debit; `id` is its entry's."""

    id: UUID
    account_id: UUID
    description: str
    amount: Money
    booked_at: datetime


_LATEST = sql(
    """
    SELECT postings.entry_id, postings.account_id, postings.description, postings.amount_minor, postings.currency,
        postings.booked_at
    FROM postings JOIN accounts ON accounts.id = postings.account_id
    WHERE accounts.user_id = :owner AND postings.amount_minor < 0 AND postings.booked_at >= :since
        AND NOT EXISTS (
            SELECT FROM ledger_entries AS one
            WHERE one.reverses_id = postings.entry_id OR (one.id = postings.entry_id AND one.reverses_id IS NOT NULL)
        )
    ORDER BY postings.booked_at DESC, postings.entry_id DESC
    LIMIT :most
    """
)
_OF_ENTRY = sql(
    """
    SELECT postings.entry_id, postings.account_id, postings.description, postings.amount_minor, postings.currency,
        postings.booked_at
    FROM postings JOIN accounts ON accounts.id = postings.account_id
    WHERE postings.entry_id = :entry AND accounts.user_id = :owner
        AND NOT EXISTS (
            SELECT FROM ledger_entries AS one
            WHERE one.reverses_id = postings.entry_id OR (one.id = postings.entry_id AND one.reverses_id IS NOT NULL)
        )
    """
)


async def latest_charges(session: AsyncSession, owner_id: UUID, *, since: datetime, most: int) -> list[Charge]:
    """An owner's charges on all accounts since a moment, newest first, without what was taken back."""
    rows = await session.execute(_LATEST, {"owner": owner_id, "since": since, "most": most})
    return [_charge(row) for row in rows]


async def charge_of(session: AsyncSession, owner_id: UUID, entry_id: UUID) -> Charge:
    """What went from an owner's account by an entry.

    Raises TransactionNotFoundError where it touches none of theirs, two of them, or brought money, and where it was
    taken back or takes something back.
    """
    rows = (await session.execute(_OF_ENTRY, {"owner": owner_id, "entry": entry_id})).all()
    if len(rows) != 1 or rows[0].amount_minor >= 0:
        raise TransactionNotFoundError
    return _charge(rows[0])


def _charge(row: Row[Any]) -> Charge:
    amount = Money(row.amount_minor, row.currency)
    return Charge(row.entry_id, row.account_id, row.description, amount, row.booked_at)
