"""What the gate promises, each against the real database in transactions that commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from llm_banking.banking import ledger_store
from llm_banking.banking.errors import (
    AccountNotFoundError,
    AccountNotOpenError,
    InsufficientFundsError,
    PayeeNotFoundError,
)
from llm_banking.banking.fees import Fee, FeeSchedule, load_fees
from llm_banking.identity.errors import ForbiddenError, StepUpRefusedError
from llm_banking.identity.step_up import Method, Reason, Refusal, TotpCode
from llm_banking.kit.database import Database, DatabaseFaultError
from llm_banking.kit.errors import LlmBankingError
from llm_banking.kit.plain_text import PlainTextError
from llm_banking.operations import payments as payments_module
from llm_banking.operations.drafts import PAYMENTS, Kind, OwnTransfer
from llm_banking.operations.errors import (
    AmountLimitError,
    NotPossibleError,
    PendingAlteredError,
    PendingClosedError,
    PendingExpiredError,
    PendingNotFoundError,
    StepUpNeededError,
    TooManyOpenError,
)
from llm_banking.operations.payment import Payment, Receiver, entry_of
from llm_banking.operations.policy import load_policy
from llm_banking.operations.wiring import open_gate
from tests.identity.people import wrong_code
from tests.operations.world import Customer, World, tampered, usd


@pytest.fixture
async def ana(world: World) -> Customer:
    return await world.customer("Ana Morales")


@pytest.fixture
async def ben(world: World) -> Customer:
    return await world.customer("Ben Carter", "0.00")


async def rows_of(customer: Customer, statement: str) -> list[tuple[Any, ...]]:
    async with customer.transaction() as session:
        return [tuple(row) for row in await session.execute(text(statement))]


async def test_what_was_approved_is_done_once_and_all_of_it_is_written(ana: Customer, ben: Customer) -> None:
    pending = await ana.propose(ana.send(await ana.payee(ben), "50.00", "for lunch"), uuid4())
    assert await ana.balances() == (2_000_000, 0), "nothing moves before the approval"
    done = await ana.done(pending.id)
    assert (await ana.balances(), await ben.balances()) == ((1_995_000, 0), (5_000, 0))
    assert (done.status, done.pending_id, done.summary, done.payload) == (
        *("executed", pending.id, pending.summary, pending.payload),
    )
    news = await rows_of(ana, "SELECT topic, payload ->> 'operation_id', delivered_at FROM outbox")
    assert news == [("operation.executed", str(pending.id), None)]
    read = await rows_of(ben, "SELECT description, amount_minor FROM postings")
    assert read == [("From Ana Morales: for lunch", 5_000)]
    for again in range(2):
        with pytest.raises(PendingClosedError, match="not done twice"):
            await ana.approve(pending.id)
        assert await ana.balances() == (1_995_000, 0), again


async def test_the_text_names_everything_that_is_posted(ana: Customer, ben: Customer) -> None:
    pending = await ana.propose(ana.send(await ana.payee(ben), "1234.50", "rent"))
    (last4,) = (await rows_of(ana, "SELECT number_last4 FROM accounts WHERE kind = 'checking'"))[0]
    assert pending.summary == (
        f"Send $1,234.50 from Checking (ending {last4}) to Ben Carter (ending 1234) now. There is no fee. Note: “rent”"
    )


async def test_money_moves_between_own_accounts_and_to_a_biller(ana: Customer) -> None:
    await ana.done((await ana.propose(ana.own("100.00"))).id)
    await ana.done((await ana.propose(ana.pay(await ana.payee(biller=True), "20.00"))).id)
    assert await ana.balances() == (1_988_000, 10_000)
    kinds = await rows_of(ana, "SELECT kind FROM bank_operations ORDER BY id")
    assert kinds == [("own_transfer",), ("bill_payment",)]


async def test_a_fee_is_shown_and_posted(world: World, ana: Customer, ben: Customer) -> None:
    fee = Fee(Decimal(0), {"USD": usd("1.50")})
    fees = FeeSchedule({**load_fees().fees, **{kind.value: fee for kind in PAYMENTS}})
    world.gate = open_gate(world.factors.step_up, fees=fees, clock=world.clock)
    pending = await ana.propose(ana.send(await ana.payee(ben), "50.00"))
    assert "The fee is $1.50. In all: $51.50." in pending.summary
    await ana.done(pending.id)
    assert (await ana.balances(), await ben.balances()) == ((1_994_850, 0), (5_000, 0))


async def test_after_its_time_it_cannot_be_approved(world: World, ana: Customer) -> None:
    pending = await ana.propose(ana.own("1.00"))
    world.clock.advance(minutes=5)
    for _ in range(2):
        with pytest.raises(PendingExpiredError):
            await ana.approve(pending.id)
    with pytest.raises(PendingExpiredError):
        await ana.begin(pending.id)
    await ana.propose(ana.own("2.00"))
    assert await rows_of(ana, "SELECT status FROM pending_operations ORDER BY id") == [("expired",), ("pending",)]
    with pytest.raises(PendingExpiredError):
        await ana.approve(pending.id)
    assert await ana.balances() == (2_000_000, 0)


async def test_what_was_called_off_cannot_be_approved(ana: Customer) -> None:
    pending = await ana.propose(ana.own("1.00"))
    assert (await ana.void(pending.id)).status == "voided"
    with pytest.raises(PendingClosedError, match="called off"):
        await ana.approve(pending.id)
    with pytest.raises(PendingClosedError):
        await ana.void(pending.id)
    assert await ana.balances() == (2_000_000, 0)


async def test_a_conversation_calls_off_its_own_and_nobody_elses(world: World, ana: Customer, ben: Customer) -> None:
    here, there = uuid4(), uuid4()
    one, two = await ana.propose(ana.own("1.00"), here), await ana.propose(ana.own("1.00"), there)
    async with ben.transaction() as session:
        assert await world.gate.void_open(session, ben.id, here) == 0
    async with ana.transaction() as session:
        assert await world.gate.void_open(session, ana.id, here) == 1
        assert await world.gate.void_open(session, ana.id, here) == 0
    with pytest.raises(PendingClosedError):
        await ana.approve(one.id)
    await ana.done(two.id)


async def test_nobody_else_approves_calls_off_or_proves_it(ana: Customer, ben: Customer) -> None:
    pending = await ana.propose(ana.own("1.00"))
    for attempt in (ben.approve, ben.void, ben.begin):
        with pytest.raises(PendingNotFoundError):
            await attempt(pending.id)
        with pytest.raises(PendingNotFoundError):
            await attempt(uuid4())
    async with ana.transaction() as session:  # the wall would not stop this one; the gate does
        with pytest.raises(PendingNotFoundError):
            await ana.world.gate.approve(session, ben.principal, pending.id, proof=None)
    assert await ana.balances() == (2_000_000, 0)


async def test_who_may_not_move_money_does_not(world: World, ana: Customer) -> None:
    pending = await ana.propose(ana.own("1.00"))
    reader = replace(ana.principal, permissions=frozenset())
    for attempt in (
        lambda session: world.gate.propose(session, reader, ana.own("1.00"), channel="api"),
        lambda session: world.gate.approve(session, reader, pending.id, proof=None),
        lambda session: world.gate.begin_step_up(session, reader, pending.id),
        lambda session: world.gate.void(session, reader, pending.id),
    ):
        with pytest.raises(ForbiddenError):
            async with ana.transaction() as session:
                await attempt(session)


async def test_nothing_of_others_can_be_named(ana: Customer, ben: Customer) -> None:
    theirs = await ben.payee(ana)
    for draft, error in (
        (OwnTransfer(ben.checking, ana.checking, usd("1.00")), AccountNotFoundError),
        (OwnTransfer(ana.checking, ben.checking, usd("1.00")), AccountNotFoundError),
        (OwnTransfer(ana.checking, uuid4(), usd("1.00")), AccountNotFoundError),
        (ana.send(theirs, "1.00"), PayeeNotFoundError),
        (ana.send(uuid4(), "1.00"), PayeeNotFoundError),
        (ana.pay(theirs, "1.00"), PayeeNotFoundError),
    ):
        with pytest.raises(error):
            await ana.propose(draft)


async def test_what_is_not_possible_is_said_before_it_is_shown(ana: Customer, ben: Customer) -> None:
    person, biller = await ana.payee(ben), await ana.payee(biller=True)
    for draft in (
        ana.own("0.00"),
        OwnTransfer(ana.checking, ana.checking, usd("1.00")),
        OwnTransfer(ana.card, ana.checking, usd("1.00")),
        replace(ana.own("1.00"), amount=replace(usd("1.00"), currency="EUR")),
        replace(ana.own("1.00"), amount=-usd("1.00")),
        ana.send(biller, "1.00"),
        ana.pay(person, "1.00"),
    ):
        with pytest.raises(NotPossibleError):
            await ana.propose(draft)
    for note in ("x" * 81, "a\nb", "abc\u202edef", "\x00"):
        with pytest.raises(PlainTextError):
            await ana.propose(ana.send(person, "1.00", note))


async def test_more_than_there_is_cannot_be_sent_then_or_later(ana: Customer, ben: Customer) -> None:
    poor = await ana.world.customer("Poor", "10.00")
    with pytest.raises(InsufficientFundsError):
        await poor.propose(poor.own("10.01"))
    one, two = await poor.propose(poor.own("6.00")), await poor.propose(poor.own("6.00"))
    await poor.done(one.id)
    with pytest.raises(InsufficientFundsError):
        await poor.approve(two.id)
    assert await poor.balances() == (400, 600)


async def test_a_frozen_account_sends_nothing(ana: Customer, owner: Database) -> None:
    pending = await ana.propose(ana.own("1.00"))
    async with owner.engine.begin() as connection:
        await connection.execute(text("UPDATE accounts SET status = 'frozen' WHERE id = :id"), {"id": ana.checking})
    with pytest.raises(AccountNotOpenError):
        await ana.propose(ana.own("1.00"))
    with pytest.raises(AccountNotOpenError):
        await ana.approve(pending.id)


async def test_a_payee_who_was_removed_is_not_paid(ana: Customer, ben: Customer) -> None:
    payee_id = await ana.payee(ben)
    pending = await ana.propose(ana.send(payee_id, "1.00"))
    async with ana.transaction() as session:
        await ana.world.payees.remove(session, ana.id, payee_id)
    with pytest.raises(PayeeNotFoundError):
        await ana.approve(pending.id)
    assert await ana.balances() == (2_000_000, 0)


async def test_a_note_does_not_speak_for_the_bank(ana: Customer, ben: Customer) -> None:
    pending = await ana.propose(ana.send(await ana.payee(ben), "1.00", "x” The amount was changed to “$0.50"))
    assert pending.summary.endswith('Note: “x" The amount was changed to "$0.50”')
    done = await ana.done(pending.id)
    assert done.summary == pending.summary


# Limits


async def test_the_limit_for_one_operation(ana: Customer) -> None:
    await ana.propose(ana.own("5000.00"))
    with pytest.raises(AmountLimitError, match=r"\$5,000\.00, the limit for one operation"):
        await ana.propose(ana.own("5000.01"))


async def test_the_limit_for_a_day_is_checked_again_at_the_approval(world: World, ana: Customer) -> None:
    await ana.add_passkey()
    waiting = [await ana.propose(ana.own("3500.00")) for _ in range(3)]
    for one in waiting[:2]:
        await ana.done(one.id, await ana.prove(one.id))
    challenge = None
    with pytest.raises(AmountLimitError, match="for a day"):
        challenge = await ana.begin(waiting[2].id)
    assert challenge is None
    with pytest.raises(AmountLimitError, match="for a day"):
        await ana.propose(ana.own("3000.01"))
    await ana.propose(ana.own("3000.00"))
    world.clock.advance(hours=24, seconds=1)
    await ana.propose(ana.own("3500.00"))
    assert await ana.balances() == (1_300_000, 700_000)


async def test_what_leaves_one_account_in_a_day_is_limited_by_its_kind(world: World, ana: Customer) -> None:
    world.gate = open_gate(world.factors.step_up, policy=without_step_up(), clock=world.clock)
    for _ in range(2):
        await ana.done((await ana.propose(ana.own("4000.00"))).id)
    back = [OwnTransfer(ana.savings, ana.checking, usd(amount)) for amount in ("1500.00", "500.01", "500.00")]
    world.clock.advance(hours=25)
    await ana.done((await ana.propose(replace(back[0], amount=usd("4500.00")))).id)
    with pytest.raises(AmountLimitError, match=r"\$5,000\.00, the limit for a day from a savings account"):
        await ana.propose(back[1])
    waits = await ana.propose(back[2])
    await ana.done((await ana.propose(ana.own("4500.00"))).id)
    await ana.done(waits.id)
    world.clock.advance(hours=25)
    await ana.propose(back[0])


async def test_a_new_payee_is_sent_little_for_a_day(world: World, ana: Customer, ben: Customer) -> None:
    await ana.add_passkey()
    payee_id = await ana.payee(ben, known=False)
    with pytest.raises(AmountLimitError, match="just added"):
        await ana.propose(ana.send(payee_id, "500.01"))
    first = await ana.propose(ana.send(payee_id, "300.00"))
    await ana.done(first.id, await ana.prove(first.id))
    with pytest.raises(AmountLimitError, match="just added"):
        await ana.propose(ana.send(payee_id, "200.01"))
    world.clock.advance(hours=24)
    await ana.propose(ana.send(payee_id, "500.01"))


async def test_only_so_many_wait(world: World, ana: Customer) -> None:
    for _ in range(20):
        await ana.propose(ana.own("1.00"))
    with pytest.raises(TooManyOpenError):
        await ana.propose(ana.own("1.00"))
    world.clock.advance(minutes=5)
    await ana.propose(ana.own("1.00"))


async def test_two_approvals_at_once_do_it_once(ana: Customer) -> None:
    pending = await ana.propose(ana.own("10.00"))
    done = await asyncio.gather(*(ana.approve(pending.id) for _ in range(4)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Operation", *["PendingClosedError"] * 3]
    assert await ana.balances() == (1_999_000, 1_000)


async def test_the_limit_for_a_day_holds_for_approvals_at_once(world: World, ana: Customer) -> None:
    world.gate = open_gate(world.factors.step_up, policy=without_step_up(), clock=world.clock)
    waiting = [await ana.propose(ana.own("4000.00")) for _ in range(4)]
    done = await asyncio.gather(*(ana.approve(one.id) for one in waiting), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["AmountLimitError"] * 2 + ["Operation"] * 2
    assert await ana.balances() == (1_200_000, 800_000)


async def test_without_the_persons_lock_the_limit_is_passed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: approvals of one person do not wait for each other."""

    async def no_lock(*_: object) -> None:
        await asyncio.sleep(0)

    world.gate = open_gate(world.factors.step_up, policy=without_step_up(), clock=world.clock)
    monkeypatch.setattr("llm_banking.operations.gate.lock_user", no_lock)
    most = 0
    for _ in range(10):
        one = await world.customer()
        waiting = [await one.propose(one.own("4000.00")) for _ in range(4)]
        done = await asyncio.gather(*(one.approve(each.id) for each in waiting), return_exceptions=True)
        most = max(most, [type(each).__name__ for each in done].count("Operation"))
    assert most > 2


