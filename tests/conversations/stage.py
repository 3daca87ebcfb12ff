"""Where conversations are played: a customer of their own with accounts and payees, signed in, on the real gate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from sqlalchemy import insert, select, update

from llm_banking.banking import core as banking
from llm_banking.banking.cards import list_cards
from llm_banking.banking.ledger import Own, transfer
from llm_banking.banking.ledger_models import Account, Card
from llm_banking.banking.ledger_store import post
from llm_banking.banking.models import Payee
from llm_banking.identity.models import User
from llm_banking.identity.second_factors import SecondFactors
from llm_banking.identity.tokens import Subject
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, Scope
from llm_banking.operations.models import BankOperation, PendingOperation, ScheduledPayment
from llm_banking.operations.wiring import open_gate
from tests.identity.people import Clock, add_session, add_user, code_now, second_factors, with_totp
from tests.operations.world import usd

ACCOUNTS = {
    "checking": ("Everyday Checking", "checking", "4144", "2000.00"),
    "savings": ("Rainy Day Savings", "savings", "7720", "5000.00"),
    "card": ("Blue Rewards Card", "credit_card", "4512", "-300.00"),
}
CARDS = {
    "debit": ("checking", "debit", "Green Visa", "1881"),
    "credit": ("card", "credit", "Blue Rewards Card", "4512"),
}
"""Of which account, kind, name and last digits."""
CARDS_ACTIVE = dict.fromkeys(CARDS, "active")
CHARGES = (
    ("Corner Coffee", "4.50", 3),
    ("Corner Coffee", "4.50", 2),
    ("Noodle House", "42.10", 5),
    ("Noodle House", "18.00", 9),
    ("Bright Fuel", "60.00", 20),
    ("Lakeside Books", "250.00", 4),
)
"""On checking: by whom, how much, so many days ago."""
PAYEES = (
    ("Alice Johnson", "person", True),
    ("Bob Carter", "person", True),
    ("Bobbie Carver", "person", True),
    ("Nina Newman", "person", False),
    ("Northgrid Electricity", "biller", True),
    ("Bluewire Internet", "biller", True),
)
"""Name, kind, and whether they were paid before."""


@dataclass
class Stage:
    """The application, whose gate and conversations go by a clock of ours."""

    app: FastAPI
    client: AsyncClient
    database: Database
    clock: Clock
    factors: SecondFactors

    async def agent(self) -> dict[str, str]:
        """What an agent of the bank who signed in just now sends."""
        async with self.database.transaction(scope=Scope.IDENTITY) as session:
            agent_id = await add_user(session, "agent")
            family_id = await add_session(session, agent_id, utc_now())
        token = self.app.state.services.identity.tokens.issue(Subject(agent_id, "agent", family_id, 0, ("pwd",)))
        return {"Authorization": f"Bearer {token}"}

    async def customer(self, cards: Mapping[str, str] = CARDS_ACTIVE) -> Player:
        """Somebody new, signed in, with an authenticator app, and with cards in these statuses."""
        player_id, now = uuid4(), self.clock()
        accounts = {name: uuid4() for name in ACCOUNTS}
        async with self.database.transaction(scope=Scope.IDENTITY) as session:
            email = f"{player_id}@example.com"
            user = {"id": player_id, "display_name": "Zoe Quill", "account_type": "user", "email": email}
            await session.execute(insert(User), [{**user, "created_at": now}])
            family_id = await add_session(session, player_id, now)
            secret = await with_totp(session, self.factors, player_id, self.clock)
        self.clock.advance(seconds=30)
        async with self.database.transaction(visible_to={player_id}) as session:
            await session.execute(insert(Account), [_account(player_id, accounts[name], name) for name in ACCOUNTS])
            for name, account_id in accounts.items():
                amount = usd(ACCOUNTS[name][3])
                if name == "checking":
                    amount = sum((usd(spent) for _, spent, _ in CHARGES), amount)
                places = (Own.OUTSIDE, account_id) if amount.amount_minor > 0 else (account_id, Own.OUTSIDE)
                opening = transfer(
                    uuid4(),
                    payer=places[0],
                    payee=places[1],
                    amount=amount if amount.amount_minor > 0 else -amount,
                    booked_at=now,
                    kind="opening",
                    payer_reads="Opening balance",
                    payee_reads="Opening balance",
                )
                await post(session, opening)
            await session.execute(insert(Card), [_card(accounts, name, status) for name, status in cards.items()])
            for shop, spent, days_ago in CHARGES:
                charge = transfer(
                    uuid4(),
                    payer=accounts["checking"],
                    payee=Own.OUTSIDE,
                    amount=usd(spent),
                    booked_at=now - timedelta(days=days_ago),
                    kind="opening",
                    payer_reads=shop,
                    payee_reads=shop,
                )
                await post(session, charge)
            await session.execute(insert(Payee), [_payee(player_id, *one, now) for one in PAYEES])
        subject = Subject(player_id, "user", family_id, 0, ("pwd",))
        token = self.app.state.services.identity.tokens.issue(subject)
        return Player(self, player_id, accounts, {"Authorization": f"Bearer {token}"}, secret)


def _account(owner: UUID, account_id: UUID, name: str) -> dict[str, Any]:
    title, kind, last4, _ = ACCOUNTS[name]
    return {
        "id": account_id,
        "user_id": owner,
        "kind": kind,
        "name": title,
        "number_last4": last4,
        "currency": "USD",
        "floor_minor": -1_000_000 if kind == "credit_card" else 0,
        "created_at": utc_now(),
    }


def _card(accounts: Mapping[str, UUID], name: str, status: str) -> dict[str, Any]:
    account, kind, title, last4 = CARDS[name]
    return {
        "id": uuid4(),
        "account_id": accounts[account],
        "kind": kind,
        "name": title,
        "number_last4": last4,
        "expires_on": utc_now().date(),
        "status": status,
    }


def _payee(owner: UUID, name: str, kind: str, known: bool, now: datetime) -> dict[str, Any]:
    since = now - timedelta(days=90 if known else 2)
    return {
        "id": uuid4(),
        "user_id": owner,
        "kind": kind,
        "name": name,
        "account_encrypted": b"sealed",
        "account_last4": "1234",
        "status": "active",
        "created_at": since,
        "first_paid_at": since if known else None,
    }


@dataclass
class Player:
    """A customer who talks."""

    stage: Stage
    id: UUID
    accounts: dict[str, UUID]
    headers: dict[str, str]
    secret: bytes

    async def balances(self) -> dict[str, int]:
        """What is on each account, in minor units."""
        async with self.stage.database.transaction(visible_to={self.id}) as session:
            held = {one.id: one.balance.amount_minor for one in await banking.list_accounts(session, self.id)}
        return {name: held[account_id] for name, account_id in self.accounts.items()}

    async def cards(self) -> dict[str, str]:
        """The status of each card, by its last digits."""
        async with self.stage.database.transaction(visible_to={self.id}) as session:
            found = {one.number_last4: one.status.value for one in await list_cards(session, self.id)}
        return {name: found[last4] for name, (_, _, _, last4) in CARDS.items() if last4 in found}

    async def pending(self) -> list[PendingOperation]:
        """What was proposed, oldest first."""
        async with self.stage.database.transaction(visible_to={self.id}) as session:
            query = select(PendingOperation).where(PendingOperation.user_id == self.id).order_by(PendingOperation.id)
            return list(await session.scalars(query))

    async def operations(self) -> list[BankOperation]:
        """What was done, oldest first."""
        async with self.stage.database.transaction(visible_to={self.id}) as session:
            query = select(BankOperation).where(BankOperation.user_id == self.id).order_by(BankOperation.id)
            return list(await session.scalars(query))

    async def schedules(self) -> list[str]:
        """What is planned, as its status and the day of the next payment, oldest first."""
        async with self.stage.database.transaction(visible_to={self.id}) as session:
            query = select(ScheduledPayment).where(ScheduledPayment.user_id == self.id).order_by(ScheduledPayment.id)
            return [f"{one.status} {one.next_on}" for one in await session.scalars(query)]

    async def decide(self, pending_id: str, *, approve: bool, factor: bool) -> int:
        """Press the button of a confirmation, with a code of the app where one is asked for; the status it gives."""
        client = self.stage.client
        body: dict[str, Any] = {"approve": approve}
        if factor:
            begun = await client.post(f"/api/v2/operations/{pending_id}/step-up", headers=self.headers)
            assert begun.status_code == 200, begun.text
            self.stage.clock.advance(seconds=30)
            challenge = begun.json()["data"]["challenge"]["challenge_id"]
            body["step_up"] = {"challenge_id": challenge, "code": code_now(self.secret, self.stage.clock)}
        done = await client.post(f"/api/v2/chat/confirmations/{pending_id}", json=body, headers=self.headers)
        return done.status_code

    async def close(self, payee: str) -> None:
        """Take a payee off the list behind the conversation's back."""
        async with self.stage.database.transaction(visible_to={self.id}) as session:
            gone = update(Payee).where(Payee.user_id == self.id, Payee.name == payee).values(status="removed")
            await session.execute(gone)


@contextmanager
def playing(app: FastAPI, client: AsyncClient, database: Database, *, today: date | None = None) -> Iterator[Stage]:
    """The application on a clock of ours: now, or noon of a day."""
    noon = None if today is None else datetime.combine(today, time(12), UTC)
    clock, before = Clock(noon or utc_now()), app.state.services
    factors = second_factors(clock)
    identity = replace(before.identity, second_factors=factors)
    gate = open_gate(factors.step_up, clock=clock)
    app.state.services = replace(before, identity=identity, gate=gate)
    patched = pytest.MonkeyPatch()
    patched.setattr("llm_banking.dialogue.service.utc_now", clock)
    try:
        yield Stage(app, client, database, clock, factors)
    finally:
        patched.undo()
        app.state.services = before
