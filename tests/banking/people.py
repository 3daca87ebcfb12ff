"""Customers of the banking tests, and what happens on their accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.ledger import Entry, Own, transfer
from llm_banking.banking.ledger_models import Account, Card
from llm_banking.banking.ledger_store import Posted, post
from llm_banking.identity.models import User
from llm_banking.kit.database import limit_sight
from llm_banking.kit.money import Money

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Customer:
    """A person with a checking account and its card."""

    id: UUID
    account_id: UUID
    card_id: UUID


async def a_customer(session: AsyncSession, balance_minor: int = 0, *, currency: str = "USD") -> Customer:
    """A new customer, for whom the transaction works from now on."""
    customer = Customer(uuid4(), uuid4(), uuid4())
    await limit_sight(await session.connection(), visible_to=[customer.id])
    session.add(User(id=customer.id, display_name="Zoe Quill", account_type="user"))
    await session.flush()
    session.add(
        Account(
            id=customer.account_id,
            user_id=customer.id,
            kind="checking",
            name="Everyday Checking",
            number_last4="4711",
            currency=currency,
            floor_minor=0,
        )
    )
    await session.flush()
    session.add(
        Card(
            id=customer.card_id,
            account_id=customer.account_id,
            kind="debit",
            name="A card",
            number_last4="0815",
            expires_on=datetime(2030, 1, 31, tzinfo=UTC).date(),
            status="active",
        )
    )
    await session.flush()
    if balance_minor:
        await booked(session, customer.account_id, balance_minor, "Opening balance", LONG_AGO, currency)
    return customer


async def booked(
    session: AsyncSession, account_id: UUID, amount_minor: int, text: str, at: datetime, currency: str = "USD"
) -> Entry:
    """Money that came from outside (positive) or went there, posted."""
    payer, payee = (Own.OUTSIDE, account_id) if amount_minor > 0 else (account_id, Own.OUTSIDE)
    entry = transfer(
        uuid4(),
        payer=payer,
        payee=payee,
        amount=Money(abs(amount_minor), currency),
        booked_at=at,
        payer_reads=text,
        payee_reads=text,
    )
    assert await post(session, entry) is Posted.NOW
    return entry
