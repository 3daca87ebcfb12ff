"""The gate against somebody who says anything, and faults that this must find.

`LLM_BANKING_GATE_STEPS` sets how many moves are made: a hundred take half a second; a long run needs `--timeout 0`.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as property_settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking import ledger_store
from llm_banking.banking.bank_days import load_bank_days
from llm_banking.banking.cards import CardAction, change_card
from llm_banking.banking.fees import load_fees
from llm_banking.banking.ledger import Entry
from llm_banking.banking.ledger_models import Account
from llm_banking.banking.models import LoanApplication
from llm_banking.identity.principal import Principal
from llm_banking.identity.second_factors import FactorProof
from llm_banking.identity.step_up import Method, Refusal
from llm_banking.identity.wiring import build_identity
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, Scope, limit_sight
from llm_banking.operations.cancelling import Cancelling, CancelSchedules
from llm_banking.operations.card_change import CardChange
from llm_banking.operations.contact import ContactParts
from llm_banking.operations.dispute import Credited, DisputePayload
from llm_banking.operations.disputes import Disputes
from llm_banking.operations.drafts import PAYMENTS, CardDraft, DisputeDraft, Draft, Kind
from llm_banking.operations.errors import PendingAlteredError, PendingNotFoundError
from llm_banking.operations.gate import Gate
from llm_banking.operations.handlers import Done, Handlers
from llm_banking.operations.models import PendingOperation, ScheduledPayment
from llm_banking.operations.payload import Payload
from llm_banking.operations.payment import Payment, entry_of
from llm_banking.operations.policy import load_policy
from llm_banking.operations.records import Operation, Pending
from llm_banking.operations.schedules import Schedules
from llm_banking.operations.wiring import handlers_of
from llm_banking.settings import Settings
from tests.conftest import ServiceUrls
from tests.identity.people import Clock
from tests.operations.adversary import Player
from tests.operations.judge import Judge
from tests.operations.moves import MOVES, ONE_OF_EACH, sensible
from tests.operations.world import World, codes_of
from tests.support.own_database import own_database

STEPS = int(os.environ.get("LLM_BANKING_GATE_STEPS", "2000"))
MOVES_A_GAME = 100
HALF = MOVES_A_GAME // 2
SEEDS = st.integers(0, 2**32 - 1)
GAMES = st.builds(
    lambda anything, seed, first: [*anything[:first], *sensible(seed, HALF), *anything[first:]],
    st.lists(MOVES, min_size=HALF, max_size=HALF),
    SEEDS,
    st.integers(0, HALF),
)
Plant = Callable[[World], None]


@pytest.fixture(scope="module")
def own_urls(service_urls: ServiceUrls) -> Iterator[ServiceUrls]:
    """A database of the adversary's own: what it leaves behind would be due in other tests."""
    with asyncio.Runner() as runner:
        context = own_database(service_urls, "adversary")
        yield runner.run(context.__aenter__())
        runner.run(context.__aexit__(None, None, None))


@pytest.fixture
def play(own_urls: ServiceUrls, settings: Settings) -> Iterator[Callable[..., Counter[str]]]:
    """Plays games on connections of its own, in a loop of its own; returns how often what happened."""
    families = build_identity(settings).families
    with asyncio.Runner() as runner:
        application = Database(own_urls.database, max_pool_size=2)
        owner = Database(own_urls.database_owner, max_pool_size=1)

        def games(moves: list[tuple[Any, ...]], plant: Plant | None = None) -> Counter[str]:
            async def game() -> Counter[str]:
                clock = Clock(utc_now())
                world = World(application, clock, ContactParts(codes_of(clock), families))
                if plant is not None:
                    plant(world)
                player = await Player.begin(world, owner)
                for move in moves:
                    await player.play(move)
                await Judge(player).judge()
                return player.done

            return runner.run(game())

        yield games
        runner.run(application.close())
        runner.run(owner.close())


