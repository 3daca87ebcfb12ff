"""Customers with accounts, payees and second factors, each in a transaction of their own; and a gate on a clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.cards import card_of
from llm_banking.banking.ledger import Own, transfer
from llm_banking.banking.ledger_models import Account, Card
from llm_banking.banking.ledger_store import post
from llm_banking.banking.models import Payee
from llm_banking.banking.payees import Payees
from llm_banking.identity.keyed_hash import KeyedHash
from llm_banking.identity.models import TokenFamily, User
from llm_banking.identity.principal import Permission, Principal
from llm_banking.identity.second_factors import FactorProof, SecondFactors
from llm_banking.identity.secret_box import SecretBox
from llm_banking.identity.step_up import Challenge, PasskeyAnswer, Refusal, TotpCode
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, Scope
from llm_banking.kit.money import Money
from llm_banking.operations.contact import ContactParts
from llm_banking.operations.contact_codes import ContactCodes
from llm_banking.operations.drafts import BillPayment, Draft, OwnTransfer, PayeeTransfer
from llm_banking.operations.gate import Channel, Gate
from llm_banking.operations.models import PaymentRun
from llm_banking.operations.records import Operation, Pending
from llm_banking.operations.schedules import Schedules, due_schedules
from llm_banking.operations.when import NOW, Wish
from llm_banking.operations.wiring import open_gate, open_schedules
from tests.identity.people import MASTER_KEYS, Clock, code_now, second_factors, with_passkey, with_totp
from tests.identity.software_authenticator import SoftwareAuthenticator

WRITE = frozenset({Permission.BANKING_READ, Permission.BANKING_WRITE})


def usd(amount: str) -> Money:
    return Money.parse(amount, "USD")


def codes_of(clock: Clock, kind: type[ContactCodes] = ContactCodes) -> ContactCodes:
    return kind(KeyedHash.of(MASTER_KEYS), SecretBox(MASTER_KEYS), clock=clock)


@dataclass
class World:
    """A gate over a database, on a clock that stands still."""

    database: Database
    clock: Clock = field(default_factory=lambda: Clock(utc_now()))
    contact: ContactParts | None = None
    """Without it no address is changed."""
    factors: SecondFactors = field(init=False)
    gate: Gate = field(init=False)
    schedules: Schedules = field(init=False)
    payees: Payees = field(init=False)

    def __post_init__(self) -> None:
        self.factors = second_factors(self.clock)
        self.gate = open_gate(self.factors.step_up, contact=self.contact, clock=self.clock)
        self.schedules = open_schedules()
        self.payees = Payees(SecretBox(MASTER_KEYS), clock=self.clock)

    async def pay_due(self, *customers: Customer) -> list[PaymentRun]:
        """What the worker does of these customers' schedules until nothing of them is due by the clock."""
        runs: list[PaymentRun] = []
        whose = {one.id for one in customers}
        while True:
            before = len(runs)
            async with self.database.transaction(scope=Scope.WORKER) as session:
                due = await due_schedules(session, self.schedules.today(self.clock()), most=10_000)
            for one in due:
                if one.user_id in whose:
                    async with self.database.transaction(visible_to={one.user_id}) as session:
                        run = await self.schedules.pay(session, one, self.clock())
                    runs += [] if run is None else [run]
            if len(runs) == before:
                return runs

    async def customer(self, name: str = "Zoe Quill", balance: str = "20000.00") -> Customer:
        """A customer with checking, savings and a card; the money is on checking."""
        found = Customer(self, uuid4(), name, uuid4(), uuid4(), uuid4(), uuid4())
        async with self.database.transaction(scope=Scope.SYSTEM) as session:
            row = {"id": found.id, "display_name": name, "account_type": "user", "created_at": self.clock()}
            await session.execute(insert(User), [row])
        await found.sign_in(found.session, "the usual one")
        async with self.database.transaction(visible_to={found.id}) as session:
            kinds = ((found.checking, "checking"), (found.savings, "savings"), (found.card, "credit_card"))
            plain = {"user_id": found.id, "currency": "USD", "floor_minor": 0, "created_at": utc_now()}
            rows = [
                {"id": one, "kind": kind, "name": kind.title(), "number_last4": f"{one.int % 10_000:04d}", **plain}
                for one, kind in kinds
            ]
            await session.execute(insert(Account), rows)
            if usd(balance).amount_minor:
                opening = transfer(
                    uuid4(),
                    payer=Own.OUTSIDE,
                    payee=found.checking,
                    amount=usd(balance),
                    booked_at=utc_now(),
                    kind="opening",
                    payer_reads="x",
                    payee_reads="x",
                )
                await post(session, opening)
        return found


