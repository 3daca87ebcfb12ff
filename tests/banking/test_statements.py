"""Statements against the ledger, and the faults that they would not show."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking import statements
from llm_banking.banking.accounts import sql
from llm_banking.banking.errors import (
    AccountNotFoundError,
    StatementDiffersError,
    StatementNotReadyError,
    StatementTooLongError,
)
from llm_banking.banking.statements import Month, MonthInvalidError, Statement, StatementLine, statement_of
from llm_banking.kit.database import limit_sight
from llm_banking.kit.money import Money
from tests.banking.people import Customer, a_customer, booked

OCTOBER = Month.parse("2026-10")
TODAY = date(2026, 11, 21)


def usd(amount_minor: int) -> Money:
    return Money(amount_minor, "USD")


@pytest.fixture
async def customer(session: AsyncSession) -> Customer:
    """A customer with 1,000.00 from long ago and postings around both ends of October."""
    found = await a_customer(session, 100_000)
    for at, amount in (
        ("2026-09-30T23:59:59.999999", -1),
        ("2026-10-01T00:00:00", -20),
        ("2026-10-17T12:00:00", 3_000),
        ("2026-10-31T23:59:59.999999", -400),
        ("2026-11-01T00:00:00", -50_000),
    ):
        await booked(session, found.account_id, amount, at, datetime.fromisoformat(at).replace(tzinfo=UTC))
    return found


async def of(session: AsyncSession, customer: Customer, month: Month = OCTOBER) -> Statement:
    return await statement_of(session, customer.id, customer.account_id, month, today=TODAY)


async def test_a_month_begins_with_its_first_moment_and_ends_with_its_last(
    session: AsyncSession, customer: Customer
) -> None:
    found = await of(session, customer)
    assert found.opening == usd(99_999)
    assert [line.amount.amount_minor for line in found.lines] == [-20, 3_000, -400]
    assert [line.balance.amount_minor for line in found.lines] == [99_979, 102_979, 102_579]
    assert found.closing == usd(102_579)
    assert (found.money_in, found.money_out) == (usd(3_000), usd(-420))
    assert (found.complete, found.last_day) == (True, OCTOBER.last_day)
    assert (found.account_name, found.number_last4) == ("Everyday Checking", "4711")


async def test_what_one_month_closes_with_the_next_one_opens_with(session: AsyncSession, customer: Customer) -> None:
    rng = random.Random(7)  # noqa: S311 - made-up postings
    for _ in range(60):
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(320 * 86_400))
        await booked(session, customer.account_id, rng.randrange(1, 9_999), "random", at)
    months = [Month(date(2026, number, 1)) for number in range(1, 12)]
    found = [await of(session, customer, month) for month in months]
    assert all(before.closing == after.opening for before, after in pairwise(found))
    assert sum(len(one.lines) for one in found) == 65
    balance = await session.scalar(
        text("SELECT balance_minor FROM accounts WHERE id = :id"), {"id": customer.account_id}
    )
    assert found[-1].closing == usd(balance or 0)
    assert (found[-1].complete, found[-1].last_day) == (False, TODAY)


async def test_an_account_without_postings_has_an_empty_statement(session: AsyncSession) -> None:
    empty = await a_customer(session)
    found = await of(session, empty)
    assert (found.opening, found.lines, found.closing) == (usd(0), (), usd(0))


async def test_what_was_booked_late_is_in_the_month_that_it_was_booked_for(
    session: AsyncSession, customer: Customer
) -> None:
    await booked(session, customer.account_id, 5, "late", datetime(2026, 10, 5, tzinfo=UTC))
    found = await of(session, customer)
    assert [line.amount.amount_minor for line in found.lines] == [-20, 5, 3_000, -400]
    assert (await of(session, customer, Month.parse("2026-11"))).opening == found.closing


async def test_refusals(session: AsyncSession, customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    other = await a_customer(session)
    await limit_sight(await session.connection(), visible_to=[customer.id, other.id])
    for owner, account in ((other.id, customer.account_id), (customer.id, uuid4())):
        with pytest.raises(AccountNotFoundError):
            await statement_of(session, owner, account, OCTOBER, today=TODAY)
    with pytest.raises(StatementNotReadyError):
        await of(session, customer, Month.parse("2026-12"))
    monkeypatch.setattr(statements, "MAX_LINES", 3)
    assert len((await of(session, customer)).lines) == 3
    monkeypatch.setattr(statements, "MAX_LINES", 2)
    with pytest.raises(StatementTooLongError, match="2 transactions"):
        await of(session, customer)


@pytest.mark.parametrize(
    ("written", "planted"),
    [
        ("booked_at >= :since AND booked_at < :until\n", "booked_at > :since AND booked_at < :until\n"),
        ("booked_at >= :since AND booked_at < :until\n", "booked_at >= :since AND booked_at <= :until\n"),
        (
            "booked_at >= :since AND booked_at < :until\n",
            "booked_at >= :since AND booked_at < :until AND amount_minor > 0\n",
        ),
        ("account_id = accounts.id AND booked_at < :since", "account_id = accounts.id AND booked_at <= :since"),
        ("account_id = accounts.id AND booked_at >= :until", "account_id = accounts.id AND booked_at > :until"),
        ("LIMIT :most", "LIMIT :most - 4999"),
    ],
    ids=["the first moment", "one too many", "debits", "counted twice", "the moment after", "a row that is cut off"],
)
async def test_a_statement_that_misses_a_posting_is_never_shown(
    session: AsyncSession, customer: Customer, monkeypatch: pytest.MonkeyPatch, written: str, planted: str
) -> None:
    right = str(statements._STATEMENT)
    assert right.count(written) == 1
    monkeypatch.setattr(statements, "_STATEMENT", sql(right.replace(written, planted)))
    with pytest.raises(StatementDiffersError):
        await of(session, customer)


async def test_a_month_that_ends_a_day_early_is_noticed(
    session: AsyncSession, customer: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: it reconciles in itself, and not with the month that follows."""
    monkeypatch.setattr(Month, "last_day", property(lambda month: date(2026, month.first_day.month, 30)))
    october, november = await of(session, customer), await of(session, customer, Month.parse("2026-11"))
    assert october.closing != november.opening


