"""Demo accounts with 90 days of transactions, cards and payees, the same on every machine for the same last day."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid5

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.cards import expiry
from llm_banking.banking.ledger import Own, transfer
from llm_banking.banking.ledger_models import Account, Card
from llm_banking.banking.ledger_store import post
from llm_banking.banking.models import Payee
from llm_banking.banking.payees import PayeeKind
from llm_banking.identity.models import User
from llm_banking.kit.money import Money

HISTORY_DAYS = 90
CURRENCY = "USD"
CARD_LIMIT_MINOR = 1_000_000
_CARD_OF = {"checking": ("debit", "Harborlight Visa"), "credit_card": ("credit", "Harborlight Rewards Card")}
"""By the account's kind: the card's kind and name."""
PAYEES_KNOWN_FOR_DAYS = 60

_SHOPS = [
    ("Green Basket Market", 1800, 14500),
    ("Corner Coffee", 350, 1250),
    ("City Transit", 275, 2750),
    ("Pine Street Pharmacy", 600, 4800),
    ("Noodle House", 1400, 5200),
    ("Lakeside Books", 900, 6400),
    ("Bright Fuel", 2500, 7200),
]
_MONTHLY = [(1, "Rent, Maple Court", 145000), (5, "Northgrid Electricity", 8420), (9, "Bluewire Internet", 5999)]


async def seed_accounts(session: AsyncSession, owners: list[UUID], today: date) -> int:
    """Give each owner without accounts checking, savings and a credit card with history up to `today`.

    Returns how many owners were given accounts; those who have some are left as they are.
    """
    seeded = 0
    for owner in owners:
        there = await session.scalar(select(func.count()).select_from(Account).where(Account.user_id == owner))
        if there:
            continue
        await _seed_owner(session, owner, today)
        seeded += 1
    await session.flush()
    return seeded


async def seed_cards(session: AsyncSession, owners: list[UUID], today: date) -> int:
    """Give each owner's checking and credit card account a card where it has none; returns how many were given."""
    query = (
        select(Account)
        .where(Account.user_id.in_(owners), Account.kind.in_(_CARD_OF))
        .where(~select(Card.id).where(Card.account_id == Account.id).exists())
    )
    accounts = list(await session.scalars(query))
    for account in accounts:
        kind, name = _CARD_OF[account.kind]
        digits = random.Random(f"{account.id}:card").randrange(10_000)  # noqa: S311 - invented demo data, not a secret
        session.add(
            Card(
                id=uuid5(account.id, "card"),
                account_id=account.id,
                kind=kind,
                name=name,
                number_last4=f"{digits:04d}",
                expires_on=expiry(today),
                status="active",
            )
        )
    await session.flush()
    return len(accounts)


async def seed_payees(session: AsyncSession, owners: list[UUID], today: date) -> int:
    """Give each owner without payees the other ones and a biller, all of them paid before.

    Returns how many owners were given payees; those who have some are left as they are.
    """
    people = {one.id: one for one in await session.scalars(select(User).where(User.id.in_(owners)))}
    checking = select(Account).where(Account.user_id.in_(owners), Account.kind == "checking")
    accounts = {one.user_id: one for one in await session.scalars(checking)}
    known_since = datetime.combine(today - timedelta(days=PAYEES_KNOWN_FOR_DAYS), time(9), UTC)
    seeded = 0
    for owner in owners:
        if await session.scalar(select(func.count()).select_from(Payee).where(Payee.user_id == owner)):
            continue
        for other in (one for one in owners if one != owner):
            session.add(
                _payee(
                    owner,
                    PayeeKind.PERSON,
                    people[other].display_name,
                    known_since,
                    accounts[other].number_last4,
                    account_id=accounts[other].id,
                    currency=accounts[other].currency,
                )
            )
        session.add(_payee(owner, PayeeKind.BILLER, "Northgrid Electricity", known_since, "8420"))
        seeded += 1
    await session.flush()
    return seeded


def _payee(owner: UUID, kind: PayeeKind, name: str, since: datetime, last4: str, **account: object) -> Payee:
    return Payee(
        id=uuid5(owner, f"payee:{name}"),
        user_id=owner,
        kind=kind.value,
        name=name,
        account_last4=last4,
        status="active",
        created_at=since,
        first_paid_at=since,
        **account,
    )


async def _seed_owner(session: AsyncSession, owner: UUID, today: date) -> None:
    rng = random.Random(str(owner))  # noqa: S311 - invented demo data, not a secret
    accounts = {
        kind: Account(
            id=uuid5(owner, kind),
            user_id=owner,
            kind=kind,
            name=name,
            number_last4=f"{rng.randrange(10_000):04d}",
            currency=CURRENCY,
            floor_minor=-CARD_LIMIT_MINOR if kind == "credit_card" else 0,
        )
        for kind, name in (
            ("checking", "Everyday Checking"),
            ("savings", "Rainy Day Savings"),
            ("credit_card", "Harborlight Rewards Card"),
        )
    }
    session.add_all(accounts.values())
    await session.flush()
    for number, (kinds, day, amount_minor, descriptions) in enumerate(_history(rng, today)):
        booked_at = datetime.combine(day, time(8 + number % 12, rng.randrange(60)), UTC)
        places = [accounts[kind].id if kind in accounts else Own(kind) for kind in kinds]
        entry = transfer(
            uuid5(owner, f"entry:{number}"),
            payer=places[0],
            payee=places[1],
            amount=Money(amount_minor, CURRENCY),
            booked_at=booked_at,
            kind="demo",
            payer_reads=descriptions[0],
            payee_reads=descriptions[1],
        )
        await post(session, entry)


def _history(rng: random.Random, today: date) -> Iterator[tuple[tuple[str, str], date, int, tuple[str, str]]]:
    """Yield ((payer, payee), day, amount in minor units, what each reads), oldest first."""
    salary = rng.randrange(420_000, 560_000)
    start = today - timedelta(days=HISTORY_DAYS)
    opening = ("Opening balance", "Opening balance")
    yield ("outside", "checking"), start, rng.randrange(350_000, 600_000), opening
    yield ("credit_card", "outside"), start, rng.randrange(60_000, 120_000), opening
    yield ("outside", "savings"), start, rng.randrange(500_000, 1_500_000), opening
    for offset in range(1, HISTORY_DAYS):
        day = start + timedelta(days=offset)
        if day.day == 25:
            yield ("outside", "checking"), day, salary, ("Salary, Fielding & Co",) * 2
            saved = ("Transfer to Rainy Day Savings", "Transfer from Everyday Checking")
            yield ("checking", "savings"), day, rng.randrange(20_000, 60_000), saved
            paid = ("Payment to Harborlight Rewards Card", "Payment, thank you")
            yield ("checking", "credit_card"), day, rng.randrange(15_000, 35_000), paid
        for due, description, amount_minor in _MONTHLY:
            if day.day == due:
                yield ("checking", "outside"), day, amount_minor, (description, description)
        if rng.random() < 0.55:
            shop, low, high = rng.choice(_SHOPS)
            kind = "credit_card" if rng.random() < 0.5 else "checking"
            yield (kind, "outside"), day, rng.randrange(low, high), (shop, shop)
