"""Loans: terms as data, a first look that decides nothing, an application through the gate, a person's decision."""

from __future__ import annotations

import asyncio
from importlib import resources
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text, update

from llm_banking.banking.bank_days import load_bank_days
from llm_banking.banking.errors import ApplicationNotFoundError, ApplicationStepError, LoanTermsRefusedError
from llm_banking.banking.fees import load_fees
from llm_banking.banking.loans import LoanStatus, load_loan_rules, move_application, prequalify
from llm_banking.banking.models import LoanApplication
from llm_banking.identity.errors import ForbiddenError
from llm_banking.identity.models import TokenFamily, User
from llm_banking.kit.database import DatabaseFaultError, Scope
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.money import Money
from llm_banking.knowledge.service import Knowledge
from llm_banking.operations.drafts import Kind, LoanDraft
from llm_banking.operations.errors import NotPossibleError, StepUpNeededError
from llm_banking.operations.gate import Gate
from llm_banking.operations.loans import LoanPayload, Loans
from llm_banking.operations.policy import load_policy
from llm_banking.operations.wiring import handlers_of
from tests.operations.world import Customer, World, usd

RULES = load_loan_rules()


@pytest.fixture
async def ana(world: World) -> Customer:
    found = await world.customer("Ana Morales")
    await found.add_app()
    await came_long_ago(found)
    return found


async def came_long_ago(customer: Customer) -> None:
    """With the device that they still have."""
    long_ago = customer.world.clock().replace(year=2020)
    async with customer.world.database.transaction(scope=Scope.SYSTEM) as session:
        await session.execute(update(User).where(User.id == customer.id).values(created_at=long_ago))
    async with customer.world.database.transaction(scope=Scope.IDENTITY) as session:
        await session.execute(update(TokenFamily).where(TokenFamily.user_id == customer.id).values(created_at=long_ago))


async def applied(customer: Customer, amount: str = "5000.00", months: int = 24) -> UUID:
    pending = await customer.propose(LoanDraft(usd(amount), months))
    return (await customer.done(pending.id, await customer.prove(pending.id))).pending_id


async def move(customer: Customer, agent: Customer, application_id: UUID, to: LoanStatus) -> LoanApplication:
    async with customer.transaction() as session:
        return await move_application(session, customer.id, application_id, to, by=agent.id, now=customer.world.clock())


async def test_an_application_is_what_was_shown_and_moves_no_money(ana: Customer) -> None:
    pending = await ana.propose(LoanDraft(usd("5000.00"), 24))
    assert pending.summary == (
        "Apply for a loan of $5,000.00 over 24 months at 6.9 percent a year: $223.64 a month, $367.27 interest in all. "
        "The bank decides whether it makes the loan."
    )
    with pytest.raises(StepUpNeededError):
        await ana.approve(pending.id)
    done = await ana.done(pending.id, await ana.prove(pending.id))
    assert (done.entry_id, await ana.balances()) == (None, (2_000_000, 0))
    async with ana.transaction() as session:
        row = await session.get_one(LoanApplication, pending.id)
    assert (row.status, row.amount_minor, row.payment_minor, row.months, row.concerns) == (
        *("received", 500_000, 22_364, 24, []),
    )
    with pytest.raises(NotPossibleError, match="looked at"):
        await ana.propose(LoanDraft(usd("1000.00"), 12))


async def test_applications_at_once_are_one(ana: Customer) -> None:
    waiting = [await ana.propose(LoanDraft(usd("5000.00"), 24)) for _ in range(3)]
    proofs = [await ana.prove(one.id) for one in waiting]
    done = await asyncio.gather(
        *(ana.approve(one.id, proof) for one, proof in zip(waiting, proofs, strict=True)), return_exceptions=True
    )
    assert [type(one).__name__ for one in done].count("Operation") == 1


@pytest.mark.parametrize(
    ("amount", "months"),
    [
        (usd("999.99"), 24),
        (usd("50000.01"), 24),
        (usd("5000.00"), 5),
        (usd("5000.00"), 85),
        (Money(500_000, "EUR"), 24),
    ],
)
async def test_what_the_bank_does_not_lend_is_refused(ana: Customer, amount: Money, months: int) -> None:
    with pytest.raises(LoanTermsRefusedError, match=r"\$1,000\.00 to \$50,000\.00 over 6 to 84 months"):
        await ana.propose(LoanDraft(amount, months))


@pytest.mark.parametrize(
    ("months", "percent"), [(6, "6.9"), (24, "6.9"), (25, "7.9"), (48, "7.9"), (49, "8.9"), (84, "8.9")]
)
def test_the_term_gives_the_rate(months: int, percent: str) -> None:
    assert str(RULES.quote(usd("5000.00"), months).terms.annual_rate_percent) == percent


async def test_a_first_look_names_what_speaks_against_it(world: World, ana: Customer) -> None:
    new = await world.customer("New", "0.00")
    plan = RULES.quote(usd("5000.00"), 24)
    async with new.transaction() as session:
        found = await prequalify(session, new.id, plan, RULES, world.clock())
    assert [one.split()[0] for one in found.reasons] == ["you", "the"]
    async with ana.transaction() as session:
        assert (await prequalify(session, ana.id, plan, RULES, world.clock())).likely
    await ana.done((await ana.propose(ana.own("100.00"))).id)
    dear = RULES.quote(usd("50000.00"), 6)
    async with ana.transaction() as session:
        found = await prequalify(session, ana.id, dear, RULES, world.clock())
    assert len(found.reasons) == 1