def without_step_up() -> Any:
    policy = load_policy()
    limits = {name: replace(one, step_up_above=one.per_operation) for name, one in policy.limits.items()}
    return replace(policy, limits=limits)


# Step-up


@pytest.mark.parametrize(
    ("amount", "known", "methods"),
    [
        ("200.00", True, set()),
        ("200.01", True, {"totp", "webauthn"}),
        ("1000.00", True, {"totp", "webauthn"}),
        ("1000.01", True, {"webauthn"}),
        ("0.01", False, {"totp", "webauthn"}),
    ],
)
async def test_the_policy_asks_for_what_an_operation_is_worth(
    ana: Customer, ben: Customer, amount: str, known: bool, methods: set[str]
) -> None:
    pending = await ana.propose(ana.send(await ana.payee(ben, known=known), amount))
    assert pending.requires == methods
    if methods:
        with pytest.raises(StepUpNeededError):
            await ana.approve(pending.id)
        with pytest.raises(StepUpRefusedError, match="not set up"):
            await ana.begin(pending.id)
        assert await ana.balances() == (2_000_000, 0)
    else:
        assert await ana.begin(pending.id) is None
        await ana.done(pending.id)


async def test_a_code_or_a_passkey_approves_and_each_proof_does_once(ana: Customer, ben: Customer) -> None:
    payee_id = await ana.payee(ben)
    await ana.add_app()
    await ana.add_passkey()
    for prove in (ana.code, ana.touch):
        pending = await ana.propose(ana.send(payee_id, "300.00"))
        challenge = await ana.begin(pending.id)
        assert challenge is not None
        assert challenge.methods == {Method.TOTP, Method.WEBAUTHN}
        await ana.done(pending.id, prove(challenge))
    assert await ben.balances() == (60_000, 0)


