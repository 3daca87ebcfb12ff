"""Cards: which there are, and what may be done with each in its status. Who changes one comes through the gate."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from llm_banking.banking.errors import CardNotFoundError, CardStatusError
from llm_banking.banking.ledger_models import Account, Card
from llm_banking.kit.money import Money

LIFETIME_YEARS = 4


class CardStatus(StrEnum):
    """What a card may be used for: nothing yet, all, nothing for now, nothing ever again."""

    INACTIVE = "inactive"
    ACTIVE = "active"
    FROZEN = "frozen"
    BLOCKED = "blocked"


class CardAction(StrEnum):
    """What an owner may do with a card."""

    ACTIVATE = "activate"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Transition:
    """From which statuses an action leads to which."""

    sources: frozenset[CardStatus]
    target: CardStatus


TRANSITIONS: Mapping[CardAction, Transition] = {
    CardAction.ACTIVATE: Transition(frozenset({CardStatus.INACTIVE}), CardStatus.ACTIVE),
    CardAction.FREEZE: Transition(frozenset({CardStatus.ACTIVE}), CardStatus.FROZEN),
    CardAction.UNFREEZE: Transition(frozenset({CardStatus.FROZEN}), CardStatus.ACTIVE),
    CardAction.BLOCK: Transition(
        frozenset({CardStatus.INACTIVE, CardStatus.ACTIVE, CardStatus.FROZEN}), CardStatus.BLOCKED
    ),
}
"""What is not here cannot be done: nothing leads away from a blocked card."""


@dataclass(frozen=True, slots=True)
class CardDetails:
    """A card as its owner sees it; it is good until the end of `expires_on`.

    `daily_limit` is the owner's own limit for a day; None where the bank's alone holds. `replaced`: another card was
    made in its place.
    """

    id: UUID
    account_id: UUID
    kind: str
    name: str
    number_last4: str
    expires_on: date
    status: CardStatus
    currency: str
    daily_limit: Money | None
    replaced: bool


def after(status: CardStatus, action: CardAction) -> CardStatus:
    """The status that an action leads to; where it has led already, it stays. Raises CardStatusError."""
    transition = TRANSITIONS[action]
    if status is not transition.target and status not in transition.sources:
        raise CardStatusError(status.value)
    return transition.target


async def list_cards(session: AsyncSession, owner_id: UUID) -> list[CardDetails]:
    """An owner's cards, in the order in which they were made; empty when there are none."""
    query = _QUERY.where(Account.user_id == owner_id).order_by(Card.created_at, Card.id)
    return [_details(card, currency, replaced=new) for card, currency, new in await session.execute(query)]


async def card_of(session: AsyncSession, owner_id: UUID, card_id: UUID) -> CardDetails:
    """One of an owner's cards as it is now. Raises CardNotFoundError, for a foreign card too."""
    query = _QUERY.where(Card.id == card_id, Account.user_id == owner_id).execution_options(populate_existing=True)
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise CardNotFoundError
    card, currency, replaced = row
    return _details(card, currency, replaced=replaced)


async def change_card(session: AsyncSession, owner_id: UUID, card_id: UUID, action: CardAction, now: datetime) -> None:
    """Do something with an owner's card; done again, it changes nothing.

    Raises CardNotFoundError (for a foreign card too) and CardStatusError.
    """
    card = await _locked(session, owner_id, card_id)
    status = after(CardStatus(card.status), action)
    if status.value != card.status:
        card.status, card.status_changed_at = status.value, now
        await session.flush()


async def limit_card(session: AsyncSession, owner_id: UUID, card_id: UUID, limit: Money) -> None:
    """Set the most that an owner's card may pay in a day. Raises CardNotFoundError, for a foreign card too."""
    card = await _locked(session, owner_id, card_id)
    card.daily_limit_minor = limit.amount_minor
    await session.flush()


async def replace_card(session: AsyncSession, owner_id: UUID, card_id: UUID, now: datetime) -> UUID:
    """Block an owner's card and make another one for its account, inactive until it arrives; returns the new one's id.

    Raises CardNotFoundError, for a foreign card too. The database refuses a second card in the place of one.
    """
    old = await _locked(session, owner_id, card_id)
    if old.status != CardStatus.BLOCKED:
        old.status, old.status_changed_at = CardStatus.BLOCKED.value, now
    new = Card(
        account_id=old.account_id,
        kind=old.kind,
        name=old.name,
        number_last4=f"{secrets.randbelow(10_000):04d}",
        expires_on=expiry(now.date()),
        status=CardStatus.INACTIVE.value,
        status_changed_at=now,
        created_at=now,
        daily_limit_minor=old.daily_limit_minor,
        replaces_id=old.id,
    )
    session.add(new)
    await session.flush()
    return new.id


def expiry(made_on: date) -> date:
    """Until when a card is good that is made on a day: the end of the month before, years later."""
    return date(made_on.year + LIFETIME_YEARS, made_on.month, 1) - timedelta(days=1)


_NEXT = aliased(Card)
_QUERY = select(Card, Account.currency, select(_NEXT.id).where(_NEXT.replaces_id == Card.id).exists()).join(
    Account, Account.id == Card.account_id
)


async def _locked(session: AsyncSession, owner_id: UUID, card_id: UUID) -> Card:
    query = (
        select(Card)
        .join(Account, Account.id == Card.account_id)
        .where(Card.id == card_id, Account.user_id == owner_id)
        .with_for_update(of=Card)
        .execution_options(populate_existing=True)
    )
    card = await session.scalar(query)
    if card is None:
        raise CardNotFoundError
    return card


def _details(card: Card, currency: str, *, replaced: bool) -> CardDetails:
    return CardDetails(
        card.id,
        card.account_id,
        card.kind,
        card.name,
        card.number_last4,
        card.expires_on,
        CardStatus(card.status),
        currency,
        None if card.daily_limit_minor is None else Money(card.daily_limit_minor, currency),
        replaced,
    )
