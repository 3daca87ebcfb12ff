"""Reading a customer's accounts. The SQL is written out: a chat turn and every page of the app wait for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Row, String, TextClause, Uuid, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeEngine

from llm_banking.banking.errors import AccountNotFoundError, DaysInvalidError
from llm_banking.kit.money import Money
from llm_banking.kit.paging import decode_cursor, encode_cursor

FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)
LAST_MOMENT = datetime.max.replace(tzinfo=UTC)
_BEFORE_ALL = UUID(int=0)


class AccountKind(StrEnum):
    """Kinds of a customer's account."""

    CHECKING = "checking"
    SAVINGS = "savings"
    CREDIT_CARD = "credit_card"
    LOAN = "loan"


class AccountStatus(StrEnum):
    """What an account may be used for: all, incoming money alone, nothing."""

    OPEN = "open"
    FROZEN = "frozen"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class AccountDetails:
    """An account as its owner sees it.

    `held` of the balance is set aside. `available` is what may leave now, credit line included; None where no limit is
    set.
    """

    id: UUID
    kind: AccountKind
    name: str
    number_last4: str
    status: AccountStatus
    balance: Money
    held: Money
    available: Money | None


@dataclass(frozen=True, slots=True)
class BookedTransaction:
    """A final posting, and the name of the account it is on; `id` is its entry's."""

    id: UUID
    account_name: str
    amount: Money
    description: str
    booked_at: datetime


@dataclass(frozen=True, slots=True)
class NamedAccount:
    """What a payer is told of somebody's account: how its number ends, and its currency."""

    number_last4: str
    currency: str


@dataclass(frozen=True, slots=True)
class AccountTransaction:
    """A final posting on an account; `id` is its entry's. Positive is a credit."""

    id: UUID
    amount: Money
    description: str
    booked_at: datetime


def sql(statement: str) -> TextClause:
    """A statement whose parameters have the types of the columns that they are compared with."""
    types: dict[str, TypeEngine[Any]] = {
        **dict.fromkeys(("owner", "account", "entry"), Uuid()),
        **dict.fromkeys(("since", "until", "moment"), DateTime(timezone=True)),
        "most": BigInteger(),
        "currency": String(),
    }
    return text(statement).bindparams(
        *(bindparam(name, type_=type_) for name, type_ in types.items() if f":{name}" in statement)
    )


_COLUMNS = """
    SELECT accounts.id, accounts.kind, accounts.name, accounts.number_last4, accounts.status, accounts.currency,
        accounts.balance_minor, accounts.held_minor, accounts.floor_minor
    FROM accounts
"""
_ACCOUNTS = sql(
    f"""
    {_COLUMNS}
    WHERE accounts.user_id = :owner AND accounts.kind <> 'internal'
    ORDER BY array_position(ARRAY['checking', 'savings', 'credit_card', 'loan'], accounts.kind::text),
        accounts.number_last4, accounts.id
    """
)
_ACCOUNT = sql(f"{_COLUMNS} WHERE accounts.id = :account AND accounts.user_id = :owner")
_TRANSACTIONS = sql(
    """
    SELECT postings.entry_id, postings.amount_minor, postings.currency, postings.description, postings.booked_at
    FROM postings JOIN accounts ON accounts.id = postings.account_id
    WHERE postings.account_id = :account AND accounts.user_id = :owner
        AND postings.booked_at >= :since AND (postings.booked_at, postings.entry_id) < (:moment, :entry)
    ORDER BY postings.booked_at DESC, postings.entry_id DESC
    LIMIT :most
    """
)
"""An entry has one leg on an account at most, so (booked_at, entry_id) is a place of its own."""


_INCOME = sql(
    """
    SELECT coalesce(sum(own.amount_minor), 0)
    FROM postings AS own JOIN accounts ON accounts.id = own.account_id
    WHERE accounts.user_id = :owner AND accounts.kind IN ('checking', 'savings') AND own.amount_minor > 0
        AND own.booked_at >= :since AND own.currency = :currency
        AND NOT EXISTS (
            SELECT FROM postings AS other JOIN accounts AS payer ON payer.id = other.account_id
            WHERE other.entry_id = own.entry_id AND other.amount_minor < 0 AND payer.user_id = :owner
        )
    """
)
_LATEST = sql(
    """
    SELECT postings.entry_id, accounts.name, postings.amount_minor, postings.currency, postings.description,
        postings.booked_at
    FROM postings JOIN accounts ON accounts.id = postings.account_id
    WHERE accounts.user_id = :owner AND (CAST(:kind AS text) IS NULL OR accounts.kind = :kind)
    ORDER BY postings.booked_at DESC, postings.entry_id DESC, postings.leg DESC
    LIMIT :most
    """
)
_NAMED = text("SELECT last4, currency FROM payee_account(:account, :name)")