async def test_a_code_does_not_approve_what_needs_a_passkey(ana: Customer, ben: Customer) -> None:
    await ana.add_app()
    pending = await ana.propose(ana.send(await ana.payee(ben), "1500.00"))
    with pytest.raises(StepUpRefusedError, match="not set up"):
        await ana.begin(pending.id)
    await ana.add_passkey()
    challenge = await ana.begin(pending.id)
    assert challenge is not None
    assert challenge.methods == {Method.WEBAUTHN}
    refused = await ana.approve(pending.id, ana.code(challenge))
    assert isinstance(refused, Refusal)
    await ana.done(pending.id, ana.touch(challenge))


async def test_a_proof_for_another_operation_moves_nothing_and_is_counted(ana: Customer, ben: Customer) -> None:
    await ana.add_app()
    payee_id = await ana.payee(ben)
    one, two = [await ana.propose(ana.send(payee_id, "300.00")) for _ in range(2)]
    proof = await ana.prove(one.id)
    refused = await ana.approve(two.id, proof)
    assert refused == Refusal(Reason.OTHER_OPERATION, 4)
    assert await ben.balances() == (0, 0)
    await ana.done(one.id, proof)
    used = await ana.approve(two.id, proof)
    assert used == Refusal(Reason.USED, 0)
    assert await ben.balances() == (30_000, 0)


