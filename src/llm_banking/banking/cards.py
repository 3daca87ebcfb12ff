"""Cards: which there are, and what may be done with each in its status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.errors import CardNotFoundError, CardStatusError
from llm_banking.banking.models import Account, Card
from llm_banking.kit.clock import utc_now


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
    """A card as its owner sees it; it is good until the end of `expires_on`."""

    id: UUID
    account_id: UUID
    kind: str
    name: str
    number_last4: str
    expires_on: date
    status: CardStatus


@dataclass(frozen=True, slots=True)
class CardChange:
    """A card after an action; `before` is its status until then, the same where there was nothing to do."""

    card: CardDetails
    before: CardStatus


def after(status: CardStatus, action: CardAction) -> CardStatus:
    """The status that an action leads to; where it has led already, it stays. Raises CardStatusError."""
    transition = TRANSITIONS[action]
    if status is not transition.target and status not in transition.sources:
        raise CardStatusError(status.value)
    return transition.target


async def list_cards(session: AsyncSession, owner_id: UUID) -> list[CardDetails]:
    """An owner's cards, in the order in which they were made; empty when there are none."""
    query = (
        select(Card)
        .join(Account, Account.id == Card.account_id)
        .where(Account.user_id == owner_id)
        .order_by(Card.created_at, Card.id)
    )
    return [_details(card) for card in await session.scalars(query)]


async def change_card(session: AsyncSession, owner_id: UUID, card_id: UUID, action: CardAction) -> CardChange:
    """Do something with an owner's card; done again, it changes nothing.

    Raises CardNotFoundError (for a foreign card too) and CardStatusError.
    """
    query = (
        select(Card)
        .join(Account, Account.id == Card.account_id)
        .where(Card.id == card_id, Account.user_id == owner_id)
        .with_for_update(of=Card)
    )
    card = await session.scalar(query.execution_options(populate_existing=True))
    if card is None:
        raise CardNotFoundError
    before = CardStatus(card.status)
    status = after(before, action)
    if status is not before:
        card.status, card.status_changed_at = status.value, utc_now()
        await session.flush()
    return CardChange(_details(card), before)


def _details(card: Card) -> CardDetails:
    return CardDetails(
        card.id, card.account_id, card.kind, card.name, card.number_last4, card.expires_on, CardStatus(card.status)
    )
