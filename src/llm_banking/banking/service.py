"""What the rest of the product may ask of banking."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.errors import AccountNotFoundError
from llm_banking.banking.models import Account, Transaction
from llm_banking.kit.money import Money


class AccountKind(StrEnum):
    """Kinds of account."""

    CHECKING = "checking"
    SAVINGS = "savings"
    CREDIT_CARD = "credit_card"


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
    """A final transaction and the name of the account it is on."""

    id: UUID
    account_name: str
    amount: Money
    description: str
    booked_at: datetime


_ORDER = [AccountKind.CHECKING, AccountKind.SAVINGS, AccountKind.CREDIT_CARD]


async def balances(session: AsyncSession, owner_id: UUID, kind: AccountKind | None = None) -> list[AccountBalance]:
    """An owner's accounts with their balances, all or of one kind; empty when there are none."""
    query = (
        select(Account, func.coalesce(func.sum(Transaction.amount_minor), 0))
        .outerjoin(Transaction, Transaction.account_id == Account.id)
        .where(Account.user_id == owner_id)
        .group_by(Account.id)
    )
    if kind is not None:
        query = query.where(Account.kind == kind.value)
    rows = (await session.execute(query)).all()
    found = [
        AccountBalance(
            account.id,
            AccountKind(account.kind),
            account.name,
            account.number_last4,
            Money(int(total), account.currency),
        )
        for account, total in rows
    ]
    return sorted(found, key=lambda one: (_ORDER.index(one.kind), one.number_last4))


async def latest_transactions(
    session: AsyncSession, owner_id: UUID, kind: AccountKind | None = None, *, limit: int = 5
) -> list[BookedTransaction]:
    """An owner's newest transactions, newest first, on all accounts or those of one kind."""
    query = (
        select(Transaction, Account.name, Account.currency)
        .join(Account, Transaction.account_id == Account.id)
        .where(Account.user_id == owner_id)
        .order_by(Transaction.booked_at.desc(), Transaction.id.desc())
        .limit(limit)
    )
    if kind is not None:
        query = query.where(Account.kind == kind.value)
    return [
        BookedTransaction(row.id, name, Money(row.amount_minor, currency), row.description, row.booked_at)
        for row, name, currency in (await session.execute(query)).all()
    ]


async def account_kind(session: AsyncSession, owner_id: UUID, account_id: UUID) -> AccountKind:
    """The kind of an owner's account. Raises AccountNotFoundError, for a foreign account too."""
    kind = await session.scalar(select(Account.kind).where(Account.id == account_id, Account.user_id == owner_id))
    if kind is None:
        raise AccountNotFoundError
    return AccountKind(kind)