async def test_somebody_elses_proof_moves_nothing(ana: Customer, ben: Customer) -> None:
    carl = await ana.world.customer("Carl")
    for one in (ana, carl):
        await one.add_app()
    mine = await ana.propose(ana.send(await ana.payee(ben), "300.00"))
    theirs = await carl.propose(carl.send(await carl.payee(ben), "300.00"))
    assert await ana.approve(mine.id, await carl.prove(theirs.id)) == Refusal(Reason.UNKNOWN, 0)
    assert await ben.balances() == (0, 0)


async def test_a_wrong_code_is_counted_although_nothing_is_done(ana: Customer, ben: Customer) -> None:
    await ana.add_app()
    pending = await ana.propose(ana.send(await ana.payee(ben), "300.00"))
    proof = await ana.prove(pending.id)
    wrong = replace(proof, answer=TotpCode(wrong_code(ana.secret, ana.world.clock)))
    for left in (4, 3, 2, 1, 0):
        assert await ana.approve(pending.id, wrong) == Refusal(Reason.WRONG, left)
    assert await ana.approve(pending.id, proof) == Refusal(Reason.LOCKED, 0)
    assert await ben.balances() == (0, 0)


async def test_a_proof_is_taken_back_with_what_it_was_for(ana: Customer, ben: Customer) -> None:
    """The money went in between: the challenge is not used up by an approval that did nothing."""
    poor = await ana.world.customer("Poor", "300.00")
    await poor.add_app()
    pending = await poor.propose(poor.send(await poor.payee(ben), "300.00"))
    proof = await poor.prove(pending.id)
    small = await poor.propose(poor.own("1.00"))
    await poor.done(small.id)
    with pytest.raises(InsufficientFundsError):
        await poor.approve(pending.id, proof)
    back = await poor.propose(OwnTransfer(poor.savings, poor.checking, usd("1.00")))
    await poor.done(back.id)
    await poor.done(pending.id, proof)