async def test_what_is_moved_between_own_accounts_is_no_income(world: World) -> None:
    rich = await world.customer("Rich", "0.00")
    plan = RULES.quote(usd("1000.00"), 24)
    await came_long_ago(rich)
    ben = await world.customer("Ben")
    await ben.done((await ben.propose(ben.send(await ben.payee(rich), "200.00"))).id)
    for _ in range(10):
        await rich.done((await rich.propose(rich.own("200.00"))).id)
        back = type(rich.own("1.00"))(rich.savings, rich.checking, usd("200.00"))
        await rich.done((await rich.propose(back)).id)
    async with rich.transaction() as session:
        assert not (await prequalify(session, rich.id, plan, RULES, world.clock())).likely


async def test_a_person_takes_it_up_and_decides_once(world: World, ana: Customer) -> None:
    admin, application_id = await world.customer("Admin", "0.00"), await applied(ana)
    for too_early in (LoanStatus.APPROVED, LoanStatus.DECLINED, LoanStatus.RECEIVED):
        with pytest.raises(ApplicationStepError):
            await move(ana, admin, application_id, too_early)
    await move(ana, admin, application_id, LoanStatus.UNDER_REVIEW)
    decided = await asyncio.gather(
        *(move(ana, admin, application_id, to) for to in (LoanStatus.APPROVED, LoanStatus.DECLINED) * 2),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in decided) == ["ApplicationStepError"] * 3 + ["LoanApplication"]
    await ana.propose(LoanDraft(usd("1000.00"), 12))
    with pytest.raises(ForbiddenError):
        await move(ana, ana, application_id, LoanStatus.APPROVED)
    for customer, named in ((ana, uuid4()), (admin, application_id)):
        with pytest.raises(ApplicationNotFoundError):
            await move(customer, admin, named, LoanStatus.APPROVED)


async def test_the_database_keeps_the_terms_and_who_decides(ana: Customer) -> None:
    application_id = await applied(ana)
    for statement in (
        "UPDATE loan_applications SET amount_minor = 1 WHERE id = :id",
        "UPDATE loan_applications SET status = 'approved' WHERE id = :id",
        "UPDATE loan_applications SET status = 'approved', changed_by = user_id WHERE id = :id",
        "DELETE FROM loan_applications WHERE id = :id",
    ):
        with pytest.raises(DatabaseFaultError):
            async with ana.transaction() as session:
                await session.execute(text(statement), {"id": application_id})


async def test_terms_that_changed_are_not_sent_in(world: World, ana: Customer) -> None:
    """Planted: the rate is another one when the application is approved."""
    pending = await ana.propose(LoanDraft(usd("5000.00"), 24))
    proof = await ana.prove(pending.id)
    cheaper = load_loan_rules(SHIPPED.replace('"6.9"', '"6.8"'))
    policy = load_policy()
    handlers = {**handlers_of(policy, load_fees(), load_bank_days()), Kind.LOAN_APPLICATION: Loans(policy, cheaper)}
    world.gate = Gate(world.factors.step_up, policy, load_fees(), handlers, clock=world.clock)
    with pytest.raises(NotPossibleError, match="terms have changed"):
        await ana.approve(pending.id, proof)


SHIPPED = resources.files("llm_banking.banking").joinpath("data/loans.yml").read_text("utf-8")


def test_rules_that_leave_something_open_are_refused() -> None:
    for old, new in (
        ("months_up_to: 84", "months_up_to: 83"),
        ("months_up_to: 24", "months_up_to: 48"),
        ("least: 6", "least: 85"),
        ('least: "1000.00"', "least: 1000.00"),
        ("currency: USD", "currency: XXX"),
        ("open_at_most: 1", "open_at_most: 0"),
        ("open_at_most: 1", "open_at_most: 1\nmore: 1"),
    ):
        assert old in SHIPPED
        with pytest.raises(ConfigurationError, match=r"loans\.yml"):
            load_loan_rules(SHIPPED.replace(old, new))


async def test_a_payload_of_another_version_or_kind_is_none(ana: Customer) -> None:
    good = (await ana.propose(LoanDraft(usd("5000.00"), 24))).payload
    assert LoanPayload.of(good).document() == good
    for change in ({"version": 2}, {"kind": "dispute"}, {"more": 1}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            LoanPayload.of({**good, **change})


def test_customers_are_told_what_the_bank_lends(knowledge: Knowledge) -> None:
    told = {name: fact.render() for name, fact in knowledge.facts.items() if name.startswith("loan_")}
    assert (told["loan_minimum"], told["loan_maximum"]) == (RULES.least.display(), RULES.most.display())
    rates = [percent for _, percent in RULES.rates]
    assert (told["loan_apr_lowest"], told["loan_apr_highest"]) == (f"{min(rates)}%", f"{max(rates)}%")
    assert told["loan_term"] == f"{RULES.months[0]} to {RULES.months[1]} months"
    example = RULES.quote(usd("10000.00"), 24)
    assert (told["loan_example_term"], told["loan_example_payment"]) == ("24 months", example.payment.display())
