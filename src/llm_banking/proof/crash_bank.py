"""A small bank for the proof of crashes: customers who know one another, with tokens that the server believes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.ledger import Own, transfer
from llm_banking.banking.ledger_models import Account
from llm_banking.banking.ledger_store import post
from llm_banking.banking.models import Payee
from llm_banking.identity.models import TokenFamily, User
from llm_banking.identity.tokens import Subject
from llm_banking.identity.wiring import build_identity
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database
from llm_banking.kit.money import Money
from llm_banking.proof.crash_clients import Person
from llm_banking.settings import Settings

OPENING_MINOR = 1_000_000
KNOWN_FOR = timedelta(days=365)
"""Payees of this long, by a session of this long, are paid without a second factor while the amount is small."""


async def open_bank(database: Database, home: Path, people: int) -> list[Person]:
    """Customers with two accounts each, and everybody else as payees. The keys of tokens are made below `home`."""
    settings = Settings.model_validate({"LLM_BANKING_HOME": home, "environment": "development"})
    tokens = build_identity(settings).tokens
    ids = [(uuid4(), uuid4(), uuid4()) for _ in range(people)]
    checking = {user_id: one for user_id, one, _ in ids}
    found = []
    async with database.transaction(visible_to=list(checking)) as session:
        await _people(session, ids)
        for user_id, own_checking, savings in ids:
            payees = {uuid4(): account for other, account in checking.items() if other != user_id}
            await _payees(session, user_id, payees)
            for account in (own_checking, savings):
                await _opening(session, account)
            session_id = await _signed_in(session, user_id)
            token = tokens.issue(Subject(user_id, "user", session_id, 0, ("pwd",)))
            found.append(Person(id=user_id, token=token, checking=own_checking, savings=savings, payees=payees))
    return found


def opening_balances(people: list[Person]) -> dict[UUID, int]:
    """What every account began with, in minor units."""
    return {account: OPENING_MINOR for one in people for account in (one.checking, one.savings)}


async def make_unsafe(owner: Database) -> None:
    """Let PostgreSQL acknowledge what is not on the disk yet, and leave it there for long. Holds after a restart."""
    settings: Mapping[str, Any] = {
        "synchronous_commit": "off",
        "wal_writer_delay": "10s",
        "wal_writer_flush_after": "1GB",
        "wal_buffers": "64MB",
    }
    async with owner.engine.connect() as connection:
        outside = await connection.execution_options(isolation_level="AUTOCOMMIT")
        for name, value in settings.items():
            await outside.execute(text(f"ALTER SYSTEM SET {name} = '{value}'"))


async def flush(owner: Database) -> None:
    """Bring everything to the disk: what was set up is no part of what may be lost."""
    async with owner.engine.connect() as connection:
        outside = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await outside.execute(text("CHECKPOINT"))


async def _people(session: AsyncSession, ids: list[tuple[UUID, UUID, UUID]]) -> None:
    now = utc_now()
    users = [
        {"id": user_id, "display_name": f"Customer {number}", "account_type": "user", "created_at": now}
        for number, (user_id, _, _) in enumerate(ids, start=1)
    ]
    await session.execute(insert(User), users)
    plain = {"number_last4": "0000", "currency": "USD", "floor_minor": 0, "created_at": now}
    accounts = [
        {"id": account, "user_id": user_id, "kind": kind, "name": kind.title(), **plain}
        for user_id, checking, savings in ids
        for account, kind in ((checking, "checking"), (savings, "savings"))
    ]
    await session.execute(insert(Account), accounts)


async def _payees(session: AsyncSession, user_id: UUID, payees: Mapping[UUID, UUID]) -> None:
    since = utc_now() - KNOWN_FOR
    plain = {"user_id": user_id, "kind": "person", "account_last4": "0000", "currency": "USD", "status": "active"}
    rows = [
        {
            "id": payee_id,
            "name": f"Friend {number}",
            "account_id": account,
            "created_at": since,
            "first_paid_at": since,
            **plain,
        }
        for number, (payee_id, account) in enumerate(payees.items(), start=1)
    ]
    await session.execute(insert(Payee), rows)


async def _signed_in(session: AsyncSession, user_id: UUID) -> UUID:
    """A session on a device that its owner has used for long."""
    now, session_id = utc_now(), uuid4()
    row = {
        "id": session_id,
        "user_id": user_id,
        "device_hash": bytes(32),
        "device": "the usual one",
        "authenticated_by": ["pwd"],
        "created_at": now - KNOWN_FOR,
        "last_used_at": now,
        "expires_at": now + KNOWN_FOR,
    }
    await session.execute(insert(TokenFamily), [row])
    return session_id


async def _opening(session: AsyncSession, account: UUID) -> None:
    texts = {"payer_reads": "Opening balance", "payee_reads": "Opening balance"}
    amount = Money(OPENING_MINOR, "USD")
    entry = transfer(
        uuid4(), payer=Own.OUTSIDE, payee=account, amount=amount, booked_at=utc_now(), kind="opening", **texts
    )
    await post(session, entry)