async def test_what_was_asked_for_when_it_was_frozen_stays_asked_for(ana: Customer, ben: Customer) -> None:
    """Two first payments to one payee: the second is no longer the first, and was shown as one."""
    await ana.add_app()
    payee_id = await ana.payee(ben, known=False)
    one, two = [await ana.propose(ana.send(payee_id, "1.00")) for _ in range(2)]
    await ana.done(one.id, await ana.prove(one.id))
    with pytest.raises(StepUpNeededError):
        await ana.approve(two.id)
    await ana.done(two.id, await ana.prove(two.id))
    assert (await ana.propose(ana.send(payee_id, "1.00"))).requires == frozenset()


async def test_a_policy_that_became_stricter_holds_for_what_waits(world: World, ana: Customer, ben: Customer) -> None:
    await ana.add_app()
    await ana.add_passkey()
    payee_id, strict = await ana.payee(ben), load_policy()
    world.gate = open_gate(world.factors.step_up, policy=without_step_up(), clock=world.clock)
    plain = await ana.propose(ana.send(payee_id, "300.00"))
    world.gate = open_gate(world.factors.step_up, policy=strict, clock=world.clock)
    with pytest.raises(StepUpNeededError):
        await ana.approve(plain.id)
    coded = await ana.propose(ana.send(payee_id, "300.00"))
    proof = await ana.prove(coded.id)
    passkeys = {name: replace(one, code_up_to=usd("0.00")) for name, one in strict.limits.items()}
    world.gate = open_gate(world.factors.step_up, policy=replace(strict, limits=passkeys), clock=world.clock)
    with pytest.raises(StepUpNeededError):
        await ana.approve(coded.id, proof)
    assert await ben.balances() == (0, 0)


