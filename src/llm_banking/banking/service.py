"""What the rest of the product may ask of banking."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.accounts import AccountKind, list_accounts
from llm_banking.banking.errors import AccountNotFoundError
from llm_banking.banking.models import Account, Posting
from llm_banking.kit.money import Money

__all__ = [
    "AccountBalance",
    "AccountKind",
    "BookedTransaction",
    "account_kind",
    "balances",
    "latest_transactions",
]


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """An account and what is on it now; a credit card's balance is negative while money is owed."""

    id: UUID
    kind: AccountKind
    name: str
    number_last4: str
    balance: Money


@dataclass(frozen=True, slots=True)
class BookedTransaction:
    """A final posting, and the name of the account it is on; `id` is its entry's."""

    id: UUID
    account_name: str
    amount: Money
    description: str
    booked_at: datetime


async def balances(session: AsyncSession, owner_id: UUID, kind: AccountKind | None = None) -> list[AccountBalance]:
    """An owner's accounts with their balances, all or of one kind; empty when there are none."""
    return [
        AccountBalance(one.id, one.kind, one.name, one.number_last4, one.balance)
        for one in await list_accounts(session, owner_id)
        if kind in (None, one.kind)
    ]


async def latest_transactions(
    session: AsyncSession, owner_id: UUID, kind: AccountKind | None = None, *, limit: int = 5
) -> list[BookedTransaction]:
    """An owner's newest transactions, newest first, on all accounts or those of one kind."""
    query = (
        select(Posting, Account.name)
        .join(Account, Posting.account_id == Account.id)
        .where(Account.user_id == owner_id)
        .order_by(Posting.booked_at.desc(), Posting.entry_id.desc(), Posting.leg.desc())
        .limit(limit)
    )
    if kind is not None:
        query = query.where(Account.kind == kind.value)
    return [
        BookedTransaction(row.entry_id, name, Money(row.amount_minor, row.currency), row.description, row.booked_at)
        for row, name in (await session.execute(query)).all()
    ]


async def account_kind(session: AsyncSession, owner_id: UUID, account_id: UUID) -> AccountKind:
    """The kind of an owner's account. Raises AccountNotFoundError, for a foreign account too."""
    kind = await session.scalar(select(Account.kind).where(Account.id == account_id, Account.user_id == owner_id))
    if kind is None:
        raise AccountNotFoundError
    return AccountKind(kind)
