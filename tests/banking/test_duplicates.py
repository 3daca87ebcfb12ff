"""Charges that were made twice, and charges that only look alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.core import Charge, latest_charges
from llm_banking.banking.duplicates import WINDOW, find_duplicates
from llm_banking.banking.ledger_store import post
from llm_banking.kit.money import Money
from tests.banking.people import Customer, a_customer, booked

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
ACCOUNT = uuid4()


def charge(minutes: float = 0, amount_minor: int = -1_250, text: str = "Corner Coffee") -> Charge:
    return Charge(uuid4(), ACCOUNT, text, Money(amount_minor, "USD"), NOW + timedelta(minutes=minutes))


def test_the_same_charge_again_is_found_with_the_one_that_it_repeats() -> None:
    first, again = charge(), charge(3)
    (found,) = find_duplicates([again, charge(1, -900), first])
    assert (found.first, found.again) == (first, again)


@pytest.mark.parametrize("text", ["CORNER  COFFEE", " corner coffee ", "Corner\u00a0Coffee", "\uff23orner Coffee"])
def test_what_terminals_write_differently_is_the_same_payee(text: str) -> None:
    assert len(find_duplicates([charge(), charge(3, text=text)])) == 1


def test_others_are_none() -> None:
    first = charge()
    for other in (
        charge(3, text="Corner Coffee 2"),
        charge(3, -1_251),
        replace(charge(3), account_id=uuid4()),
        replace(charge(3), amount=Money(-1_250, "EUR")),
        charge(3, 1_250),
        charge(WINDOW.total_seconds() / 60 + 1),
    ):
        assert find_duplicates([first, other]) == []


def test_the_window_ends_with_its_last_moment() -> None:
    late = replace(charge(), booked_at=NOW + WINDOW)
    assert len(find_duplicates([charge(), late])) == 1
    assert find_duplicates([charge(), replace(late, booked_at=NOW + WINDOW + timedelta(microseconds=1))]) == []


def test_three_alike_are_two_repetitions() -> None:
    one, two, three = charge(), charge(1), charge(2)
    found = find_duplicates([three, one, two])
    assert [(each.first.id, each.again.id) for each in found] == [(one.id, two.id), (two.id, three.id)]


@given(
    st.lists(
        st.builds(charge, st.integers(0, 20_000), st.sampled_from([-500, -700, 500]), st.just("Shop")), max_size=30
    )
)
def test_the_search_finds_what_a_plain_comparison_of_all_finds(charges: list[Charge]) -> None:
    debits = [one for one in charges if one.amount.amount_minor < 0]

    def key(one: Charge) -> tuple[datetime, UUID]:
        return one.booked_at, one.id

    plain = {
        again.id
        for again in debits
        for first in debits
        if first.amount == again.amount and key(first) < key(again) and again.booked_at - first.booked_at <= WINDOW
    }
    assert {one.again.id for one in find_duplicates(charges)} == plain


async def test_an_accounts_duplicates_without_what_was_taken_back(session: AsyncSession) -> None:
    customer: Customer = await a_customer(session, 100_000)
    for minutes in (0, 4):
        await booked(session, customer.account_id, -1_250, "Corner Coffee", NOW + timedelta(minutes=minutes))
    twice = [await booked(session, customer.account_id, -900, "Noodle House", NOW) for _ in range(2)]
    await post(session, twice[1].reversal(uuid4(), NOW + timedelta(minutes=9)))
    await booked(session, customer.account_id, 1_250, "Corner Coffee", NOW)
    found = find_duplicates(await latest_charges(session, customer.id, since=NOW, most=100))
    assert [one.again.description for one in found] == ["Corner Coffee"]
    assert find_duplicates(await latest_charges(session, customer.id, since=NOW + timedelta(minutes=1), most=100)) == []
    assert await latest_charges(session, uuid4(), since=NOW, most=100) == []
