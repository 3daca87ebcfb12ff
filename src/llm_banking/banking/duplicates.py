"""Charges that look as if they were made twice: same account, same payee's text, same amount, close together."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.accounts import get_account, sql
from llm_banking.kit.money import Money

WINDOW = timedelta(days=3)
"""A terminal's second try and a merchant's second batch come within it; next week's groceries do not."""
MAX_CHARGES = 2_000
"""That are looked at, the newest first."""


@dataclass(frozen=True, slots=True)
class Charge:
    """A debit; `id` is its entry's."""

    id: UUID
    account_id: UUID
    description: str
    amount: Money
    booked_at: datetime


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A charge, and the latest earlier one that it repeats."""

    first: Charge
    again: Charge


def find_duplicates(charges: Iterable[Charge], window: timedelta = WINDOW) -> list[Duplicate]:
    """Each charge that repeats an earlier one at most `window` before it, the oldest first. Credits never do."""
    latest: dict[tuple[UUID, str, Money], Charge] = {}
    found = []
    for charge in sorted(charges, key=lambda one: (one.booked_at, one.id)):
        if charge.amount.amount_minor >= 0:
            continue
        key = (charge.account_id, _payee(charge.description), charge.amount)
        earlier = latest.get(key)
        if earlier is not None and charge.booked_at - earlier.booked_at <= window:
            found.append(Duplicate(earlier, charge))
        latest[key] = charge
    return found


def _payee(text: str) -> str:
    """A payee's text without what terminals write differently: case, width, runs of spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


_CHARGES = sql(
    """
    SELECT postings.entry_id, postings.description, postings.amount_minor, postings.currency, postings.booked_at
    FROM postings JOIN accounts ON accounts.id = postings.account_id
    WHERE postings.account_id = :account AND accounts.user_id = :owner
        AND postings.booked_at >= :since AND postings.amount_minor < 0
        AND NOT EXISTS (SELECT FROM ledger_entries AS one WHERE one.reverses_id = postings.entry_id)
        AND NOT EXISTS (
            SELECT FROM ledger_entries AS one WHERE one.id = postings.entry_id AND one.reverses_id IS NOT NULL
        )
    ORDER BY postings.booked_at DESC, postings.entry_id DESC
    LIMIT :most
    """
)


_LATEST = sql(
    """
    SELECT postings.entry_id, postings.account_id, postings.description, postings.amount_minor, postings.currency,
        postings.booked_at
    FROM postings JOIN accounts ON accounts.id = postings.account_id
    WHERE accounts.user_id = :owner AND postings.amount_minor < 0 AND postings.booked_at >= :since
        AND NOT EXISTS (SELECT FROM disputes WHERE disputes.entry_id = postings.entry_id)
        AND NOT EXISTS (
            SELECT FROM ledger_entries AS one
            WHERE one.reverses_id = postings.entry_id OR (one.id = postings.entry_id AND one.reverses_id IS NOT NULL)
        )
    ORDER BY postings.booked_at DESC, postings.entry_id DESC
    LIMIT :most
    """
)


async def latest_charges(session: AsyncSession, owner_id: UUID, *, since: datetime, most: int) -> list[Charge]:
    """An owner's charges on all accounts since a moment, newest first, without what was taken back or is disputed."""
    rows = await session.execute(_LATEST, {"owner": owner_id, "since": since, "most": most})
    return [
        Charge(row.entry_id, row.account_id, row.description, Money(row.amount_minor, row.currency), row.booked_at)
        for row in rows
    ]


async def possible_duplicates(
    session: AsyncSession, owner_id: UUID, account_id: UUID, *, since: datetime, window: timedelta = WINDOW
) -> list[Duplicate]:
    """Duplicates among an account's charges since a moment; what was taken back is left out.

    Raises AccountNotFoundError, for a foreign account too.
    """
    await get_account(session, owner_id, account_id)
    values = {"owner": owner_id, "account": account_id, "since": since, "most": MAX_CHARGES}
    charges = [
        Charge(row.entry_id, account_id, row.description, Money(row.amount_minor, row.currency), row.booked_at)
        for row in await session.execute(_CHARGES, values)
    ]
    return find_duplicates(charges, window)