async def list_accounts(session: AsyncSession, owner_id: UUID, kind: AccountKind | None = None) -> list[AccountDetails]:
    """An owner's accounts, checking first, all or of one kind; empty when there are none."""
    found = [_details(row) for row in await session.execute(_ACCOUNTS, {"owner": owner_id})]
    return [one for one in found if kind in (None, one.kind)]


async def get_account(session: AsyncSession, owner_id: UUID, account_id: UUID) -> AccountDetails:
    """One account of an owner. Raises AccountNotFoundError, for a foreign account too."""
    row = (await session.execute(_ACCOUNT, {"owner": owner_id, "account": account_id})).one_or_none()
    if row is None:
        raise AccountNotFoundError
    return _details(row)


async def list_transactions(
    session: AsyncSession,
    owner_id: UUID,
    account_id: UUID,
    *,
    limit: int,
    cursor: str | None = None,
    first_day: date | None = None,
    last_day: date | None = None,
) -> tuple[list[AccountTransaction], str | None]:
    """A page of an account's transactions, the newest first, and the cursor of the next page.

    With days, those that were booked from the first to the last of them; a day is one of UTC. Raises
    AccountNotFoundError, DaysInvalidError and CursorInvalidError.
    """
    since, until = days(first_day, last_day)
    moment, entry = (until, _BEFORE_ALL)
    if cursor is not None:
        moment, entry = min((until, _BEFORE_ALL), decode_cursor(cursor))
    values = {"owner": owner_id, "account": account_id, "since": since, "moment": moment, "entry": entry}
    rows = (await session.execute(_TRANSACTIONS, {**values, "most": limit + 1})).all()
    if not rows:
        await get_account(session, owner_id, account_id)
    following = encode_cursor(rows[limit - 1].booked_at, rows[limit - 1].entry_id) if len(rows) > limit else None
    return [_transaction(row) for row in rows[:limit]], following


async def latest_transactions(
    session: AsyncSession, owner_id: UUID, kind: AccountKind | None = None, *, limit: int = 5
) -> list[BookedTransaction]:
    """An owner's newest transactions, newest first, on all accounts or those of one kind."""
    values = {"owner": owner_id, "kind": kind, "most": limit}
    return [
        BookedTransaction(row.entry_id, row.name, Money(row.amount_minor, row.currency), row.description, row.booked_at)
        for row in await session.execute(_LATEST, values)
    ]


async def income_of(session: AsyncSession, owner_id: UUID, *, since: datetime, currency: str) -> Money:
    """What came in on an owner's accounts, without what they moved between them."""
    values = {"owner": owner_id, "since": since, "currency": currency}
    return Money(int(await session.scalar(_INCOME, values) or 0), currency)


async def named_account(session: AsyncSession, account_id: UUID, name: str) -> NamedAccount | None:
    """Somebody's account, for whoever knows its reference and its holder's name; None where one of them is wrong."""
    row = (await session.execute(_NAMED, {"account": account_id, "name": name})).one_or_none()
    return None if row is None else NamedAccount(row.last4, row.currency)


def days(first: date | None, last: date | None) -> tuple[datetime, datetime]:
    """The moment at which the first day begins, and that at which the last has ended, in UTC.

    Raises DaysInvalidError where the last is before the first.
    """
    if first is not None and last is not None and last < first:
        raise DaysInvalidError
    since = FIRST_MOMENT if first is None else _midnight(first)
    until = LAST_MOMENT if last is None or last == date.max else _midnight(last + timedelta(days=1))
    return since, until


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _details(row: Row[Any]) -> AccountDetails:
    currency = row.currency
    available = None if row.floor_minor is None else row.balance_minor - row.held_minor - row.floor_minor
    return AccountDetails(
        row.id,
        AccountKind(row.kind),
        row.name,
        row.number_last4,
        AccountStatus(row.status),
        Money(row.balance_minor, currency),
        Money(row.held_minor, currency),
        None if available is None else Money(available, currency),
    )


def _transaction(row: Row[Any]) -> AccountTransaction:
    return AccountTransaction(row.entry_id, Money(row.amount_minor, row.currency), row.description, row.booked_at)