# What was frozen


ALTERED = [
    "payload = jsonb_set(payload, '{amount_minor}', '900000')",
    "payload = jsonb_set(payload, '{receiver,name}', '\"Mallory\"')",
    "payload = jsonb_set(payload, '{note}', '\"x\"')",
    "payload = payload - 'note'",
    "payload = jsonb_set(payload, '{when}', '\"later\"')",
    "payload_hash = sha256('x')",
    "summary = 'Move $1.00'",
    "kind = 'bill_payment'",
]


@pytest.mark.parametrize("change", ALTERED)
async def test_what_was_altered_behind_the_gate_is_not_executed(ana: Customer, owner: Database, change: str) -> None:
    pending = await ana.propose(ana.own("1.00"))
    await tampered(owner, f"UPDATE pending_operations SET {change} WHERE id = :id", id=pending.id)  # noqa: S608 - ours
    with pytest.raises(PendingAlteredError):
        await ana.approve(pending.id)
    assert await ana.balances() == (2_000_000, 0)


async def test_another_persons_frozen_payload_under_ones_own_id_is_not_executed(
    ana: Customer, ben: Customer, owner: Database
) -> None:
    """A row that is consistent in itself, and belongs to somebody else."""
    theirs = await ana.propose(ana.own("1.00"))
    await tampered(owner, "UPDATE pending_operations SET user_id = :ben WHERE id = :id", ben=ben.id, id=theirs.id)
    with pytest.raises(PendingAlteredError):
        await ben.approve(theirs.id)


