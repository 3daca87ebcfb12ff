"""Cards through the gate: what needs a proof, what is refused, what it costs, and that each is done once."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from llm_banking.banking import ledger_store
from llm_banking.banking.errors import CardAlreadyError, CardNotFoundError, CardStatusError, InsufficientFundsError
from llm_banking.banking.fees import FeeSchedule, load_fees
from llm_banking.kit.database import DatabaseFaultError
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.money import Money
from llm_banking.operations import cards as cards_module
from llm_banking.operations.card_change import CardChange, fee_entry
from llm_banking.operations.cards import Cards
from llm_banking.operations.drafts import CardDraft, Kind
from llm_banking.operations.errors import (
    AmountLimitError,
    NotPossibleError,
    PendingClosedError,
    StepUpNeededError,
    TooManyOpenError,
)
from llm_banking.operations.policy import load_policy
from llm_banking.operations.wiring import open_gate
from tests.operations.world import Customer, World, usd

FREE = (Kind.CARD_FREEZE, Kind.CARD_BLOCK)
PROVED = (Kind.CARD_UNFREEZE, Kind.CARD_ACTIVATE, Kind.CARD_REPLACE)
BEFORE = {Kind.CARD_UNFREEZE: "frozen", Kind.CARD_ACTIVATE: "inactive"}
AFTER = {
    Kind.CARD_FREEZE: "frozen",
    Kind.CARD_BLOCK: "blocked",
    Kind.CARD_UNFREEZE: "active",
    Kind.CARD_ACTIVATE: "active",
    Kind.CARD_REPLACE: "blocked",
}


@pytest.fixture
async def ana(world: World) -> Customer:
    found = await world.customer("Ana Morales")
    await found.add_app()
    return found


async def row_of(customer: Customer, pending_id: UUID) -> Any:
    async with customer.transaction() as session:
        query = text("SELECT * FROM bank_operations WHERE pending_id = :id")
        return (await session.execute(query, {"id": pending_id})).one()


@pytest.mark.parametrize("kind", FREE)
async def test_a_card_is_stopped_by_a_plain_approval(ana: Customer, kind: Kind) -> None:
    card_id = await ana.add_card()
    pending = await ana.propose(CardDraft(kind, card_id))
    assert pending.requires == frozenset()
    assert "Blue Visa (ending 0815)" in pending.summary
    assert await ana.card_status(card_id) == "active", "nothing happens before the approval"
    done = await ana.done(pending.id)
    assert (done.status, done.entry_id, await ana.card_status(card_id)) == ("executed", None, AFTER[kind])
    row = await row_of(ana, pending.id)
    result = {"card_id": str(card_id), "told": done.told}
    assert (row.kind, row.amount_minor, row.currency, row.result) == (kind.value, None, None, result)


@pytest.mark.parametrize("kind", PROVED)
async def test_a_card_is_made_good_or_sent_with_a_proof_alone(ana: Customer, kind: Kind) -> None:
    card_id = await ana.add_card(BEFORE.get(kind, "active"))
    pending = await ana.propose(CardDraft(kind, card_id))
    assert pending.requires == {"totp", "webauthn"}
    with pytest.raises(StepUpNeededError):
        await ana.approve(pending.id)
    assert await ana.card_status(card_id) == BEFORE.get(kind, "active")
    await ana.done(pending.id, await ana.prove(pending.id))
    assert await ana.card_status(card_id) == AFTER[kind]


async def test_a_new_card_is_paid_once_and_comes_inactive(ana: Customer) -> None:
    card_id = await ana.add_card()
    pending = await ana.propose(CardDraft(Kind.CARD_REPLACE, card_id))
    assert "The fee of $7.50 is taken from Checking" in pending.summary
    done = await ana.done(pending.id, await ana.prove(pending.id))
    assert (await ana.balances())[0] == 2_000_000 - 750
    row = await row_of(ana, pending.id)
    assert (row.amount_minor, row.currency, row.entry_id) == (750, "USD", done.entry_id)
    assert await ana.card_status(UUID(row.result["new_card_id"])) == "inactive"
    with pytest.raises(CardAlreadyError, match="replaced"):
        await ana.propose(CardDraft(Kind.CARD_REPLACE, card_id))


async def test_a_lost_card_that_was_blocked_is_replaced(ana: Customer) -> None:
    card_id = await ana.add_card("blocked")
    pending = await ana.propose(CardDraft(Kind.CARD_REPLACE, card_id))
    await ana.done(pending.id, await ana.prove(pending.id))


async def test_a_card_that_costs_more_than_there_is_or_that_never_came_is_not_replaced(world: World) -> None:
    poor = await world.customer("Poor", "7.49")
    with pytest.raises(InsufficientFundsError):
        await poor.propose(CardDraft(Kind.CARD_REPLACE, await poor.add_card()))
    with pytest.raises(NotPossibleError, match="not activated"):
        await poor.propose(CardDraft(Kind.CARD_REPLACE, await poor.add_card("inactive")))


async def test_a_limit_is_lowered_by_a_plain_approval_and_raised_with_a_proof(ana: Customer) -> None:
    card_id = await ana.add_card()
    for amount, proved in (("200.00", False), ("0.00", False), ("200.00", True), ("3000.00", True)):
        pending = await ana.propose(CardDraft(Kind.CARD_LIMITS, card_id, usd(amount)))
        assert bool(pending.requires) is proved
        assert f"at most {usd(amount).display()} a day" in pending.summary
        await ana.done(pending.id, await ana.prove(pending.id) if proved else None)
        with pytest.raises(CardAlreadyError):
            await ana.propose(CardDraft(Kind.CARD_LIMITS, card_id, usd(amount)))
    with pytest.raises(AmountLimitError, match=r"\$3,000\.00"):
        await ana.propose(CardDraft(Kind.CARD_LIMITS, card_id, usd("3000.01")))


async def test_a_limit_that_was_lowered_in_between_is_raised_with_a_proof(ana: Customer) -> None:
    card_id = await ana.add_card()
    first = await ana.propose(CardDraft(Kind.CARD_LIMITS, card_id, usd("100.00")))
    second = await ana.propose(CardDraft(Kind.CARD_LIMITS, card_id, usd("200.00")))
    await ana.done(first.id)
    with pytest.raises(StepUpNeededError):
        await ana.approve(second.id)


async def test_what_is_not_possible_of_a_card_is_said(ana: Customer) -> None:
    card_id, blocked = await ana.add_card(), await ana.add_card("blocked")
    for draft, error in (
        (CardDraft(Kind.CARD_UNFREEZE, card_id), CardAlreadyError),
        (CardDraft(Kind.CARD_BLOCK, blocked), CardAlreadyError),
        (CardDraft(Kind.CARD_UNFREEZE, blocked), CardStatusError),
        (CardDraft(Kind.CARD_ACTIVATE, blocked), CardStatusError),
        (CardDraft(Kind.CARD_LIMITS, blocked, usd("1.00")), CardStatusError),
        (CardDraft(Kind.CARD_LIMITS, card_id), NotPossibleError),
        (CardDraft(Kind.CARD_FREEZE, card_id, usd("1.00")), NotPossibleError),
        (CardDraft(Kind.CARD_LIMITS, card_id, Money(100, "EUR")), NotPossibleError),
        (CardDraft(Kind.CARD_LIMITS, card_id, -usd("1.00")), NotPossibleError),
    ):
        with pytest.raises(error):
            await ana.propose(draft)


async def test_somebody_elses_card_is_not_there(world: World, ana: Customer) -> None:
    ben = await world.customer("Ben")
    card_id = await ben.add_card()
    for kind in (*FREE, *PROVED):
        with pytest.raises(CardNotFoundError):
            await ana.propose(CardDraft(kind, card_id))
    assert await ben.card_status(card_id) == "active"


async def test_two_approvals_at_once_block_a_card_once(ana: Customer) -> None:
    card_id = await ana.add_card()
    pending = await ana.propose(CardDraft(Kind.CARD_BLOCK, card_id))
    done = await asyncio.gather(*(ana.approve(pending.id) for _ in range(4)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Operation", *["PendingClosedError"] * 3]


async def test_two_proposals_approved_at_once_block_a_card_once(ana: Customer) -> None:
    card_id = await ana.add_card()
    waiting = [await ana.propose(CardDraft(kind, card_id)) for kind in (*FREE, *FREE)]
    done = await asyncio.gather(*(ana.approve(one.id) for one in waiting), return_exceptions=True)
    assert await ana.card_status(card_id) == "blocked"
    assert {type(one).__name__ for one in done} <= {"Operation", "CardAlreadyError", "CardStatusError"}
    assert 1 <= [type(one).__name__ for one in done].count("Operation") <= 2


async def test_a_stolen_card_is_stopped_however_many_operations_wait(ana: Customer) -> None:
    card_id, frozen = await ana.add_card(), await ana.add_card("frozen")
    for _ in range(20):
        await ana.propose(ana.own("1.00"))
    with pytest.raises(TooManyOpenError):
        await ana.propose(CardDraft(Kind.CARD_UNFREEZE, frozen))
    await ana.done((await ana.propose(CardDraft(Kind.CARD_BLOCK, card_id))).id)


async def test_a_fee_that_is_posted_otherwise_does_not_commit(ana: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a new card costs a cent more than its owner approved, or nothing is posted for it."""
    for amount in (751, None):
        card_id = await ana.add_card()

        def another(payload: CardChange, now: Any, amount: int | None = amount) -> Any:
            entry = fee_entry(payload, now)
            if entry is None or amount is None:
                return None
            legs = tuple(
                type(leg)(
                    leg.account, Money(amount if leg.amount.amount_minor > 0 else -amount, "USD"), leg.description
                )
                for leg in entry.legs
            )
            return type(entry)(entry.id, entry.kind, entry.booked_at, legs)

        pending = await ana.propose(CardDraft(Kind.CARD_REPLACE, card_id))
        proof = await ana.prove(pending.id)
        with monkeypatch.context() as planted:
            planted.setattr(cards_module, "fee_entry", another)
            with pytest.raises(DatabaseFaultError, match="operation_was_approved"):
                await ana.approve(pending.id, proof)
        assert (await ana.balances())[0] == 2_000_000
        assert await ana.card_status(card_id) == "active"


