"""Two connections at once, on every rule of the ledger that spans rows; and the same with the locks taken out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking import ledger_store
from llm_banking.banking.invariants import broken_rules
from llm_banking.banking.ledger import Entry, Own, transfer
from llm_banking.banking.ledger_models import Account
from llm_banking.banking.ledger_store import Posted, post
from llm_banking.identity.models import User
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, DatabaseFaultError
from llm_banking.kit.errors import LlmBankingError
from llm_banking.kit.money import Money
from tests.banking.test_ledger_model import SQL, replace_functions
from tests.conftest import ServiceUrls
from tests.support.own_database import own_database

Work = Callable[[AsyncSession], Awaitable[Posted]]
NOW = datetime(2026, 11, 2, tzinfo=UTC)


def usd(amount_minor: int) -> Money:
    return Money(amount_minor, "USD")


def moved(payer: UUID | Own, payee: UUID | Own, amount_minor: int) -> Entry:
    return transfer(
        uuid4(), payer=payer, payee=payee, amount=usd(amount_minor), booked_at=NOW, payer_reads="x", payee_reads="x"
    )


@dataclass
class Pair:
    """A person with two accounts, 100 on the first; two connections; and the tables' owner."""

    application: Database
    owner: Database
    person: UUID
    one: UUID
    two: UUID

    async def refresh(self) -> None:
        self.person, self.one, self.two = uuid4(), uuid4(), uuid4()
        async with self.application.transaction(visible_to=[self.person]) as session:
            row = {"id": self.person, "display_name": "x", "account_type": "user", "created_at": utc_now()}
            await session.execute(insert(User), [row])
            plain = {"user_id": self.person, "kind": "checking", "name": "x", "number_last4": "0000"}
            rows = [{"id": one, "currency": "USD", "floor_minor": 0, **plain} for one in (self.one, self.two)]
            await session.execute(insert(Account), rows)
            await post(session, moved(Own.OUTSIDE, self.one, 100))

    async def do(self, work: Work) -> str:
        """What came of a piece of work in a transaction of its own."""
        try:
            async with self.application.transaction(visible_to=[self.person]) as session:
                done = await work(session)
                await asyncio.sleep(0.002)
            return done.value
        except LlmBankingError as error:
            return type(error).__name__

    async def both(self, one: Work, two: Work) -> list[str]:
        return sorted(await asyncio.gather(self.do(one), self.do(two)))

    async def state(self) -> dict[UUID, tuple[int, int]]:
        async with self.application.transaction(visible_to=[self.person]) as session:
            rows = await session.execute(text("SELECT id, balance_minor, held_minor FROM accounts"))
            return {id_: (balance, held) for id_, balance, held in rows}


@pytest.fixture(scope="module")
async def pair(service_urls: ServiceUrls) -> AsyncIterator[Pair]:
    async with own_database(service_urls, "ledger_races") as urls:
        found = Pair(
            Database(urls.database, max_pool_size=2),
            Database(urls.database_owner, max_pool_size=1),
            *(uuid4() for _ in range(3)),
        )
        yield found
        await found.application.close()
        await found.owner.close()


async def spend_twice(pair: Pair) -> bool:
    """Each of two wants all the money, one way or another: one gets it."""
    first, second = moved(pair.one, Own.OUTSIDE, 100), moved(pair.one, pair.two, 60)
    answers = await pair.both(lambda s: post(s, first), lambda s: post(s, second))
    (balance, _), _ = (await pair.state())[pair.one], None
    return answers == ["InsufficientFundsError", "now"] and balance in (0, 40)


async def spend_and_hold(pair: Pair) -> bool:
    entry, later = moved(pair.one, Own.OUTSIDE, 70), utc_now() + timedelta(hours=1)
    answers = await pair.both(
        lambda s: post(s, entry),
        lambda s: ledger_store.hold(s, uuid4(), account_id=pair.one, amount=usd(70), reason="x", expires_at=later),
    )
    balance, held = (await pair.state())[pair.one]
    return answers == ["InsufficientFundsError", "now"] and balance - held == 30


async def the_same_twice(pair: Pair) -> bool:
    entry = moved(pair.one, pair.two, 40)
    answers = await pair.both(lambda s: post(s, entry), lambda s: post(s, entry))
    return answers == ["earlier", "now"] and (await pair.state())[pair.one] == (60, 0)


async def reverse_twice(pair: Pair) -> bool:
    entry = moved(pair.one, Own.OUTSIDE, 40)
    await pair.do(lambda s: post(s, entry))
    answers = await pair.both(
        lambda s: post(s, entry.reversal(uuid4(), NOW)), lambda s: post(s, entry.reversal(uuid4(), NOW))
    )
    return answers == ["NotReversibleError", "now"] and (await pair.state())[pair.one] == (100, 0)


