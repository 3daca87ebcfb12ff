"""Two people with rows in every table that holds a user's rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Scope, limit_sight
from llm_banking.migrations.metadata import product_metadata
from llm_banking.operations.drafts import Kind
from llm_banking.operations.payload import hash_of
from llm_banking.operations.payment import Payer, Payment, Receiver
from llm_banking.operations.when import NOW as WHEN_NOW
from llm_banking.operations.when import Once, Plan

NOW = utc_now()


@dataclass(frozen=True)
class Person:
    """A user with one row in every table that holds a user's rows."""

    id: UUID
    family_id: UUID
    account_id: UUID
    session_id: UUID
    message_id: UUID
    entry_id: UUID
    hold_id: UUID
    card_id: UUID
    payee_id: UUID
    pending_id: UUID
    approved_id: UUID

    @classmethod
    def new(cls) -> Person:
        return cls(*(uuid4() for _ in range(11)))

    def frozen(self, pending_id: UUID, when: Plan = WHEN_NOW) -> dict[str, Any]:
        """A cent to the payee, as the gate freezes it."""
        payer = Payer(str(self.account_id), "An account", "0000", "Somebody")
        receiver = Receiver("a payee", "0000", None, str(self.payee_id))
        kind = Kind.PAYEE_TRANSFER
        payload = Payment(str(pending_id), str(self.id), kind, payer, receiver, 1, 0, "USD", None, when)
        return {
            "id": pending_id,
            "user_id": self.id,
            "kind": kind.value,
            "payload": payload.document(),
            "payload_hash": hash_of(payload.document()),
            "summary": payload.summary(),
            "requires": [],
            "channel": "api",
            "status": "pending",
            "created_at": NOW,
            "expires_at": NOW + timedelta(minutes=5),
        }

    def approved(self) -> dict[str, Any]:
        """The pending operation that the one in `bank_operations` came from."""
        tomorrow = NOW.date() + timedelta(days=1)
        return {**self.frozen(self.approved_id, Once(tomorrow, tomorrow)), "status": "consumed", "consumed_at": NOW}

    def rows(self) -> dict[str, dict[str, Any]]:
        """A row for each table, parents first. Keys that nothing refers to are new at each call."""
        chat = {"session_id": self.session_id, "content": "words", "created_at": NOW, "suggested_next_steps": []}
        later, some = {"created_at": NOW, "expires_at": NOW}, bytes(32)
        return {
            "users": {
                "id": self.id,
                "display_name": "Somebody",
                "account_type": "user",
                "preferred_language": "en",
                "is_demo": False,
                "created_at": NOW,
            },
            "token_families": {
                "id": self.family_id,
                "user_id": self.id,
                "device_hash": some,
                "authenticated_by": [],
                "last_used_at": NOW,
                **later,
            },
            "refresh_tokens": {
                "id": uuid4(),
                "family_id": self.family_id,
                "token_hash": uuid4().bytes,
                "issued_at": NOW,
            },
            "api_keys": {
                "id": uuid4(),
                "user_id": self.id,
                "name": "a key",
                "prefix": "p",
                "key_hash": uuid4().bytes,
                "scopes": [],
                **later,
            },
            "totp_secrets": {"user_id": self.id, "secret_encrypted": some, "created_at": NOW},
            "webauthn_credentials": {
                "id": uuid4(),
                "user_id": self.id,
                "credential_id": uuid4().bytes,
                "public_key": some,
                "sign_count": 0,
                "name": "a passkey",
                "created_at": NOW,
            },
            "step_up_challenges": {
                "id": uuid4(),
                "user_id": self.id,
                "method": "totp",
                "payload_hash": some,
                "challenge": some,
                "failures": 0,
                **later,
            },
            "oidc_identities": {
                "id": uuid4(),
                "user_id": self.id,
                "issuer": "an issuer",
                "subject": str(uuid4()),
                "created_at": NOW,
            },
            "accounts": {
                "id": self.account_id,
                "user_id": self.id,
                "kind": "checking",
                "name": "An account",
                "number_last4": "0000",
                "currency": "USD",
                "created_at": NOW,
            },
            "cards": {
                "id": self.card_id,
                "account_id": self.account_id,
                "kind": "debit",
                "name": "A card",
                "number_last4": "0000",
                "expires_on": NOW.date(),
                "status": "active",
                "status_changed_at": NOW,
                "created_at": NOW,
            },
            "ledger_entries": {"id": self.entry_id, "body_hash": some, "kind": "test", "booked_at": NOW},
            "postings": {
                "entry_id": self.entry_id,
                "leg": 1,
                "account_id": self.account_id,
                "amount_minor": 5,
                "currency": "USD",
                "description": "bread",
                "booked_at": NOW,
            },
            "holds": {
                "id": self.hold_id,
                "account_id": self.account_id,
                "amount_minor": 1,
                "reason": "a hold",
                "expires_at": later["expires_at"],
            },
            "payees": {
                "id": self.payee_id,
                "user_id": self.id,
                "kind": "person",
                "name": "a payee",
                "account_encrypted": some,
                "account_last4": "0000",
                "status": "active",
                "created_at": NOW,
                "first_paid_at": NOW,
            },
            "pending_operations": self.frozen(self.pending_id),
            "bank_operations": {
                "id": uuid4(),
                "user_id": self.id,
                "kind": "payee_transfer",
                "pending_id": self.approved_id,
                "payee_id": self.payee_id,
                "status": "scheduled",
                "amount_minor": 1,
                "currency": "USD",
                "request": self.approved()["payload"],
                "result": {},
                "confirmation_code": uuid4().hex[:16],
                "created_at": NOW,
            },
            "scheduled_payments": {
                "id": self.approved_id,
                "user_id": self.id,
                "status": "active",
                "next_number": 0,
                "next_on": NOW.date() + timedelta(days=1),
                "attempts": 0,
                "created_at": NOW,
            },
            "payment_runs": {
                "schedule_id": self.approved_id,
                "number": 0,
                "attempt": 1,
                "due_on": NOW.date() + timedelta(days=1),
                "status": "failed",
                "reason": "insufficient_funds",
                "ran_at": NOW,
            },
            "loan_applications": {
                "id": self.approved_id,
                "user_id": self.id,
                "status": "received",
                "amount_minor": 500_000,
                "currency": "USD",
                "months": 24,
                "annual_percent": "6.9",
                "payment_minor": 22_370,
                "concerns": [],
                "created_at": NOW,
                "changed_at": NOW,
            },
            "disputes": {
                "id": self.approved_id,
                "user_id": self.id,
                "account_id": self.account_id,
                "entry_id": self.entry_id,
                "reason": "not_recognised",
                "status": "open",
                "description": "bread",
                "amount_minor": 5,
                "currency": "USD",
                "created_at": NOW,
            },
            "contact_codes": {
                "id": self.approved_id,
                "user_id": self.id,
                "code_hash": some,
                "failures": 0,
                "created_at": NOW,
                "expires_at": NOW + timedelta(minutes=5),
            },
            "idempotency_keys": {
                "user_id": self.id,
                "key": "a key of a client",
                "route": "POST /somewhere",
                "body_hash": some,
                "created_at": NOW,
            },
            "outbox": {"id": uuid4(), "user_id": self.id, "topic": "test", "payload": {}, "created_at": NOW},
            "chat_sessions": {
                "id": self.session_id,
                "user_id": self.id,
                "title": "a title",
                "message_count": 1,
                "tracker": {},
                "created_at": NOW,
                "last_message_at": NOW,
            },
            "handoffs": {
                "id": uuid4(),
                "session_id": self.session_id,
                "user_id": self.id,
                "reason": "request",
                "summary": "a summary",
                "status": "closed",
                "created_at": NOW,
                "taken_by": self.id,
                "taken_at": NOW,
                "closed_at": NOW,
            },
            "chat_messages": {"id": self.message_id, "role": "user", **chat},
            "model_metrics": {
                "id": uuid4(),
                "query_id": self.message_id,
                "model_version": "1",
                "intent": "greeting",
                "confidence": 1.0,
                "tokens_used": 0,
                "latency_ms": 1.0,
                "cached": False,
                "created_at": NOW,
            },
        }


