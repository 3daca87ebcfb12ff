"""A customer's cards: see them, freeze one, unfreeze it."""

from __future__ import annotations

from datetime import date
from typing import Literal
from uuid import UUID

from fastapi import Request

from llm_banking.api.dependencies import CallerDep, Services, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, Model, metadata_of
from llm_banking.banking.cards import CardAction, CardDetails, CardStatus, change_card, list_cards
from llm_banking.identity.principal import LimitClass, Permission, Principal, requires
from llm_banking.kit.logs import get_logger

routes = router("/api/v2/cards", "cards")


class CardBody(Model):
    """A card; it is good until the end of `expires_on`."""

    id: UUID
    account_id: UUID
    kind: Literal["debit", "credit"]
    name: str
    number_last4: str
    expires_on: date
    status: CardStatus


class CardList(Model):
    """All cards of the caller."""

    items: list[CardBody]


def _body(card: CardDetails) -> CardBody:
    return CardBody.model_validate(card, from_attributes=True)


@routes.get("")
@policy(requires(Permission.BANKING_READ))
async def get_cards(request: Request, caller: CallerDep, services: ServicesDep) -> Envelope[CardList]:
    """The caller's cards."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        found = await list_cards(session, caller.user_id)
    return Envelope(data=CardList(items=[_body(card) for card in found]), metadata=metadata_of(request))


@routes.post("/{card_id}/freeze")
@policy(requires(Permission.BANKING_WRITE, LimitClass.WRITE))
async def freeze_card(request: Request, card_id: UUID, caller: CallerDep, services: ServicesDep) -> Envelope[CardBody]:
    """Freeze a card: nothing can be paid with it until it is unfrozen. Done again, it stays frozen."""
    return Envelope(data=await _change(services, caller, card_id, CardAction.FREEZE), metadata=metadata_of(request))


@routes.post("/{card_id}/unfreeze")
@policy(requires(Permission.BANKING_WRITE, LimitClass.WRITE))
async def unfreeze_card(
    request: Request, card_id: UUID, caller: CallerDep, services: ServicesDep
) -> Envelope[CardBody]:
    """Make a frozen card good again. Done again, it stays so."""
    return Envelope(data=await _change(services, caller, card_id, CardAction.UNFREEZE), metadata=metadata_of(request))


async def _change(services: Services, caller: Principal, card_id: UUID, action: CardAction) -> CardBody:
    """The line in the log comes after the commit, and holds ids alone."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        change = await change_card(session, caller.user_id, card_id, action)
    if change.card.status is not change.before:
        get_logger("llm_banking.banking").info(
            "card status changed",
            card_id=str(change.card.id),
            user_id=str(caller.user_id),
            api_key_id=None if caller.api_key_id is None else str(caller.api_key_id),
            action=action.value,
            before=change.before.value,
            after=change.card.status.value,
        )
    return _body(change.card)
