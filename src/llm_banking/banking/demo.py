"""Demo accounts with 90 days of transactions, the same on every machine for the same last day."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.models import Account, Transaction

HISTORY_DAYS = 90
CURRENCY = "USD"

_SHOPS = [
    ("Green Basket Market", 1800, 14500),
    ("Corner Coffee", 350, 1250),
    ("City Transit", 275, 2750),
    ("Pine Street Pharmacy", 600, 4800),
    ("Noodle House", 1400, 5200),
    ("Lakeside Books", 900, 6400),
    ("Bright Fuel", 2500, 7200),
]
_MONTHLY = [(1, "Rent, Maple Court", -145000), (5, "Northgrid Electricity", -8420), (9, "Bluewire Internet", -5999)]


async def seed_accounts(session: AsyncSession, owners: list[UUID], today: date) -> int:
    """Give each owner without accounts checking, savings and a credit card with history up to `today`.

    Returns how many owners were given accounts; those who have some are left as they are.
    """
    seeded = 0
    for owner in owners:
        there = await session.scalar(select(func.count()).select_from(Account).where(Account.user_id == owner))
        if there:
            continue
        _seed_owner(session, owner, today)
        seeded += 1
    await session.flush()
    return seeded


def _seed_owner(session: AsyncSession, owner: UUID, today: date) -> None:
    rng = random.Random(str(owner))  # noqa: S311 - invented demo data, not a secret
    accounts = {
        kind: Account(
            id=uuid5(owner, kind),
            user_id=owner,
            kind=kind,
            name=name,
            number_last4=f"{rng.randrange(10_000):04d}",
            currency=CURRENCY,
        )
        for kind, name in (
            ("checking", "Everyday Checking"),
            ("savings", "Rainy Day Savings"),
            ("credit_card", "Harborlight Rewards Card"),
        )
    }
    session.add_all(accounts.values())
    for number, (kind, day, amount_minor, description) in enumerate(_history(rng, today)):
        booked = datetime.combine(day, time(8 + number % 12, rng.randrange(60)), UTC)
        row: dict[str, Any] = {"amount_minor": amount_minor, "description": description, "booked_at": booked}
        session.add(Transaction(id=uuid5(owner, f"{kind}:{number}"), account_id=accounts[kind].id, **row))


def _history(rng: random.Random, today: date) -> Iterator[tuple[str, date, int, str]]:
    """Yield (account kind, day, amount in minor units, description), oldest first."""
    salary = rng.randrange(420_000, 560_000)
    start = today - timedelta(days=HISTORY_DAYS)
    yield "checking", start, rng.randrange(350_000, 600_000), "Opening balance"
    yield "credit_card", start, -rng.randrange(60_000, 120_000), "Opening balance"
    yield "savings", start, rng.randrange(500_000, 1_500_000), "Opening balance"
    for offset in range(1, HISTORY_DAYS):
        day = start + timedelta(days=offset)
        if day.day == 25:
            yield "checking", day, salary, "Salary, Fielding & Co"
            moved = rng.randrange(20_000, 60_000)
            yield "checking", day, -moved, "Transfer to Rainy Day Savings"
            yield "savings", day, moved, "Transfer from Everyday Checking"
            paid = rng.randrange(15_000, 35_000)
            yield "checking", day, -paid, "Payment to Harborlight Rewards Card"
            yield "credit_card", day, paid, "Payment, thank you"
        for due, description, amount_minor in _MONTHLY:
            if day.day == due:
                yield "checking", day, amount_minor, description
        if rng.random() < 0.55:
            shop, low, high = rng.choice(_SHOPS)
            yield ("credit_card" if rng.random() < 0.5 else "checking"), day, -rng.randrange(low, high), shop