PARENT = {
    "users": "id",
    "refresh_tokens": "family_id",
    "ledger_entries": "id",
    "cards": "account_id",
    "postings": "account_id",
    "holds": "account_id",
    "chat_messages": "session_id",
    "model_metrics": "query_id",
    "payment_runs": "schedule_id",
}
"""The column that says whose a row is, where it is not `user_id`."""
LEDGER = ("ledger_entries", "postings", "holds")
"""Written by the ledger's functions alone."""
OF_ENTRIES = ("disputes",)
"""Written after those, for they name an entry."""
TABLES = sorted(Person.new().rows())


def owner_column(table: str) -> str:
    return PARENT.get(table, "user_id")


@dataclass
class Two:
    """Two people with rows of their own, in a transaction of the application's role that is rolled back."""

    connection: AsyncConnection
    ours: Person
    theirs: Person

    async def see_as(self, *users: Person, scopes: Collection[Scope] = ()) -> None:
        await limit_sight(self.connection, visible_to=[one.id for one in users], scopes=scopes)

    async def owners(self, table: str) -> set[UUID]:
        """Whose rows of a table can be seen, of these two."""
        column = owner_column(table)
        found = set(await self.connection.scalars(text(f"SELECT {column} FROM {table}")))  # noqa: S608 - our tables
        return found & {one.rows()[table][column] for one in (self.ours, self.theirs)}

    async def add(self, table: str, person: Person) -> None:
        await self.connection.execute(insert(product_metadata().tables[table]), person.rows()[table])


async def write_ledger(connection: AsyncConnection, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """The ledger's rows of a person, by the ledger's functions: nobody else writes them."""
    await limit_sight(connection, visible_to=[rows["users"]["id"]])
    account = {"account": rows["accounts"]["id"]}
    posted = await connection.scalar(
        text(
            "SELECT ledger_post(:entry, 'body', 'test', now(), ARRAY[NULL, :account]::uuid[], ARRAY['outside', NULL], "
            "ARRAY[-5, 5], ARRAY['USD', 'USD'], ARRAY['bread', :words], NULL, NULL)"
        ),
        {"entry": rows["ledger_entries"]["id"], "words": rows["postings"]["description"], **account},
    )
    held = await connection.scalar(
        text("SELECT ledger_hold(:hold, :account, 1, 'a hold', now() + interval '1 hour')"),
        {"hold": rows["holds"]["id"], **account},
    )
    assert (posted, held) == ("posted", "held")


async def two_people(connection: AsyncConnection) -> Two:
    two = Two(connection, Person.new(), Person.new())
    await limit_sight(connection, scopes=tuple(Scope))
    for person in (two.ours, two.theirs):
        for table in person.rows():
            if table == "bank_operations":
                await connection.execute(insert(product_metadata().tables["pending_operations"]), person.approved())
            if table not in (*LEDGER, *OF_ENTRIES):
                await two.add(table, person)
        await write_ledger(connection, person.rows())
        await limit_sight(connection, scopes=tuple(Scope))
        for table in OF_ENTRIES:
            await two.add(table, person)
    return two
