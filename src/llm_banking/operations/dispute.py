"""A disputed charge as it is frozen. The text shown and the provisional credit are made from it alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from llm_banking.banking.ledger import Entry, Own, transfer
from llm_banking.kit.money import Money
from llm_banking.operations.drafts import Kind

VERSION = 1


@dataclass(frozen=True, slots=True)
class DisputedCharge:
    """A charge as it stands on the account. `description` is the shop's own text; `booked_on` an ISO date."""

    entry_id: str
    account_id: str
    account_name: str
    last4: str
    description: str
    amount_minor: int
    currency: str
    booked_on: str

    @property
    def amount(self) -> Money:
        """What was charged, more than nothing."""
        return Money(self.amount_minor, self.currency)


@dataclass(frozen=True, slots=True)
class Credited:
    """The account that is credited."""

    account_id: str


@dataclass(frozen=True, slots=True)
class DisputePayload:
    """A frozen dispute. What is given back provisionally is `amount_minor`; all three are null where nothing is."""

    id: str
    user_id: str
    kind: Kind
    charge: DisputedCharge
    reason: str
    reason_says: str
    receiver: Credited | None
    amount_minor: int | None
    currency: str | None
    version: int = VERSION

    @property
    def credit(self) -> Money | None:
        """What is given back provisionally."""
        if self.amount_minor is None or self.currency is None:
            return None
        return Money(self.amount_minor, self.currency)

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {**asdict(self), "kind": self.kind.value}

    def summary(self) -> str:
        """The text that the customer is shown, from the payload alone."""
        charge, day = self.charge, date.fromisoformat(self.charge.booked_on)
        what = f"Dispute the charge of {charge.amount.display()} of {day.day} {day:%B %Y} by “{charge.description}”"
        text = f"{what} on {charge.account_name} (ending {charge.last4}), because {self.reason_says}."
        if self.credit is None:
            return f"{text} Nothing is credited before it is decided."
        return (
            f"{text} {self.credit.display()} is credited at once, and taken back if it turns out that the charge was "
            "right."
        )

    def told(self) -> str:
        """What the customer is told once it was opened, from the payload alone."""
        charge = self.charge
        text = f"Your dispute of {charge.amount.display()} by “{charge.description}” is open."
        if self.credit is None:
            return f"{text} Nothing is credited before it is decided."
        return f"{text} {self.credit.display()} was credited to {charge.account_name} (ending {charge.last4}) for now."

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> DisputePayload:
        """From what is stored. Raises KeyError, TypeError or ValueError on what is no payload of this version."""
        found = dict(document)
        if found["version"] != VERSION or Kind(found["kind"]) is not Kind.DISPUTE:
            raise ValueError("a payload of another version or kind")
        receiver = found["receiver"]
        found |= {
            "kind": Kind.DISPUTE,
            "charge": DisputedCharge(**found["charge"]),
            "receiver": None if receiver is None else Credited(**receiver),
        }
        return cls(**found)


def credit_entry(entry_id: UUID, account_id: UUID, amount: Money, description: str, booked_at: datetime) -> Entry:
    """What gives a disputed amount back: the same entry, but for the time, for the same dispute."""
    return transfer(
        entry_id,
        payer=Own.DISPUTES,
        payee=account_id,
        amount=amount,
        booked_at=booked_at,
        kind="dispute",
        payer_reads=f"Disputed: {description}",
        payee_reads=f"Disputed: {description}",
    )
