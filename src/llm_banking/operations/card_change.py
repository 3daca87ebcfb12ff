"""What is done with a card, as it is frozen. The text shown is made from it alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from llm_banking.banking.ledger import Entry, Own, transfer
from llm_banking.kit.money import Money
from llm_banking.operations.drafts import CARDS, Kind

VERSION = 1
_SAYS = {
    Kind.CARD_ACTIVATE: "Activate your {card}, so that it can be paid with.",
    Kind.CARD_FREEZE: "Freeze your {card}: nothing can be paid with it until you unfreeze it.",
    Kind.CARD_UNFREEZE: "Unfreeze your {card}, so that it can be paid with again.",
    Kind.CARD_BLOCK: "Block your {card} for good: it can never be used again.",
    Kind.CARD_REPLACE: "Block your {card} for good and send you a new one, which you activate when it arrives.",
    Kind.CARD_LIMITS: "Let your {card} pay at most {limit} a day.",
}
_TOLD = {
    Kind.CARD_ACTIVATE: "Your {card} is active and can be paid with.",
    Kind.CARD_FREEZE: "Your {card} is frozen: nothing can be paid with it until you unfreeze it.",
    Kind.CARD_UNFREEZE: "Your {card} is unfrozen and can be paid with again.",
    Kind.CARD_BLOCK: "Your {card} is blocked for good.",
    Kind.CARD_REPLACE: "Your {card} is blocked for good. A new one is on its way: activate it when it arrives.",
    Kind.CARD_LIMITS: "Your {card} pays at most {limit} a day.",
}


@dataclass(frozen=True, slots=True)
class NamedCard:
    """A card as its owner knows it."""

    card_id: str
    name: str
    last4: str


@dataclass(frozen=True, slots=True)
class CardPayer:
    """The account that pays for a new card."""

    account_id: str
    account_name: str
    last4: str


@dataclass(frozen=True, slots=True)
class CardChange:
    """A frozen change of a card. A new card costs `amount_minor`, which the payer pays; all three are null if nothing.

    `daily_limit_minor` and `limit_currency` are null unless it is the limit that is changed. Amounts are minor units.
    """

    id: str
    user_id: str
    kind: Kind
    card: NamedCard
    payer: CardPayer | None = None
    amount_minor: int | None = None
    currency: str | None = None
    daily_limit_minor: int | None = None
    limit_currency: str | None = None
    version: int = VERSION

    @property
    def price(self) -> Money | None:
        """What is paid for it."""
        if self.amount_minor is None or self.currency is None:
            return None
        return Money(self.amount_minor, self.currency)

    @property
    def daily_limit(self) -> Money | None:
        """The new limit."""
        if self.daily_limit_minor is None or self.limit_currency is None:
            return None
        return Money(self.daily_limit_minor, self.limit_currency)

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {**asdict(self), "kind": self.kind.value}

    def summary(self) -> str:
        """The text that the customer is shown, from the payload alone."""
        limit = "" if self.daily_limit is None else self.daily_limit.display()
        text = _SAYS[self.kind].format(card=f"{self.card.name} (ending {self.card.last4})", limit=limit)
        if self.kind is not Kind.CARD_REPLACE:
            return text
        if self.price is None or self.payer is None:
            return f"{text} There is no fee."
        payer = f"{self.payer.account_name} (ending {self.payer.last4})"
        return f"{text} The fee of {self.price.display()} is taken from {payer}."

    def told(self) -> str:
        """What the customer is told once it was done, from the payload alone."""
        limit = "" if self.daily_limit is None else self.daily_limit.display()
        text = _TOLD[self.kind].format(card=f"{self.card.name} (ending {self.card.last4})", limit=limit)
        if self.kind is not Kind.CARD_REPLACE:
            return text
        if self.price is None or self.payer is None:
            return f"{text} There was no fee."
        payer = f"{self.payer.account_name} (ending {self.payer.last4})"
        return f"{text} The fee of {self.price.display()} was taken from {payer}."

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> CardChange:
        """From what is stored. Raises KeyError, TypeError or ValueError on what is no payload of this version."""
        found = dict(document)
        if found["version"] != VERSION or Kind(found["kind"]) not in CARDS:
            raise ValueError("a payload of another version or kind")
        payer = found["payer"]
        found |= {
            "kind": Kind(found["kind"]),
            "card": NamedCard(**found["card"]),
            "payer": None if payer is None else CardPayer(**payer),
        }
        return cls(**found)


def fee_entry(payload: CardChange, booked_at: datetime) -> Entry | None:
    """What is posted for a new card, from the payload alone; None where it is free. Its id is the payload's."""
    if payload.price is None or payload.payer is None:
        return None
    return transfer(
        UUID(payload.id),
        payer=UUID(payload.payer.account_id),
        payee=Own.FEES,
        amount=payload.price,
        booked_at=booked_at,
        kind=payload.kind.value,
        payer_reads=f"Fee, new card for the one ending {payload.card.last4}",
        payee_reads=f"Fee, {payload.kind.value}",
    )
