"""What a client asks to be done with a card, as an operation."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from llm_banking.api.envelope import Model
from llm_banking.api.money import Currency
from llm_banking.kit.money import Money
from llm_banking.operations.drafts import CardDraft, Draft, Kind

DailyLimit = Annotated[str, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,3})?$", examples=["250.00"])]


class CardRequest(Model):
    """Activate, freeze, unfreeze or replace one of the caller's cards, or block it for good."""

    kind: Literal[Kind.CARD_ACTIVATE, Kind.CARD_FREEZE, Kind.CARD_UNFREEZE, Kind.CARD_BLOCK, Kind.CARD_REPLACE]
    card_id: UUID

    def draft(self) -> Draft:
        """In the gate's terms."""
        return CardDraft(self.kind, self.card_id)


class CardLimitsRequest(Model):
    """Set the most that one of the caller's cards may pay in a day; nothing is a limit too."""

    kind: Literal[Kind.CARD_LIMITS]
    card_id: UUID
    daily_limit: DailyLimit
    currency: Currency

    def draft(self) -> Draft:
        """In the gate's terms. Raises MoneyError."""
        return CardDraft(self.kind, self.card_id, Money.parse(self.daily_limit, self.currency))