def settings_for(steps: int) -> property_settings:
    """Games are not made smaller when one fails: each is a hundred transactions, and says where it failed."""
    return property_settings(
        max_examples=max(1, steps // MOVES_A_GAME),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )


def test_whatever_is_said_only_what_was_shown_and_approved_is_posted(play: Callable[..., Counter[str]]) -> None:
    total = play(ONE_OF_EACH)

    @settings_for(STEPS)
    @given(GAMES)
    def games(moves: list[tuple[Any, ...]]) -> None:
        total.update(play(moves))

    games()
    print(f"{STEPS} moves: {dict(sorted(total.items()))}")  # noqa: T201 - figures of a long run
    happened = {"proposed", "executed", "refused", "voided", "altered", "NOT_FOUND", "CONFLICT", "PENDING_EXPIRED"}
    happened |= {f"executed {kind}" for kind in Kind} | {f"scheduled {kind}" for kind in PAYMENTS}
    happened |= {"run executed"}
    assert happened | {"LIMIT_EXCEEDED", "INSUFFICIENT_FUNDS", "STEP_UP_REQUIRED", "INVALID_REQUEST"} <= set(total)
    assert total["executed"] >= STEPS // 50


class FromDraft(Gate):
    """Planted: an approval executes what was last understood, not what was frozen."""

    draft: Payload | None = None

    async def _freeze(self, session: AsyncSession, user_id: UUID, draft: Draft) -> Payload:
        self.draft = await super()._freeze(session, user_id, draft)
        return self.draft

    async def _execute(self, session: AsyncSession, row: PendingOperation, payload: Payload, now: Any) -> Operation:
        assert self.draft is not None
        latest = {**self.draft.document(), "id": payload.id}
        same = self.draft.kind == payload.kind
        return await super()._execute(session, row, self._handlers[row.kind].read(latest) if same else payload, now)


class WithoutApproval(Gate):
    """Planted: what is understood is posted at once."""

    async def propose(self, session: AsyncSession, principal: Principal, draft: Draft, **more: Any) -> Pending:
        found = await super().propose(session, principal, draft, **more)
        if draft.kind in PAYMENTS:
            await ledger_store.post(session, entry_of(Payment.of(found.payload), self._clock()))
        return found


class FreezesAtOnce(Gate):
    """Planted: a card is frozen when that is proposed."""

    async def propose(self, session: AsyncSession, principal: Principal, draft: Draft, **more: Any) -> Pending:
        found = await super().propose(session, principal, draft, **more)
        if isinstance(draft, CardDraft) and draft.kind is Kind.CARD_FREEZE:
            await change_card(session, principal.user_id, draft.card_id, CardAction.FREEZE, self._clock())
        return found


class WithoutStepUp(Gate):
    """Planted: an approval takes any proof, and none."""

    async def approve(
        self,
        session: AsyncSession,
        principal: Principal,
        pending_id: UUID,
        *,
        proof: FactorProof | None,  # noqa: ARG002 - the fault
        code: str | None = None,  # noqa: ARG002 - the fault
    ) -> Operation | Refusal:
        row, payload = await self._open(session, principal.user_id, pending_id)
        await self._check(session, payload, self._clock())
        return await self._execute(session, row, payload, self._clock())


class WithoutOwner(Gate):
    """Planted: an approval works for whoever's the id is, with the sight to do it."""

    async def approve(
        self,
        session: AsyncSession,
        principal: Principal,
        pending_id: UUID,
        *,
        proof: FactorProof | None,
        code: str | None = None,
    ) -> Operation | Refusal:
        await limit_sight(await session.connection(), scopes=[Scope.SYSTEM])
        row = await session.get(PendingOperation, pending_id)
        if row is None:
            raise PendingNotFoundError
        await limit_sight(await session.connection(), visible_to=[row.user_id])
        whose = Principal(row.user_id, "x", principal.permissions, frozenset({row.user_id}))
        return await super().approve(session, whose, pending_id, proof=proof, code=code)


class WithoutDayLimit(Gate):
    """Planted: the limit for a day is not looked at."""

    async def _check(self, session: AsyncSession, payload: Payload, now: Any) -> Any:
        return await super()._check(session, payload, now + timedelta(days=400))


def gate_of(kind: type[Gate]) -> Plant:
    def plant(world: World) -> None:
        policy = load_policy()
        assert world.contact is not None
        world.gate = kind(
            world.factors.step_up,
            policy,
            load_fees(),
            handlers_of(policy, load_fees(), load_bank_days(), world.clock, world.contact),
            codes=world.contact.codes,
            clock=world.clock,
        )

    return plant


FAULTS = [FromDraft, WithoutApproval, FreezesAtOnce, WithoutStepUp, WithoutOwner, WithoutDayLimit]


def finds(play: Callable[..., Counter[str]], plant: Plant | None) -> bool:
    """Whether some game fails: a judge's assertion, or the database's own refusal."""
    found = False

    @settings_for(2 * STEPS)
    @given(GAMES)
    def games(moves: list[tuple[Any, ...]]) -> None:
        nonlocal found
        if found:
            return
        try:
            play(moves, plant)
        except AssertionError:
            found = True

    try:
        play(ONE_OF_EACH, plant)
    except AssertionError:
        return True
    with suppress(AssertionError):
        games()
    return found


@pytest.mark.parametrize("fault", FAULTS, ids=lambda one: one.__name__)
def test_a_planted_fault_is_found(play: Callable[..., Counter[str]], fault: type[Gate]) -> None:
    assert finds(play, gate_of(fault))


def unchecked(row: PendingOperation, handlers: Handlers) -> Payload:
    try:
        found: Payload = handlers[row.kind].read(row.payload)
    except (KeyError, TypeError, ValueError) as error:
        raise PendingAlteredError from error
    return found


def another_fee(change: CardChange) -> str:
    return _CARD_SUMMARY(change).replace("$7.50", "$5.00")


async def credit_elsewhere(self: Disputes, session: AsyncSession, user_id: UUID, draft: DisputeDraft) -> DisputePayload:
    """The text names the charge's account, and another account of the customer is credited."""
    found = await _FREEZE_DISPUTE(self, session, user_id, draft)
    savings = await session.scalar(select(Account.id).where(Account.user_id == user_id, Account.kind == "savings"))
    if found.credit is None:
        return found
    charge = replace(found.charge, account_id=str(savings))
    return replace(found, charge=charge, receiver=Credited(str(savings)))


def credit_everything(*_: object) -> bool:
    return True


async def without_proof(*_: object) -> frozenset[Method]:
    return frozenset()


async def any_code(*_: object) -> None:
    return None


def other_terms(**columns: Any) -> LoanApplication:
    return LoanApplication(**{**columns, "amount_minor": columns["amount_minor"] + 100})


async def cancel_nothing(_self: CancelSchedules, _session: AsyncSession, payload: Cancelling, _now: datetime) -> Done:
    return Done(result={"schedule_id": payload.schedule_id})


def tomorrow(self: Schedules, now: datetime) -> date:
    return _TODAY(self, now) + timedelta(days=1)


def leave_one_out(self: Schedules, schedule: ScheduledPayment, *more: Any) -> None:
    _GO_ON(self, schedule, *more)
    if schedule.status == "active" and schedule.next_on is not None and not schedule.attempts:
        schedule.next_number += 1
        schedule.next_on += timedelta(days=7)


def another_amount(payload: Payment, booked_at: datetime, *, number: int | None = None) -> Entry:
    changed = payload if number is None else replace(payload, amount_minor=payload.amount_minor + 1)
    return entry_of(changed, booked_at, number=number)


_CARD_SUMMARY, _FREEZE_DISPUTE = CardChange.summary, Disputes.freeze
_TODAY, _GO_ON = Schedules.today, Schedules._go_on
PLANTED = {
    "what was altered is executed": ("llm_banking.operations.gate.as_shown", unchecked),
    "a fee that is not as shown": ("llm_banking.operations.card_change.CardChange.summary", another_fee),
    "a card made good without a proof": ("llm_banking.operations.cards.Cards.check", without_proof),
    "credit to another account": ("llm_banking.operations.disputes.Disputes.freeze", credit_elsewhere),
    "credit beyond the limit": ("llm_banking.banking.disputes.DisputeRules.credits", credit_everything),
    "a loan on other terms": ("llm_banking.operations.loans.LoanApplication", other_terms),
    "a cancelled schedule goes on": ("llm_banking.operations.cancelling.CancelSchedules.execute", cancel_nothing),
    "a schedule paid a day early": ("llm_banking.operations.schedules.Schedules.today", tomorrow),
    "a payment left out": ("llm_banking.operations.schedules.Schedules._go_on", leave_one_out),
    "an address without its code": ("llm_banking.operations.contact_codes.ContactCodes.refused", any_code),
    "another amount each time": ("llm_banking.operations.payments.entry_of", another_amount),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_fault_planted_in_a_kind_of_operation_is_found(
    play: Callable[..., Counter[str]], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(*PLANTED[name])
    assert finds(play, None)