def line(amount_minor: int, balance_minor: int) -> StatementLine:
    return StatementLine(UUID(int=1), datetime(2026, 10, 2, tzinfo=UTC), "x", usd(amount_minor), usd(balance_minor))


@given(st.lists(st.integers(-(10**12), 10**12), max_size=20), st.integers(-(10**12), 10**12), st.integers(-3, 3))
def test_a_statement_adds_up_or_is_none(amounts: list[int], opening: int, fault: int) -> None:
    balance, lines = opening, []
    for amount in amounts:
        balance += amount
        lines.append(line(amount, balance))
    whole = ("x", "0000", OCTOBER, usd(opening), tuple(lines))
    if fault:
        with pytest.raises(StatementDiffersError):
            Statement(*whole, usd(balance + fault), last_day=OCTOBER.last_day, complete=True)
        return
    found = Statement(*whole, usd(balance), last_day=OCTOBER.last_day, complete=True)
    assert found.opening + found.money_in + found.money_out == found.closing


@given(st.dates(date(1900, 1, 1), date(2099, 12, 31)))
def test_months(day: date) -> None:
    month = Month.of(day)
    assert Month.parse(str(month)) == month
    assert month.first_day <= day <= month.last_day
    assert (month.last_day + timedelta(days=1)).day == 1
    assert Month.of(month.last_day + timedelta(days=1)).before == month


@pytest.mark.parametrize("words", ["2026-13", "2026-00", "2026-1", "0000-01", "2026-10-01", "", "\uff12026-10"])
def test_what_is_no_month(words: str) -> None:
    with pytest.raises(MonthInvalidError):
        Month.parse(words)