@dataclass
class Customer:
    """A person, what they own, and what is in their pockets."""

    world: World
    id: UUID
    name: str
    checking: UUID
    savings: UUID
    card: UUID
    session: UUID
    secret: bytes = b""
    key: SoftwareAuthenticator = field(default_factory=SoftwareAuthenticator)

    @property
    def principal(self) -> Principal:
        return self.on(self.session)

    def on(self, session_id: UUID | None = None, api_key_id: UUID | None = None) -> Principal:
        """The same person in another session, or a program of theirs."""
        return Principal(
            self.id,
            str(self.id),
            WRITE,
            frozenset({self.id}),
            account_type="user",
            session_id=session_id,
            api_key_id=api_key_id,
        )

    async def sign_in(self, session_id: UUID, device: str | None) -> None:
        """A session on a device, opened at this moment of the world."""
        now = self.world.clock()
        row = {
            "id": session_id,
            "user_id": self.id,
            "device_hash": bytes(32),
            "device": device,
            "authenticated_by": ["pwd"],
            "created_at": now,
            "last_used_at": now,
            "expires_at": now + timedelta(days=30),
        }
        async with self.world.database.transaction(visible_to={self.id}) as session:
            await session.execute(insert(TokenFamily), [row])

    async def add_app(self) -> None:
        async with self.world.database.transaction(scope=Scope.IDENTITY) as session:
            self.secret = await with_totp(session, self.world.factors, self.id, self.world.clock)

    async def add_passkey(self) -> None:
        async with self.world.database.transaction(scope=Scope.IDENTITY) as session:
            await with_passkey(session, self.world.factors, self.id, self.key)
        self.key.user_handle = self.id.bytes

    async def payee(self, other: Customer | None = None, *, known: bool = True, biller: bool = False) -> UUID:
        """A payee: another customer, or somebody elsewhere; one that is known was added and paid long ago."""
        now = self.world.clock()
        since = now.replace(year=now.year - 1) if known else now
        payee_id = uuid4()
        row: dict[str, Any] = {
            "id": payee_id,
            "user_id": self.id,
            "kind": "biller" if biller else "person",
            "name": other.name if other else "Northgrid",
            "account_id": other.checking if other else None,
            "account_encrypted": None if other else b"sealed",
            "account_last4": "1234",
            "currency": "USD" if other else None,
            "status": "active",
            "created_at": since,
            "first_paid_at": since if known else None,
        }
        async with self.world.database.transaction(visible_to={self.id}) as session:
            await session.execute(insert(Payee), [row])
        return payee_id

    async def add_card(self, status: str = "active", last4: str = "0815") -> UUID:
        """A card of the checking account."""
        card_id, now = uuid4(), self.world.clock()
        row = {
            "id": card_id,
            "account_id": self.checking,
            "kind": "debit",
            "name": "Blue Visa",
            "number_last4": last4,
            "expires_on": now.date(),
            "status": status,
        }
        async with self.transaction() as session:
            await session.execute(insert(Card), [row])
        return card_id

    async def charge(self, amount: str, shop: str = "Noodle House", *, days_ago: int = 1) -> UUID:
        """Something that was paid in a shop, by no operation of ours."""
        entry = transfer(
            uuid4(),
            payer=self.checking,
            payee=Own.OUTSIDE,
            amount=usd(amount),
            booked_at=self.world.clock() - timedelta(days=days_ago),
            kind="card",
            payer_reads=shop,
            payee_reads=shop,
        )
        async with self.transaction() as session:
            await post(session, entry)
        return entry.id

    async def card_status(self, card_id: UUID) -> str:
        async with self.transaction() as session:
            return (await card_of(session, self.id, card_id)).status.value

    def own(self, amount: str, when: Wish = NOW) -> OwnTransfer:
        return OwnTransfer(self.checking, self.savings, usd(amount), when)

    def send(self, payee_id: UUID, amount: str, note: str | None = None, when: Wish = NOW) -> PayeeTransfer:
        return PayeeTransfer(self.checking, payee_id, usd(amount), note, when)

    def pay(self, payee_id: UUID, amount: str, when: Wish = NOW) -> BillPayment:
        return BillPayment(self.checking, payee_id, usd(amount), when)

    async def planned(self, draft: Draft) -> UUID:
        """Have a payment planned; the schedule's id."""
        pending = await self.propose(draft)
        assert (await self.done(pending.id)).status == "scheduled"
        return pending.id

    def transaction(self) -> Any:
        return self.world.database.transaction(visible_to={self.id})

    async def propose(self, draft: Draft, chat_session_id: UUID | None = None) -> Pending:
        channel: Channel = "api" if chat_session_id is None else "chat"
        async with self.transaction() as session:
            return await self.world.gate.propose(
                session, self.principal, draft, channel=channel, chat_session_id=chat_session_id
            )

    async def begin(self, pending_id: UUID) -> Challenge | None:
        async with self.transaction() as session:
            return await self.world.gate.begin_step_up(session, self.principal, pending_id)

    def app_code(self) -> str:
        """A code that was not used; the clock moves on for it."""
        self.world.clock.advance(seconds=30)
        return code_now(self.secret, self.world.clock)

    def code(self, challenge: Challenge) -> FactorProof:
        return FactorProof(challenge.id, TotpCode(self.app_code()))

    def touch(self, challenge: Challenge) -> FactorProof:
        assert challenge.webauthn is not None
        return FactorProof(challenge.id, PasskeyAnswer(self.key.get(challenge.webauthn)))

    async def prove(self, pending_id: UUID) -> FactorProof:
        challenge = await self.begin(pending_id)
        assert challenge is not None
        return self.code(challenge) if self.secret else self.touch(challenge)

    async def approve(
        self, pending_id: UUID, proof: FactorProof | None = None, code: str | None = None
    ) -> Operation | Refusal:
        async with self.transaction() as session:
            return await self.world.gate.approve(session, self.principal, pending_id, proof=proof, code=code)

    async def done(self, pending_id: UUID, proof: FactorProof | None = None) -> Operation:
        found = await self.approve(pending_id, proof)
        assert isinstance(found, Operation)
        return found

    async def void(self, pending_id: UUID) -> Pending:
        async with self.transaction() as session:
            return await self.world.gate.void(session, self.principal, pending_id)

    async def balances(self) -> tuple[int, int]:
        """Checking and savings, in minor units."""
        async with self.transaction() as session:
            rows = await session.execute(text("SELECT id, balance_minor FROM accounts"))
            found = {row.id: row.balance_minor for row in rows}
        return found[self.checking], found[self.savings]


async def tampered(owner: Database, statement: str, **values: Any) -> None:
    """Change a frozen row behind the gate's back, as nobody but the tables' owner could, without its triggers."""
    async with owner.engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text(statement), values)


async def count(session: AsyncSession, table: str) -> int:
    return int(await session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)  # noqa: S608 - our tables
