"""Cards: what is checked before a change is shown and again before it is made, and how it is made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking import core
from llm_banking.banking.core import (
    CardAction,
    CardDetails,
    CardStatus,
    after,
    card_of,
    change_card,
    get_account,
    limit_card,
    replace_card,
)
from llm_banking.banking.errors import CardAlreadyError, CardStatusError, InsufficientFundsError
from llm_banking.banking.fees import FeeSchedule
from llm_banking.identity.step_up import Method
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.ids import uuid7
from llm_banking.kit.money import Money
from llm_banking.operations.card_change import CardChange, CardPayer, NamedCard, fee_entry
from llm_banking.operations.drafts import CardDraft, Kind
from llm_banking.operations.errors import AmountLimitError, NotPossibleError, PendingClosedError
from llm_banking.operations.handlers import Done
from llm_banking.operations.policy import CARD_LIMITS_RAISED, OperationPolicy

FEE = "card_replacement"
_ACTIONS = {
    Kind.CARD_ACTIVATE: CardAction.ACTIVATE,
    Kind.CARD_FREEZE: CardAction.FREEZE,
    Kind.CARD_UNFREEZE: CardAction.UNFREEZE,
    Kind.CARD_BLOCK: CardAction.BLOCK,
}


class Cards:
    """The handler of everything that is done with a card. A PIN is nothing of it: the bank's app and machines set it.

    Raises ConfigurationError where the fees leave out what a new card costs.
    """

    def __init__(self, policy: OperationPolicy, fees: FeeSchedule) -> None:
        if FEE not in fees.fees:
            raise ConfigurationError(f"banking/data/fees.yml names no fee for {FEE}. Add it, or '{{}}'.")
        self._policy = policy
        self._fees = fees

    async def freeze(self, session: AsyncSession, user_id: UUID, draft: CardDraft) -> CardChange:
        """Everything that will be shown and done, as it is now."""
        card = await card_of(session, user_id, draft.card_id)
        if (draft.daily_limit is not None) is not (draft.kind is Kind.CARD_LIMITS):
            raise NotPossibleError("A daily limit is given to change a card's limit, and for nothing else.")
        limit = draft.daily_limit
        if limit is not None and (limit.amount_minor < 0 or limit.currency != card.currency):
            raise NotPossibleError(f"This card's limit is an amount in {card.currency}, nothing or more.")
        price = self._fees.fee(FEE, Money(0, card.currency)) if draft.kind is Kind.CARD_REPLACE else None
        costs = price is not None and price.amount_minor > 0
        account = await get_account(session, user_id, card.account_id) if costs else None
        return CardChange(
            id=str(uuid7()),
            user_id=str(user_id),
            kind=draft.kind,
            card=NamedCard(str(card.id), card.name, card.number_last4),
            payer=None if account is None else CardPayer(str(account.id), account.name, account.number_last4),
            amount_minor=price.amount_minor if price is not None and costs else None,
            currency=price.currency if price is not None and costs else None,
            daily_limit_minor=None if limit is None else limit.amount_minor,
            limit_currency=None if limit is None else limit.currency,
        )

    def read(self, document: Mapping[str, Any]) -> CardChange:
        """As CardChange.of."""
        return CardChange.of(document)

    async def check(self, session: AsyncSession, payload: CardChange, _now: datetime) -> frozenset[Method]:
        """By which factors a change is proved that may be made now.

        Raises CardNotFoundError, CardAlreadyError, CardStatusError, AmountLimitError, NotPossibleError and
        InsufficientFundsError.
        """
        user_id = UUID(payload.user_id)
        card = await card_of(session, user_id, UUID(payload.card.card_id))
        action = _ACTIONS.get(payload.kind)
        if action is not None:
            if after(card.status, action) is card.status:
                raise CardAlreadyError(card.status.value)
        elif payload.kind is Kind.CARD_REPLACE:
            await self._may_replace(session, user_id, card, payload.price)
        elif payload.daily_limit is not None:
            return self._limit_proof(card, payload.daily_limit)
        return self._policy.proof[payload.kind.value]

    async def _may_replace(self, session: AsyncSession, user_id: UUID, card: CardDetails, price: Money | None) -> None:
        if card.replaced:
            raise CardAlreadyError("replaced")
        if card.status is CardStatus.INACTIVE:
            raise NotPossibleError("This card was not activated yet. Activate it, or block it if it did not arrive.")
        if price is None:
            return
        account = await get_account(session, user_id, card.account_id)
        if account.available is not None and account.available.amount_minor < price.amount_minor:
            raise InsufficientFundsError

    def _limit_proof(self, card: CardDetails, wanted: Money) -> frozenset[Method]:
        if card.status is CardStatus.BLOCKED:
            raise CardStatusError(card.status.value)
        most = self._policy.limits_of(card.currency).card_per_day
        if wanted.amount_minor > most.amount_minor:
            raise AmountLimitError("for a card and a day", most)
        now = card.daily_limit or most
        if wanted == card.daily_limit:
            raise CardAlreadyError("limited to this amount")
        raised = wanted.amount_minor > now.amount_minor
        return self._policy.proof[CARD_LIMITS_RAISED if raised else Kind.CARD_LIMITS.value]

    async def execute(self, session: AsyncSession, payload: CardChange, now: datetime) -> Done:
        """Make the change, and post what it costs. Raises PendingClosedError where that stood in the ledger already."""
        user_id, card_id = UUID(payload.user_id), UUID(payload.card.card_id)
        if payload.kind is Kind.CARD_REPLACE:
            return await self._replace(session, payload, now)
        if payload.daily_limit is not None:
            await limit_card(session, user_id, card_id, payload.daily_limit)
        else:
            await change_card(session, user_id, card_id, _ACTIONS[payload.kind], now)
        return Done(result={"card_id": str(card_id)})

    async def _replace(self, session: AsyncSession, payload: CardChange, now: datetime) -> Done:
        entry = fee_entry(payload, now)
        if entry is not None and await core.post(session, entry) is not core.Posted.NOW:
            raise PendingClosedError("consumed")
        new = await replace_card(session, UUID(payload.user_id), UUID(payload.card.card_id), now)
        result = {"card_id": payload.card.card_id, "new_card_id": str(new)}
        return Done(amount=payload.price, entry_id=None if entry is None else entry.id, result=result)