async def use_and_release(pair: Pair) -> bool:
    hold_id, later = uuid4(), utc_now() + timedelta(hours=1)
    await pair.do(
        lambda s: ledger_store.hold(s, hold_id, account_id=pair.one, amount=usd(70), reason="x", expires_at=later)
    )
    entry = moved(pair.one, Own.OUTSIDE, 70)
    answers = await pair.both(lambda s: post(s, entry, hold=hold_id), lambda s: ledger_store.release(s, hold_id))
    balance, held = (await pair.state())[pair.one]
    return answers == ["HoldNotFoundError", "now"] and held == 0 and balance in (30, 100)


async def use_twice(pair: Pair) -> bool:
    hold_id, later = uuid4(), utc_now() + timedelta(hours=1)
    await pair.do(
        lambda s: ledger_store.hold(s, hold_id, account_id=pair.one, amount=usd(40), reason="x", expires_at=later)
    )
    one, two = moved(pair.one, Own.OUTSIDE, 40), moved(pair.one, Own.OUTSIDE, 40)
    answers = await pair.both(lambda s: post(s, one, hold=hold_id), lambda s: post(s, two, hold=hold_id))
    return answers == ["HoldNotFoundError", "now"] and (await pair.state())[pair.one] == (60, 0)


async def cross_over(pair: Pair) -> bool:
    """Two transfers over the same two accounts, each the other way: neither waits for the other for ever."""
    await pair.do(lambda s: post(s, moved(Own.OUTSIDE, pair.two, 100)))
    there, back = moved(pair.one, pair.two, 30), moved(pair.two, pair.one, 10)
    answers = await pair.both(lambda s: post(s, there), lambda s: post(s, back))
    return answers == ["now", "now"] and (await pair.state())[pair.one] == (80, 0)


PROBES = [spend_twice, spend_and_hold, the_same_twice, reverse_twice, use_and_release, use_twice, cross_over]


@pytest.mark.parametrize("probe", PROBES)
async def test_two_at_once_do_what_one_after_the_other_would(
    pair: Pair, probe: Callable[[Pair], Awaitable[bool]]
) -> None:
    for _ in range(25):
        await pair.refresh()
        assert await probe(pair)
    async with pair.owner.engine.connect() as connection:
        assert await broken_rules(connection) == []


@pytest.mark.slow
async def test_without_its_lock_the_probes_find_the_ledger_wrong(pair: Pair) -> None:
    """Planted: accounts are read without being locked."""
    await replace_functions(
        pair.owner, SQL.replace("PERFORM FROM accounts WHERE id = ANY (p_accounts) ORDER BY id FOR NO KEY UPDATE;", "")
    )
    try:
        wrong = False
        for _ in range(50):
            await pair.refresh()
            wrong = wrong or not await spend_twice(pair)
        assert wrong
    finally:
        await replace_functions(pair.owner, SQL)


async def test_what_was_posted_is_not_changed_by_anybody(pair: Pair) -> None:
    """Not even by the tables' owner, unless the owner takes the triggers away first."""
    await pair.refresh()
    for statement in (
        "UPDATE postings SET amount_minor = amount_minor + 1",
        "DELETE FROM postings",
        "TRUNCATE ledger_entries CASCADE",
        "UPDATE ledger_entries SET kind = 'x'",
    ):
        with pytest.raises(DatabaseFaultError, match="ledger_never_changes"):
            async with pair.owner.transaction(visible_to=[]) as session:
                await session.execute(text(statement))


ADD_LEG = text("INSERT INTO postings VALUES (:entry, :leg, :account, :amount, 'USD', 'x', now(), NULL)")
ADD_ENTRY = text("INSERT INTO ledger_entries (id, body_hash, kind, booked_at) VALUES (:id, 'x', 'x', now())")


async def write_entry(pair: Pair, legs: list[tuple[UUID, int]]) -> None:
    """Past the ledger's functions, as the tables' owner."""
    entry = uuid4()
    async with pair.owner.transaction(visible_to=[]) as session:
        await session.execute(ADD_ENTRY, {"id": entry})
        for number, (account, amount) in enumerate(legs):
            await session.execute(ADD_LEG, {"entry": entry, "leg": number, "account": account, "amount": amount})


async def test_an_entry_that_does_not_add_up_is_not_committed_whoever_wrote_it(pair: Pair) -> None:
    await pair.refresh()
    legs = [(pair.one, 5), (pair.two, -4)]
    for chosen in (legs, legs[:1], []):
        with pytest.raises(DatabaseFaultError, match="ledger_entry_adds_up"):
            await write_entry(pair, chosen)
    async with pair.owner.transaction(visible_to=[]) as session:
        posted = await session.scalar(text("SELECT entry_id FROM postings WHERE account_id = :id"), {"id": pair.one})
    with pytest.raises(DatabaseFaultError, match="ledger_leg_comes_with_its_entry"):
        async with pair.owner.transaction(visible_to=[]) as session:
            await session.execute(ADD_LEG, {"entry": posted, "leg": 9, "account": pair.two, "amount": 1})
