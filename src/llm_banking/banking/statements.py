"""Monthly statements that reconcile: what was there, with every posting of the month, is what is there afterwards."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Self
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.accounts import days, sql
from llm_banking.banking.errors import (
    AccountNotFoundError,
    StatementDiffersError,
    StatementNotReadyError,
    StatementTooLongError,
)
from llm_banking.kit.errors import LlmBankingError
from llm_banking.kit.money import Money

MAX_LINES = 5_000
"""Of one statement; it is made in memory."""
MONTH_PATTERN = "^(19|20)[0-9]{2}-(0[1-9]|1[0-2])$"


class MonthInvalidError(LlmBankingError):
    """A text that names no month."""

    code = "INVALID_REQUEST"


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month; its days are those of UTC."""

    first_day: date

    def __post_init__(self) -> None:
        if self.first_day.day != 1:
            raise MonthInvalidError("A month begins on its first day.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """From "2026-10". Raises MonthInvalidError."""
        if re.fullmatch(MONTH_PATTERN, text) is None:
            raise MonthInvalidError("That is no month. Write it like 2026-10.")
        return cls(date.fromisoformat(f"{text}-01"))

    @classmethod
    def of(cls, day: date) -> Self:
        """The month that a day is in."""
        return cls(day.replace(day=1))

    @property
    def last_day(self) -> date:
        """Its last day."""
        return (self.first_day + timedelta(days=31)).replace(day=1) - timedelta(days=1)

    @property
    def before(self) -> Month:
        """The month before it."""
        return Month.of(self.first_day - timedelta(days=1))

    def __str__(self) -> str:
        return f"{self.first_day:%Y-%m}"


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One posting; `id` is its entry's, `balance` the account's after it."""

    id: UUID
    booked_at: datetime
    description: str
    amount: Money
    balance: Money


@dataclass(frozen=True, slots=True)
class Statement:
    """An account's month. Raises StatementDiffersError where opening and lines do not lead to the closing balance.

    `last_day` is the last that it tells of: the month's, or today where the month still runs and it is not `complete`.
    """

    account_name: str
    number_last4: str
    month: Month
    opening: Money
    lines: tuple[StatementLine, ...]
    closing: Money
    last_day: date
    complete: bool

    def __post_init__(self) -> None:
        balance = self.opening
        for line in self.lines:
            balance += line.amount
            if balance != line.balance:
                raise StatementDiffersError
        if balance != self.closing:
            raise StatementDiffersError

    @property
    def money_in(self) -> Money:
        """What all credits add up to."""
        return Money(sum(max(line.amount.amount_minor, 0) for line in self.lines), self.opening.currency)

    @property
    def money_out(self) -> Money:
        """What all debits add up to, as a negative amount."""
        return Money(sum(min(line.amount.amount_minor, 0) for line in self.lines), self.opening.currency)


_STATEMENT = sql(
    """
    WITH account AS MATERIALIZED (
        SELECT accounts.id, accounts.name, accounts.number_last4, accounts.currency, accounts.balance_minor,
            (SELECT coalesce(sum(amount_minor), 0)::bigint FROM postings
             WHERE account_id = accounts.id AND booked_at < :since) AS earlier_minor,
            (SELECT coalesce(sum(amount_minor), 0)::bigint FROM postings
             WHERE account_id = accounts.id AND booked_at >= :until) AS later_minor
        FROM accounts WHERE accounts.id = :account AND accounts.user_id = :owner
    )
    SELECT account.name, account.number_last4, account.currency, account.balance_minor, account.earlier_minor,
        account.later_minor, line.entry_id, line.booked_at, line.description, line.amount_minor
    FROM account LEFT JOIN LATERAL (
        SELECT entry_id, booked_at, description, amount_minor FROM postings
        WHERE account_id = account.id AND booked_at >= :since AND booked_at < :until
        ORDER BY booked_at, entry_id LIMIT :most
    ) AS line ON true
    ORDER BY line.booked_at, line.entry_id
    """
)
"""One statement is one view of the ledger: nothing is posted between its sums."""


async def statement_of(
    session: AsyncSession, owner_id: UUID, account_id: UUID, month: Month, *, today: date
) -> Statement:
    """An account's statement of a month, checked against the balance that the ledger keeps.

    Raises AccountNotFoundError (for a foreign account too), StatementNotReadyError, StatementTooLongError and
    StatementDiffersError.
    """
    since, until = days(month.first_day, month.last_day)
    values = {"owner": owner_id, "account": account_id, "since": since, "until": until, "most": MAX_LINES + 1}
    rows = (await session.execute(_STATEMENT, values)).all()
    if not rows:
        raise AccountNotFoundError
    if month.first_day > today:
        raise StatementNotReadyError
    posted = [row for row in rows if row.entry_id is not None]
    if len(posted) > MAX_LINES:
        raise StatementTooLongError(MAX_LINES)
    return _statement(rows[0], posted, month, today)


def _statement(account: Row[Any], posted: list[Row[Any]], month: Month, today: date) -> Statement:
    """The closing balance comes from the ledger's own, so that a posting that is missed here is noticed."""
    currency = account.currency
    balance, lines = Money(account.earlier_minor, currency), []
    for row in posted:
        amount = Money(row.amount_minor, currency)
        balance += amount
        lines.append(StatementLine(row.entry_id, row.booked_at, row.description, amount, balance))
    return Statement(
        account_name=account.name,
        number_last4=account.number_last4,
        month=month,
        opening=Money(account.earlier_minor, currency),
        lines=tuple(lines),
        closing=Money(account.balance_minor - account.later_minor, currency),
        last_day=min(month.last_day, today),
        complete=month.last_day < today,
    )
