"""A customer's cards: see them, freeze one, unfreeze it."""

from __future__ import annotations

from datetime import date
from typing import Literal, cast
from uuid import UUID

from fastapi import Request

from llm_banking.api.dependencies import CallerDep, Services, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, Model, metadata_of
from llm_banking.api.money import MoneyBody
from llm_banking.banking.core import CardDetails, CardStatus, card_of, list_cards
from llm_banking.banking.errors import CardAlreadyError
from llm_banking.identity.principal import LimitClass, Permission, Principal, requires
from llm_banking.identity.step_up import Refusal
from llm_banking.kit.logs import get_logger
from llm_banking.operations.drafts import CardDraft, Kind
from llm_banking.operations.errors import StepUpNeededError

routes = router("/api/v2/cards", "cards")


class CardBody(Model):
    """A card; it is good until the end of `expires_on`. `daily_limit` is null where the bank's own limit holds alone.

    `replaced`: another card was made in its place.
    """

    id: UUID
    account_id: UUID
    kind: Literal["debit", "credit"]
    name: str
    number_last4: str
    expires_on: date
    status: CardStatus
    daily_limit: MoneyBody | None
    replaced: bool


class CardList(Model):
    """All cards of the caller."""

    items: list[CardBody]


def _body(card: CardDetails) -> CardBody:
    return CardBody(
        id=card.id,
        account_id=card.account_id,
        kind=cast("Literal['debit', 'credit']", card.kind),
        name=card.name,
        number_last4=card.number_last4,
        expires_on=card.expires_on,
        status=card.status,
        daily_limit=None if card.daily_limit is None else MoneyBody.of(card.daily_limit),
        replaced=card.replaced,
    )


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
    return Envelope(data=await _change(services, caller, card_id, Kind.CARD_FREEZE), metadata=metadata_of(request))


@routes.post("/{card_id}/unfreeze")
@policy(requires(Permission.BANKING_WRITE, LimitClass.WRITE))
async def unfreeze_card(
    request: Request, card_id: UUID, caller: CallerDep, services: ServicesDep
) -> Envelope[CardBody]:
    """Make a frozen card good again. Done again, it stays so.

    Where the policy asks for a second factor, the refusal names the operation that waits for it.
    """
    return Envelope(data=await _change(services, caller, card_id, Kind.CARD_UNFREEZE), metadata=metadata_of(request))


async def _change(services: Services, caller: Principal, card_id: UUID, kind: Kind) -> CardBody:
    """The caller's explicit act on this card: proposed, and where nothing is to be proved approved, in one transaction.

    Where something is to be proved, the proposal stays, and StepUpNeededError names it.
    """
    async with services.database.transaction(visible_to={caller.user_id}) as session:
        try:
            pending = await services.gate.propose(session, caller, CardDraft(kind, card_id), channel="api")
        except CardAlreadyError:
            return _body(await card_of(session, caller.user_id, card_id))
        if not pending.requires:
            done = await services.gate.approve(session, caller, pending.id, proof=None)
            if isinstance(done, Refusal):
                raise done.error()
            card = await card_of(session, caller.user_id, card_id)
    if pending.requires:
        raise StepUpNeededError(pending.requires, pending.id)
    get_logger("llm_banking.banking").info(
        "card status changed",
        card_id=str(card.id),
        user_id=str(caller.user_id),
        api_key_id=None if caller.api_key_id is None else str(caller.api_key_id),
        operation_id=str(pending.id),
        kind=kind.value,
        after=card.status.value,
    )
    return _body(card)