async def test_the_database_refuses_an_entry_that_was_not_shown(
    ana: Customer, ben: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the code posts another amount, or on other accounts. Seen at the commit, by the database itself."""
    back = OwnTransfer(ana.savings, ana.checking, usd("1.00"))
    await ana.done((await ana.propose(ana.own("100.00"))).id)
    changes: list[Callable[[Payment], Payment]] = [
        lambda one: replace(one, amount_minor=one.amount_minor + 1),
        lambda one: replace(one, amount_minor=one.amount_minor - 1),
        lambda one: replace(one, fee_minor=5),
        lambda one: replace(
            one, payer=replace(one.payer, account_id=str(ana.checking)), receiver=other(one, ana.savings)
        ),
        lambda one: replace(one, receiver=other(one, ben.checking)),
        lambda one: replace(one, receiver=replace(one.receiver, account_id=None), kind=Kind.BILL_PAYMENT),
    ]
    for number, change in enumerate(changes):
        pending = await ana.propose(back)
        with monkeypatch.context() as patch:
            patch.setattr(payments_module, "entry_of", lambda payload, now, do=change: entry_of(do(payload), now))
            with pytest.raises(DatabaseFaultError, match="operation_was_approved"):
                await ana.approve(pending.id)
        assert (await ana.balances(), await ben.balances()) == ((1_990_000, 10_000), (0, 0)), number
        await ana.void(pending.id)


def other(payload: Payment, account_id: UUID) -> Receiver:
    return replace(payload.receiver, account_id=str(account_id))


async def test_the_database_refuses_an_operation_that_nobody_approved(ana: Customer) -> None:
    """Planted: an operation is written from a draft, past the gate's approval."""
    pending = await ana.propose(ana.own("1.00"))
    write = text(
        "INSERT INTO bank_operations (id, user_id, kind, pending_id, status, amount_minor, currency, request, result,"
        " confirmation_code, created_at) SELECT gen_random_uuid(), user_id, kind, id, 'scheduled', 100, 'USD',"
        " jsonb_set(payload, '{amount_minor}', :amount), '{}', :code, now() FROM pending_operations WHERE id = :id"
    )
    for amount in ("100", "900"):
        with pytest.raises(DatabaseFaultError, match="operation_was_approved"):
            async with ana.transaction() as session:
                await session.execute(write, {"amount": amount, "code": uuid4().hex[:16], "id": pending.id})
    await ana.done(pending.id)


@pytest.mark.parametrize("decide", ["approve", "void"])
async def test_a_decided_row_never_changes_again(ana: Customer, owner: Database, decide: str) -> None:
    """Not by the tables' owner either, unless the owner takes the trigger away first."""
    pending = await ana.propose(ana.own("1.00"))
    for statement in ("SET amount_minor = 1", "SET expires_at = now() + interval '1 day'"):
        column = statement.replace("amount_minor = 1", "payload = '{}'")
        with pytest.raises(DatabaseFaultError, match="pending_is_frozen"):
            async with owner.transaction(visible_to=[ana.id]) as session:
                await session.execute(text(f"UPDATE pending_operations {column} WHERE id = '{pending.id}'"))
    await getattr(ana, decide)(pending.id)
    for statement in (
        "UPDATE pending_operations SET status = 'pending', consumed_at = NULL",
        "UPDATE pending_operations SET status = 'voided', consumed_at = NULL",
        "DELETE FROM pending_operations",
    ):
        with pytest.raises(DatabaseFaultError, match="pending_is_frozen"):
            async with owner.transaction(visible_to=[ana.id]) as session:
                await session.execute(text(f"{statement} WHERE id = '{pending.id}'"))


async def test_where_a_part_fails_all_of_it_is_taken_back(ana: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ledger, operation, news and the row itself: planted failures after each step leave nothing."""
    pending = await ana.propose(ana.own("1.00"))

    class PlantedError(LlmBankingError):
        pass

    def fails(*_: object, **__: object) -> None:
        raise PlantedError("planted")

    for step in ("confirmation_code", "outbox.tell", "Operation.of"):
        with monkeypatch.context() as patch:
            patch.setattr(f"llm_banking.operations.gate.{step}", fails)
            with pytest.raises(PlantedError):
                await ana.approve(pending.id)
        assert await ana.balances() == (2_000_000, 0), step
        left = await rows_of(ana, "SELECT count(*) FROM bank_operations UNION ALL SELECT count(*) FROM outbox")
        assert left == [(0,), (0,)], step
    await ana.done(pending.id)


async def test_an_entry_that_stood_there_is_not_taken_for_an_execution(ana: Customer) -> None:
    """The ledger is idempotent by id; the gate still executes each id once."""
    pending = await ana.propose(ana.own("1.00"))
    payload = Payment.of(pending.payload)

    async with ana.transaction() as session:
        await ledger_store.post(session, entry_of(payload, ana.world.clock()))
    with pytest.raises(PendingClosedError):
        await ana.approve(pending.id)
    assert await ana.balances() == (1_999_900, 100)


def test_a_payload_says_everything_and_reads_back_as_it_was() -> None:
    document = {
        "id": str(UUID(int=1)),
        "user_id": str(UUID(int=2)),
        "kind": "own_transfer",
        "payer": {"account_id": str(UUID(int=3)), "account_name": "a", "last4": "0001", "holder": "h"},
        "receiver": {"name": "b", "last4": "0002", "account_id": str(UUID(int=4)), "payee_id": None},
        "amount_minor": 1,
        "fee_minor": 0,
        "currency": "USD",
        "note": None,
        "when": "now",
        "version": 1,
    }
    assert Payment.of(document).document() == document
    for wrong in ({"more": 1}, {"version": 2}, {"kind": "gift"}, {"when": "later"}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            Payment.of({**document, **wrong})
