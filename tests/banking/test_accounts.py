"""Reading accounts and their transactions in a real database, through the application's role."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking import accounts, ledger_store
from llm_banking.banking.accounts import days, get_account, list_accounts, list_transactions
from llm_banking.banking.errors import AccountNotFoundError, DaysInvalidError
from llm_banking.banking.ledger_models import Account
from llm_banking.kit.database import limit_sight
from llm_banking.kit.money import Money
from llm_banking.kit.paging import CursorInvalidError
from tests.banking.people import a_customer, booked

DAY = datetime(2026, 10, 31, tzinfo=UTC)


async def test_what_is_available_is_the_balance_without_what_is_held_and_with_the_credit_line(
    session: AsyncSession,
) -> None:
    customer = await a_customer(session, 100_000)
    later = datetime.now(UTC) + timedelta(hours=1)
    await ledger_store.hold(
        session, uuid4(), account_id=customer.account_id, amount=Money(2_500, "USD"), reason="x", expires_at=later
    )
    card = Account(
        user_id=customer.id,
        kind="credit_card",
        name="Rewards",
        number_last4="0002",
        currency="USD",
        floor_minor=-50_000,
    )
    session.add(card)
    await session.flush()
    await booked(session, card.id, -10_000, "Shoes", DAY)
    checking, credit = await list_accounts(session, customer.id)
    assert [one.kind for one in (checking, credit)] == ["checking", "credit_card"]
    assert (checking.balance.amount_minor, checking.held.amount_minor) == (100_000, 2_500)
    assert [one.available and one.available.amount_minor for one in (checking, credit)] == [97_500, 40_000]
    assert await get_account(session, customer.id, card.id) == credit


async def test_somebody_elses_account_is_as_if_it_were_not_there(session: AsyncSession) -> None:
    theirs = await a_customer(session, 100)
    ours = await a_customer(session, 100)
    await limit_sight(await session.connection(), visible_to=[ours.id, theirs.id])  # so that the filter alone stands
    for account_id in (theirs.account_id, uuid4()):
        with pytest.raises(AccountNotFoundError):
            await get_account(session, ours.id, account_id)
        with pytest.raises(AccountNotFoundError):
            await list_transactions(session, ours.id, account_id, limit=5)
    assert [one.id for one in await list_accounts(session, ours.id)] == [ours.account_id]
    assert await list_accounts(session, uuid4()) == []


async def test_pages_cover_every_transaction_once_also_where_times_are_equal(session: AsyncSession) -> None:
    customer = await a_customer(session)
    for number in range(7):
        await booked(session, customer.account_id, 100 + number, f"number {number}", DAY + timedelta(days=number // 3))
    whole, none = await list_transactions(session, customer.id, customer.account_id, limit=10)
    assert none is None
    assert [one.booked_at for one in whole] == sorted((one.booked_at for one in whole), reverse=True)
    seen, cursor = [], None
    for size in (3, 3, 3):
        page, cursor = await list_transactions(session, customer.id, customer.account_id, limit=size, cursor=cursor)
        seen += page
    assert cursor is None
    assert seen == whole
    exact, cursor = await list_transactions(session, customer.id, customer.account_id, limit=7)
    assert (len(exact), cursor) == (7, None)
    with pytest.raises(CursorInvalidError):
        await list_transactions(session, customer.id, customer.account_id, limit=7, cursor="abc")


async def test_days_are_whole_and_both_included(session: AsyncSession) -> None:
    customer = await a_customer(session)
    for at in (DAY - timedelta(microseconds=1), DAY, DAY + timedelta(days=1, microseconds=-1), DAY + timedelta(days=1)):
        await booked(session, customer.account_id, 100, f"{at:%d %H}", at)

    async def found(first: date | None = None, last: date | None = None, cursor: str | None = None) -> list[str]:
        page, _ = await list_transactions(
            session, customer.id, customer.account_id, limit=10, first_day=first, last_day=last, cursor=cursor
        )
        return [one.description for one in page]

    day = DAY.date()
    assert await found(day, day) == ["31 23", "31 00"]
    assert await found(first=day) == ["01 00", "31 23", "31 00"]
    assert await found(last=day) == ["31 23", "31 00", "30 23"]
    assert await found(date.min, date.max) == await found()
    _, cursor = await list_transactions(session, customer.id, customer.account_id, limit=2)
    assert await found(day, day, cursor) == ["31 00"]
    with pytest.raises(DaysInvalidError):
        await found(day, day - timedelta(days=1))


@given(st.dates(), st.dates())
def test_every_range_of_days_has_ends_or_is_refused(first: date, last: date) -> None:
    if last < first:
        with pytest.raises(DaysInvalidError):
            days(first, last)
        return
    since, until = days(first, last)
    assert since.date() == first
    assert until - timedelta(microseconds=1) <= datetime.combine(last, datetime.max.time(), UTC) <= until


async def test_a_page_is_found_by_its_index_from_the_place_on(session: AsyncSession) -> None:
    customer = await a_customer(session, 100)
    await session.execute(text("SET LOCAL enable_seqscan = off"))
    statement = text(f"EXPLAIN {accounts._TRANSACTIONS}")
    values = {"since": DAY, "moment": DAY, "entry": uuid4(), "most": 10}
    plan = "\n".join(await session.scalars(statement, {"owner": customer.id, "account": customer.account_id, **values}))
    assert "ix_postings_account_booked" in plan
    assert re.search(r"Index Cond: .*ROW\(.*booked_at, .*entry_id\) < ROW\(", plan), plan
    assert "Sort" not in plan
