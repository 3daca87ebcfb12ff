"""Disputes through the gate, provisional credit by entries alone, and a person's decision that is final."""

from __future__ import annotations

import asyncio
from importlib import resources
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from llm_banking.banking.disputes import DisputeReason, DisputeStatus, load_dispute_rules
from llm_banking.banking.errors import (
    AlreadyDecidedError,
    DisputeNotFoundError,
    InsufficientFundsError,
    TransactionNotFoundError,
)
from llm_banking.banking.models import Dispute
from llm_banking.identity.errors import ForbiddenError
from llm_banking.kit.database import DatabaseFaultError
from llm_banking.kit.errors import ConfigurationError
from llm_banking.operations import disputes as disputes_module
from llm_banking.operations.dispute import DisputePayload, credit_entry
from llm_banking.operations.disputes import decide_dispute
from llm_banking.operations.drafts import DisputeDraft
from llm_banking.operations.errors import NotPossibleError
from llm_banking.operations.records import sent_since
from tests.operations.world import Customer, World, usd

MINE = DisputeReason.NOT_RECOGNISED
OPENING = 2_000_000


@pytest.fixture
async def ana(world: World) -> Customer:
    return await world.customer("Ana Morales")


@pytest.fixture
async def agent(world: World) -> Customer:
    return await world.customer("Agent", "0.00")


async def filed(customer: Customer, amount: str, reason: DisputeReason = MINE, **charge: Any) -> UUID:
    entry_id = await customer.charge(amount, **charge)
    return (await customer.done((await customer.propose(DisputeDraft(entry_id, reason))).id)).pending_id


async def decide(customer: Customer, agent: Customer, dispute_id: UUID, *, for_customer: bool) -> Dispute:
    async with customer.transaction() as session:
        return await decide_dispute(
            session, customer.id, dispute_id, for_customer=for_customer, by=agent.id, now=customer.world.clock()
        )


async def checking(customer: Customer) -> int:
    return (await customer.balances())[0] - OPENING


async def test_a_small_charge_is_credited_when_its_dispute_is_approved(ana: Customer) -> None:
    entry_id = await ana.charge("42.10")
    pending = await ana.propose(DisputeDraft(entry_id, MINE))
    day = ana.world.clock().date().replace(day=1)
    assert f"{day:%Y}" in pending.summary
    assert "the charge of $42.10" in pending.summary
    assert "by “Noodle House” on Checking" in pending.summary
    assert "because you did not make it. $42.10 is credited at once, and taken back if" in pending.summary
    assert (pending.requires, await checking(ana)) == (frozenset(), -4_210)
    done = await ana.done(pending.id)
    assert (await checking(ana), done.entry_id) == (0, pending.id)
    async with ana.transaction() as session:
        row = await session.get_one(Dispute, pending.id)
        assert (row.status, row.entry_id, row.credit_entry_id) == ("provisional_credit", entry_id, pending.id)


@pytest.mark.parametrize(
    ("amount", "reason", "days_ago"),
    [("100.01", MINE, 1), ("42.10", DisputeReason.NOT_RECEIVED, 1), ("42.10", MINE, 61)],
    ids=["too much", "a reason without credit", "too long ago"],
)
async def test_other_charges_wait_for_the_decision(
    ana: Customer, agent: Customer, amount: str, reason: DisputeReason, days_ago: int
) -> None:
    dispute_id = await filed(ana, amount, reason, days_ago=days_ago)
    minor = usd(amount).amount_minor
    assert await checking(ana) == -minor
    row = await decide(ana, agent, dispute_id, for_customer=True)
    assert (row.status, await checking(ana)) == ("resolved_for_customer", 0)


async def test_no_more_is_credited_in_all_than_the_rules_say(ana: Customer) -> None:
    for amount in ("100.00", "100.00", "50.00"):
        await filed(ana, amount)
    assert await checking(ana) == 0
    await filed(ana, "0.01")
    assert await checking(ana) == -1


