"""The ledger in a real database, through the application's role."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking import ledger_store
from llm_banking.banking.errors import (
    AccountNotFoundError,
    EntryConflictError,
    HoldNotFoundError,
    InsufficientFundsError,
    NotReversibleError,
)
from llm_banking.banking.ledger import Entry, EntryInvalidError, Leg, Own, transfer
from llm_banking.banking.ledger_models import Account, Posting
from llm_banking.banking.ledger_store import Posted, post
from llm_banking.identity.models import User
from llm_banking.kit.database import limit_sight
from llm_banking.kit.money import Money

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
LATER = datetime.now(UTC) + timedelta(hours=1)


def usd(amount_minor: int) -> Money:
    return Money(amount_minor, "USD")


@dataclass
class Bank:
    """Two people with an account each, Ana's with 100.00 on it; the transaction works for Ana."""

    session: AsyncSession
    ana: UUID
    ben: UUID
    card: UUID

    def move(self, amount_minor: int, payer: UUID | Own | None = None, payee: UUID | Own | None = None) -> Entry:
        return transfer(
            uuid4(),
            payer=payer or self.ana,
            payee=payee or self.ben,
            amount=usd(amount_minor),
            booked_at=NOW,
            payer_reads="to Ben",
            payee_reads="from Ana",
        )

    async def account(self, account_id: UUID) -> Account:
        found = await self.session.get(Account, account_id, populate_existing=True)
        assert found is not None
        return found

    async def balance(self, account_id: UUID) -> int:
        return (await self.account(account_id)).balance_minor


@pytest.fixture
async def bank(session: AsyncSession) -> Bank:
    people = [User(id=uuid4(), display_name="x", account_type="user") for _ in range(2)]
    session.add_all(people)
    await session.flush()
    found = {}
    for name, person, kind, floor in (
        ("ana", people[0], "checking", 0),
        ("ben", people[1], "checking", 0),
        ("card", people[0], "credit_card", -50_000),
    ):
        found[name] = uuid4()
        session.add(
            Account(
                id=found[name],
                user_id=person.id,
                kind=kind,
                name=name,
                number_last4="0001",
                currency="USD",
                floor_minor=floor,
            )
        )
    await session.flush()
    await limit_sight(await session.connection(), visible_to=[people[0].id])
    bank = Bank(session, **found)
    await post(session, bank.move(10_000, Own.OUTSIDE, bank.ana))
    return bank


async def test_a_transfer_debits_one_account_and_credits_the_other(bank: Bank) -> None:
    entry = bank.move(2_500)
    assert await post(bank.session, entry) is Posted.NOW
    assert await bank.balance(bank.ana) == 7_500
    rows = (await bank.session.scalars(text("SELECT leg FROM postings WHERE entry_id = :id"), {"id": entry.id})).all()
    assert rows == [0], "the other person's leg is not seen"
    own = await bank.session.get(Posting, (entry.id, 0))
    assert own is not None
    assert (own.amount_minor, own.balance_after_minor, own.description) == (-2_500, 7_500, "to Ben")


async def test_the_same_entry_again_is_posted_once(bank: Bank) -> None:
    entry = bank.move(2_500)
    assert [await post(bank.session, entry) for _ in range(3)] == [Posted.NOW, Posted.EARLIER, Posted.EARLIER]
    assert await bank.balance(bank.ana) == 7_500


async def test_another_entry_under_the_same_id_is_refused(bank: Bank) -> None:
    entry = bank.move(2_500)
    await post(bank.session, entry)
    other = Entry(entry.id, entry.kind, entry.booked_at, bank.move(2_501).legs)
    with pytest.raises(EntryConflictError):
        await post(bank.session, other)
    assert await bank.balance(bank.ana) == 7_500


@pytest.mark.parametrize(("amount_minor", "left"), [(10_000, 0), (10_001, None)])
async def test_an_account_is_not_overdrawn(bank: Bank, amount_minor: int, left: int | None) -> None:
    if left is None:
        with pytest.raises(InsufficientFundsError):
            await post(bank.session, bank.move(amount_minor))
        assert await bank.balance(bank.ana) == 10_000
    else:
        await post(bank.session, bank.move(amount_minor))
        assert await bank.balance(bank.ana) == left


async def test_a_card_owes_up_to_its_line(bank: Bank) -> None:
    await post(bank.session, bank.move(50_000, bank.card, Own.OUTSIDE))
    assert await bank.balance(bank.card) == -50_000
    with pytest.raises(InsufficientFundsError):
        await post(bank.session, bank.move(1, bank.card, Own.OUTSIDE))