async def test_a_fee_that_was_posted_before_is_not_posted_again(ana: Customer) -> None:
    card_id = await ana.add_card()
    pending = await ana.propose(CardDraft(Kind.CARD_REPLACE, card_id))
    entry = fee_entry(CardChange.of(pending.payload), ana.world.clock())
    assert entry is not None
    async with ana.transaction() as session:
        await ledger_store.post(session, entry)
    with pytest.raises(PendingClosedError):
        await ana.approve(pending.id, await ana.prove(pending.id))


def test_a_payload_of_another_version_or_kind_is_none() -> None:
    good = {
        "id": "1",
        "user_id": "2",
        "kind": "card_freeze",
        "card": {"card_id": "3", "name": "a", "last4": "0000"},
        **dict.fromkeys(("payer", "amount_minor", "currency", "daily_limit_minor", "limit_currency")),
        "version": 1,
    }
    assert CardChange.of(good).document() == good
    changes: tuple[dict[str, Any], ...] = (
        {"version": 2},
        {"kind": "own_transfer"},
        {"kind": "x"},
        {"card": {}},
        {"more": 1},
    )
    for change in changes:
        with pytest.raises((KeyError, TypeError, ValueError)):
            CardChange.of({**good, **change})


def test_a_new_card_without_a_price_in_the_schedule_stops_the_start() -> None:
    fees = FeeSchedule({name: fee for name, fee in load_fees().fees.items() if name != "card_replacement"})
    with pytest.raises(ConfigurationError, match="card_replacement"):
        Cards(load_policy(), fees)


async def test_a_free_card_names_no_payer(world: World, ana: Customer) -> None:
    free = FeeSchedule({**load_fees().fees, "card_replacement": load_fees().fees["own_transfer"]})
    world.gate = open_gate(world.factors.step_up, fees=free, clock=world.clock)
    pending = await ana.propose(CardDraft(Kind.CARD_REPLACE, await ana.add_card()))
    assert pending.summary.endswith("There is no fee.")
    done = await ana.done(pending.id, await ana.prove(pending.id))
    assert (done.entry_id, (await ana.balances())[0]) == (None, 2_000_000)