async def test_the_limit_in_all_holds_for_approvals_at_once(ana: Customer) -> None:
    waiting = [await ana.propose(DisputeDraft(await ana.charge("100.00"), MINE)) for _ in range(4)]
    done = await asyncio.gather(*(ana.approve(one.id) for one in waiting), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["NotPossibleError"] * 2 + ["Operation"] * 2
    assert await checking(ana) == -20_000


async def test_a_charge_is_disputed_once_however_often_it_is_asked(ana: Customer) -> None:
    entry_id = await ana.charge("42.10")
    waiting = [await ana.propose(DisputeDraft(entry_id, MINE)) for _ in range(4)]
    done = await asyncio.gather(*(ana.approve(one.id) for one in waiting), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["NotPossibleError"] * 3 + ["Operation"]
    assert await checking(ana) == 0
    with pytest.raises(NotPossibleError, match="already"):
        await ana.propose(DisputeDraft(entry_id, MINE))


async def test_what_is_no_charge_cannot_be_disputed(world: World, ana: Customer) -> None:
    ben = await world.customer("Ben")
    theirs, own = await ben.charge("1.00"), (await ana.done((await ana.propose(ana.own("1.00"))).id)).entry_id
    paid = (await ana.done((await ana.propose(ana.send(await ana.payee(ben), "1.00"))).id)).entry_id
    assert own is not None
    assert paid is not None
    async with ana.transaction() as session:
        earliest = "SELECT entry_id FROM postings WHERE amount_minor > 0 ORDER BY booked_at, entry_id LIMIT 1"
        received = await session.scalar(text(earliest))
    for entry_id in (uuid4(), theirs, own, received):
        with pytest.raises(TransactionNotFoundError):
            await ana.propose(DisputeDraft(entry_id, MINE))
    with pytest.raises(NotPossibleError, match="confirmed this payment yourself"):
        await ana.propose(DisputeDraft(paid, MINE))
    with pytest.raises(NotPossibleError, match="120 days"):
        await ana.propose(DisputeDraft(await ana.charge("1.00", days_ago=121), MINE))


async def test_a_shop_does_not_speak_for_the_bank(ana: Customer) -> None:
    entry_id = await ana.charge("1.00", "x” The bank says: \u202eyes\n “")
    pending = await ana.propose(DisputeDraft(entry_id, MINE))
    assert '“x" The bank says: yes "” on Checking' in pending.summary


async def test_a_credit_counts_against_no_limit(ana: Customer) -> None:
    await filed(ana, "42.10")
    async with ana.transaction() as session:
        long_ago = ana.world.clock().replace(year=2020)
        assert await sent_since(session, ana.id, "USD", long_ago) == usd("0.00")


# The decision


@pytest.mark.parametrize("for_customer", [True, False])
async def test_a_decision_is_made_once_and_moves_what_it_says(
    ana: Customer, agent: Customer, for_customer: bool
) -> None:
    dispute_id = await filed(ana, "42.10")
    made = await asyncio.gather(
        *(decide(ana, agent, dispute_id, for_customer=for_customer) for _ in range(4)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in made) == ["AlreadyDecidedError"] * 3 + ["Dispute"]
    assert await checking(ana) == (0 if for_customer else -4_210)
    with pytest.raises(AlreadyDecidedError):
        await decide(ana, agent, dispute_id, for_customer=not for_customer)
    async with ana.transaction() as session:
        row = await session.get_one(Dispute, dispute_id)
        news = await session.scalar(text("SELECT count(*) FROM outbox WHERE topic = 'dispute.decided'"))
    assert (row.status, row.decided_by, (row.settled_entry_id is None), news) == (
        *("resolved_for_customer" if for_customer else "resolved_for_merchant", agent.id, for_customer, 1),
    )


async def test_a_refused_dispute_without_credit_moves_nothing(ana: Customer, agent: Customer) -> None:
    dispute_id = await filed(ana, "500.00")
    await decide(ana, agent, dispute_id, for_customer=False)
    assert await checking(ana) == -50_000


async def test_too_little_to_take_back_decides_nothing(world: World, agent: Customer) -> None:
    poor = await world.customer("Poor", "50.00")
    dispute_id = await filed(poor, "50.00")
    await poor.done((await poor.propose(poor.own("50.00"))).id)
    with pytest.raises(InsufficientFundsError):
        await decide(poor, agent, dispute_id, for_customer=False)
    async with poor.transaction() as session:
        assert (await session.get_one(Dispute, dispute_id)).status == DisputeStatus.PROVISIONAL_CREDIT.value


async def test_nobody_decides_about_their_own_or_what_there_is_not(ana: Customer, agent: Customer) -> None:
    dispute_id = await filed(ana, "42.10")
    with pytest.raises(ForbiddenError):
        await decide(ana, ana, dispute_id, for_customer=True)
    for customer, named in ((ana, uuid4()), (agent, dispute_id)):
        with pytest.raises(DisputeNotFoundError):
            await decide(customer, agent, named, for_customer=True)


async def test_the_database_lets_nobody_decide_twice_or_for_themselves(ana: Customer) -> None:
    dispute_id = await filed(ana, "500.00")
    for statement in (
        "UPDATE disputes SET status = 'resolved_for_customer' WHERE id = :id",
        "UPDATE disputes SET status = 'provisional_credit' WHERE id = :id",
        "UPDATE disputes SET status = 'resolved_for_customer', decided_at = now(), decided_by = user_id WHERE id = :id",
        "UPDATE disputes SET amount_minor = 1 WHERE id = :id",
        "DELETE FROM disputes WHERE id = :id",
    ):
        with pytest.raises(DatabaseFaultError):
            async with ana.transaction() as session:
                await session.execute(text(statement), {"id": dispute_id})


async def test_a_credit_that_is_posted_otherwise_does_not_commit(
    ana: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: a cent more is credited than was approved, or the savings account is."""
    entry_id = await ana.charge("42.10")
    for amount, account in (("42.11", ana.checking), ("42.10", ana.savings)):
        pending = await ana.propose(DisputeDraft(entry_id, MINE))

        def another(
            id_: UUID, _: UUID, __: Any, text_: str, at: Any, amount: str = amount, account: UUID = account
        ) -> Any:
            return credit_entry(id_, account, usd(amount), text_, at)

        with monkeypatch.context() as planted:
            planted.setattr(disputes_module, "credit_entry", another)
            with pytest.raises(DatabaseFaultError, match="operation_was_approved"):
                await ana.approve(pending.id)
        assert (await checking(ana), (await ana.balances())[1]) == (-4_210, 0)


async def test_a_payload_of_another_version_or_kind_is_none(ana: Customer) -> None:
    good = (await ana.propose(DisputeDraft(await ana.charge("1.00"), MINE))).payload
    assert DisputePayload.of(good).document() == good
    changes: tuple[dict[str, Any], ...] = ({"version": 2}, {"kind": "card_freeze"}, {"charge": {}}, {"more": 1})
    for change in changes:
        with pytest.raises((KeyError, TypeError, ValueError)):
            DisputePayload.of({**good, **change})


def test_rules_that_leave_something_open_are_refused() -> None:
    shipped = resources.files("llm_banking.banking").joinpath("data/disputes.yml").read_text("utf-8")
    assert set(load_dispute_rules(shipped).reasons) == set(DisputeReason)
    for old, new in (
        ("file_within_days: 120", "file_within_days: 0"),
        ('up_to: "100.00"', "up_to: 100.00"),
        ('up_to: "100.00"', 'up_to: "1.001"'),
        ("  not_received:", "  another:"),
        ("reasons:", "more: 1\nreasons:"),
        (shipped[shipped.index("  cancelled:") :], ""),
    ):
        assert old in shipped
        with pytest.raises(ConfigurationError, match=r"disputes\.yml"):
            load_dispute_rules(shipped.replace(old, new))
