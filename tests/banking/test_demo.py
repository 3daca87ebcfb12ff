from __future__ import annotations

import random
from datetime import date, timedelta
from itertools import pairwise
from uuid import UUID

import pytest

from llm_banking.banking.demo import HISTORY_DAYS, _history

Entries = list[tuple[tuple[str, str], date, int, tuple[str, str]]]
Rows = list[tuple[str, date, int, str]]
OWNERS = [UUID(int=number) for number in range(1, 6)]
DAYS = [date(2024, 3, 1), date(2025, 1, 31), date(2026, 12, 25)]


def entries(owner: UUID, today: date) -> Entries:
    return list(_history(random.Random(str(owner)), today))  # noqa: S311 - invented demo data


def history(owner: UUID, today: date) -> Rows:
    """The legs on the owner's accounts, in order."""
    return [
        (kind, day, sign * amount, text)
        for kinds, day, amount, texts in entries(owner, today)
        for kind, sign, text in zip(kinds, (-1, 1), texts, strict=True)
        if kind != "outside"
    ]


@pytest.mark.parametrize("today", DAYS)
@pytest.mark.parametrize("owner", OWNERS)
def test_the_same_owner_and_day_give_the_same_rows(owner: UUID, today: date) -> None:
    assert history(owner, today) == history(owner, today)


def test_the_rows_are_the_same_on_every_machine() -> None:
    """The first rows of one owner, written down; another Python or another hash seed must not change them."""
    assert history(OWNERS[0], DAYS[0])[:3] == [
        ("checking", date(2023, 12, 2), 466239, "Opening balance"),
        ("credit_card", date(2023, 12, 2), -111004, "Opening balance"),
        ("savings", date(2023, 12, 2), 1263193, "Opening balance"),
    ]


def test_owners_differ() -> None:
    assert len({tuple(history(owner, DAYS[0])) for owner in OWNERS}) == len(OWNERS)


@pytest.mark.parametrize("today", DAYS)
@pytest.mark.parametrize("owner", OWNERS)
def test_the_history_fills_90_days_and_none_is_after_today(owner: UUID, today: date) -> None:
    days = [day for _, day, _, _ in history(owner, today)]
    assert HISTORY_DAYS == 90
    assert days[0] == today - timedelta(days=90)
    assert today - timedelta(days=7) < days[-1] <= today
    assert all(earlier <= later for earlier, later in pairwise(days))


@pytest.mark.parametrize("today", DAYS)
@pytest.mark.parametrize("owner", OWNERS)
def test_three_accounts_open_first_and_no_row_is_empty(owner: UUID, today: date) -> None:
    rows = history(owner, today)
    assert {kind for kind, _, _, _ in rows} == {"checking", "savings", "credit_card"}
    assert sorted(kind for kind, _, _, _ in rows[:3]) == ["checking", "credit_card", "savings"]
    assert {description for _, _, _, description in rows[:3]} == {"Opening balance"}
    assert all(amount != 0 for _, _, amount, _ in rows)
    assert all(description for _, _, _, description in rows)


@pytest.mark.parametrize("today", DAYS)
@pytest.mark.parametrize("owner", OWNERS)
def test_money_moved_between_own_accounts_leaves_one_and_reaches_the_other(owner: UUID, today: date) -> None:
    rows = history(owner, today)
    for left, reached in (
        ("Transfer to Rainy Day Savings", "Transfer from Everyday Checking"),
        ("Payment to Harborlight Rewards Card", "Payment, thank you"),
    ):
        out = [(day, -amount) for kind, day, amount, text in rows if (kind, text) == ("checking", left)]
        came = [(day, amount) for kind, day, amount, text in rows if kind != "checking" and text == reached]
        assert out == came
        assert len(out) >= 2


@pytest.mark.parametrize("today", DAYS)
@pytest.mark.parametrize("owner", OWNERS)
def test_the_checking_account_is_never_overdrawn(owner: UUID, today: date) -> None:
    balance = 0
    for kind, _, amount, _ in history(owner, today):
        balance += amount if kind == "checking" else 0
        assert balance >= 0