async def test_somebody_elses_account_is_not_debited_and_not_told_from_none(bank: Bank) -> None:
    for account in (bank.ben, uuid4()):
        with pytest.raises(AccountNotFoundError):
            await post(bank.session, bank.move(1, account, bank.ana))
        with pytest.raises(AccountNotFoundError):
            await ledger_store.hold(
                bank.session, uuid4(), account_id=account, amount=usd(1), reason="x", expires_at=LATER
            )
    with pytest.raises(AccountNotFoundError):
        await post(bank.session, bank.move(1, bank.ana, uuid4()))


async def test_an_account_takes_its_own_currency_alone(bank: Bank) -> None:
    legs = (Leg(bank.ana, Money(-5, "EUR"), "x"), Leg(Own.OUTSIDE, Money(5, "EUR"), "x"))
    with pytest.raises(EntryInvalidError, match="currency"):
        await post(bank.session, Entry(uuid4(), "transfer", NOW, legs))


async def test_held_money_is_spent_by_its_hold_alone(bank: Bank) -> None:
    hold_id = uuid4()
    held = {"account_id": bank.ana, "amount": usd(9_000), "reason": "a transfer", "expires_at": LATER}
    assert await ledger_store.hold(bank.session, hold_id, **held) is Posted.NOW  # type: ignore[arg-type]
    assert await ledger_store.hold(bank.session, hold_id, **held) is Posted.EARLIER  # type: ignore[arg-type]
    with pytest.raises(InsufficientFundsError):
        await post(bank.session, bank.move(1_001))
    with pytest.raises(InsufficientFundsError):
        await ledger_store.hold(bank.session, uuid4(), **{**held, "amount": usd(1_001)})  # type: ignore[arg-type]
    entry = bank.move(9_000)
    assert await post(bank.session, entry, hold=hold_id) is Posted.NOW
    assert await post(bank.session, entry, hold=hold_id) is Posted.EARLIER
    account = await bank.account(bank.ana)
    assert (account.balance_minor, account.held_minor) == (1_000, 0)
    with pytest.raises(HoldNotFoundError):
        await post(bank.session, bank.move(1), hold=hold_id)
    with pytest.raises(HoldNotFoundError):
        await ledger_store.release(bank.session, hold_id)


async def test_a_released_hold_frees_the_money_once(bank: Bank) -> None:
    hold_id = uuid4()
    await ledger_store.hold(
        bank.session, hold_id, account_id=bank.ana, amount=usd(10_000), reason="x", expires_at=LATER
    )
    assert [await ledger_store.release(bank.session, hold_id) for _ in range(2)] == [Posted.NOW, Posted.EARLIER]
    assert (await bank.account(bank.ana)).held_minor == 0
    await post(bank.session, bank.move(10_000))


async def test_an_expired_hold_is_worth_nothing_and_goes(bank: Bank) -> None:
    hold_id = uuid4()
    await ledger_store.hold(bank.session, hold_id, account_id=bank.ana, amount=usd(10_000), reason="x", expires_at=NOW)
    with pytest.raises(HoldNotFoundError):
        await post(bank.session, bank.move(1), hold=hold_id)
    assert await ledger_store.release_expired(bank.session, most=10) >= 1
    assert (await bank.account(bank.ana)).held_minor == 0
    assert await ledger_store.release_expired(bank.session, most=10) == 0


async def test_a_reversal_takes_back_once_and_leaves_both_on_record(bank: Bank) -> None:
    entry = bank.move(4_000, bank.ana, Own.OUTSIDE)
    await post(bank.session, entry)
    await post(bank.session, entry.reversal(uuid4(), NOW))
    assert await bank.balance(bank.ana) == 10_000
    with pytest.raises(NotReversibleError):
        await post(bank.session, entry.reversal(uuid4(), NOW))
    never = bank.move(1, bank.ana, Own.OUTSIDE)
    with pytest.raises(NotReversibleError):
        await post(bank.session, never.reversal(uuid4(), NOW))
    more = bank.move(5, bank.ana, Own.OUTSIDE)
    await post(bank.session, more)
    changed = Entry(uuid4(), "reversal", NOW, bank.move(6, Own.OUTSIDE, bank.ana).legs, reverses=more.id)
    with pytest.raises(NotReversibleError):
        await post(bank.session, changed)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts SET balance_minor = 1000000",
        "UPDATE accounts SET floor_minor = -1000000",
        "INSERT INTO accounts (id, balance_minor) VALUES (gen_random_uuid(), 5)",
        "INSERT INTO ledger_entries (id, body_hash, kind, booked_at) VALUES (gen_random_uuid(), 'x', 'x', now())",
        "INSERT INTO postings SELECT * FROM postings",
        "UPDATE postings SET amount_minor = 1",
        "DELETE FROM postings",
        "DELETE FROM holds",
        "UPDATE holds SET status = 'released'",
        "SELECT ledger_internal_account('outside', 'USD')",
    ],
)
async def test_the_application_writes_the_ledger_through_its_functions_alone(bank: Bank, statement: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        await bank.session.execute(text(statement))
