"""Customers who planned payments some days ago, through the real gate: all of them are due, and the workers make them.

The gate runs in this process on a clock that is behind, for nobody can plan a payment for today. What is planned in one
transaction is acknowledged when its commit is; whether a commit that broke off happened is looked up before it counts.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from llm_banking.banking.bank_days import BankDays, load_bank_days
from llm_banking.identity.principal import Permission, Principal
from llm_banking.identity.step_up import Refusal
from llm_banking.identity.wiring import build_identity
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, DatabaseUnavailableError
from llm_banking.kit.money import Money
from llm_banking.operations.drafts import OwnTransfer, PayeeTransfer, PaymentDraft
from llm_banking.operations.errors import NotPossibleError, TooManySchedulesError
from llm_banking.operations.gate import Gate
from llm_banking.operations.when import OnDay
from llm_banking.operations.wiring import open_gate
from llm_banking.proof.crash_clients import GIVE_UP_S, PAUSE_S, PLANNED, Notebook, Order, Person, order_of
from llm_banking.settings import Settings

PLANNED_AGO = timedelta(days=6)
"""Long enough for a business day in between, and not so long that the payment counts as missed."""
AT_ONCE = 3
"""Planned in one transaction, so that several are due at the same time."""
THINK_S = 0.4
_CODE = text("SELECT confirmation_code FROM bank_operations WHERE pending_id = :id")


def past() -> datetime:
    """The time on the gate's clock."""
    return utc_now() - PLANNED_AGO


class Planner:
    """One thread that plans payments for all customers in turn."""

    def __init__(
        self, database_url: str, settings: Settings, people: Sequence[Person], notebook: Notebook, seed: int
    ) -> None:
        self._database_url = database_url
        self._people = people
        self._notebook = notebook
        self._rng = random.Random(seed)  # noqa: S311 - made-up payments, no secret
        self._days = load_bank_days()
        self._gate: Gate = open_gate(build_identity(settings).second_factors.step_up, days=self._days, clock=past)

    def run(self, over: threading.Event) -> None:
        """Plan until it is over."""
        asyncio.run(self._run(over))

    async def _run(self, over: threading.Event) -> None:
        database = Database(self._database_url, max_pool_size=1)
        try:
            while not over.is_set():
                await self._plan(database, self._rng.choice(self._people))
                await asyncio.sleep(self._rng.expovariate(1 / THINK_S))
        finally:
            await database.close()

    async def _plan(self, database: Database, person: Person) -> None:
        orders = [order_of(person, self._rng, PLANNED) for _ in range(AT_ONCE)]
        try:
            codes = await self._approved(database, person, orders)
        except DatabaseUnavailableError:
            self._notebook.count("plans that broke off")
            codes = await self._looked_up(database, person, orders)
        except TooManySchedulesError:  # the workers are behind
            self._notebook.count("plans that found no room")
            return
        for order, code in zip(orders, codes, strict=True):
            if code is not None:
                order.receipt = {"confirmation_code": code}
                self._notebook.orders.append(order)

    async def _approved(self, database: Database, person: Person, orders: Sequence[Order]) -> list[str | None]:
        """Confirmation codes. An order's id is known before its transaction is committed."""
        principal = Principal(person.id, str(person.id), frozenset({Permission.BANKING_WRITE}), frozenset({person.id}))
        day, codes = due_day(self._days, utc_now(), self._rng), list[str | None]()
        async with database.transaction(visible_to={person.id}) as session:
            for order in orders:
                pending = await self._gate.propose(session, principal, draft_of(order, day), channel="api")
                order.operation_id = pending.id
                done = await self._gate.approve(session, principal, pending.id, proof=None)
                if isinstance(done, Refusal):
                    raise NotPossibleError("A payment that asks for no proof was refused.")
                codes.append(done.confirmation_code)
        return codes

    async def _looked_up(self, database: Database, person: Person, orders: Sequence[Order]) -> list[str | None]:
        gives_up = time.monotonic() + GIVE_UP_S
        while time.monotonic() < gives_up:
            try:
                async with database.transaction(visible_to={person.id}) as session:
                    return [await session.scalar(_CODE, {"id": one.operation_id}) for one in orders]
            except DatabaseUnavailableError:
                await asyncio.sleep(PAUSE_S)
        self._notebook.wrong(f"the database was away for {GIVE_UP_S:g} s")
        return [None] * len(orders)


def draft_of(order: Order, day: date) -> PaymentDraft:
    """The order as a draft for a day."""
    amount, account = Money(order.amount_minor, order.body["currency"]), order.payer
    if order.body["kind"] == OwnTransfer.kind:
        return OwnTransfer(account, order.receiver, amount, OnDay(day))
    return PayeeTransfer(account, UUID(order.body["payee_id"]), amount, None, OnDay(day))


def due_day(days: BankDays, now: datetime, rng: random.Random) -> date:
    """A day after that of the gate's clock whose payment is due now."""
    today = days.today(now)
    candidates = [today - timedelta(days=ago) for ago in range(PLANNED_AGO.days)]
    return rng.choice([one for one in candidates if days.business_day_from(one) <= today])
