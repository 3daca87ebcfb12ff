"""What is frozen of an operation: one canonical document, from which the text shown and the entry posted both follow.

Nothing else goes into either. A document that was changed in any way has another hash, or another text, or both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from llm_banking.banking.ledger import Entry, Leg, Own
from llm_banking.kit.money import Money
from llm_banking.operations.drafts import Kind

VERSION = 1


@dataclass(frozen=True, slots=True)
class Payer:
    """The account that is debited, and its holder, as the other side reads the name."""

    account_id: str
    account_name: str
    last4: str
    holder: str


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who is credited. `account_id` is null for whoever has no account here; `payee_id` for an account of one's own."""

    name: str
    last4: str
    account_id: str | None
    payee_id: str | None


@dataclass(frozen=True, slots=True)
class Payload:
    """A frozen operation, executed at once when it is approved (`when` is "now"). Amounts are minor units."""

    id: str
    user_id: str
    kind: Kind
    payer: Payer
    receiver: Receiver
    amount_minor: int
    fee_minor: int
    currency: str
    note: str | None
    when: str = "now"
    version: int = VERSION

    @property
    def amount(self) -> Money:
        """What the receiver gets."""
        return Money(self.amount_minor, self.currency)

    @property
    def fee(self) -> Money:
        """What the bank takes beside it."""
        return Money(self.fee_minor, self.currency)

    @property
    def total(self) -> Money:
        """What the payer pays."""
        return self.amount + self.fee

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {**asdict(self), "kind": self.kind.value}

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Payload:
        """From what is stored. Raises KeyError, TypeError or ValueError on what is no payload of this version."""
        if document["version"] != VERSION or document["when"] != "now":
            raise ValueError("a payload of another version")
        found = dict(document)
        found |= {
            "kind": Kind(found["kind"]),
            "payer": Payer(**found["payer"]),
            "receiver": Receiver(**found["receiver"]),
        }
        return cls(**found)


def canonical(document: Mapping[str, Any]) -> bytes:
    """The one JSON text of a document: sorted keys, no spaces, ASCII. It holds text, whole numbers and null alone."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def hash_of(document: Mapping[str, Any]) -> bytes:
    """SHA-256 of the canonical text."""
    return hashlib.sha256(canonical(document)).digest()


_VERBS = {Kind.OWN_TRANSFER: "Move", Kind.PAYEE_TRANSFER: "Send", Kind.BILL_PAYMENT: "Pay"}


def summary_of(payload: Payload) -> str:
    """The text that the customer is shown, from the payload alone."""
    payer, receiver = payload.payer, payload.receiver
    fee = f"The fee is {payload.fee.display()}." if payload.fee_minor else "There is no fee."
    what = f"{_VERBS[payload.kind]} {payload.amount.display()} from {payer.account_name} (ending {payer.last4})"
    parts = [f"{what} to {receiver.name} (ending {receiver.last4}) now.", fee]
    if payload.fee_minor:
        parts.append(f"In all: {payload.total.display()}.")
    if payload.note:
        parts.append(f"Note: “{payload.note}”")
    return " ".join(parts)


_DONE_VERBS = {Kind.OWN_TRANSFER: "moved", Kind.PAYEE_TRANSFER: "sent", Kind.BILL_PAYMENT: "paid"}


def told_of(payload: Payload) -> str:
    """What the customer is told when it is done, from the payload alone."""
    payer, receiver = payload.payer, payload.receiver
    fee = f"The fee was {payload.fee.display()}." if payload.fee_minor else "There was no fee."
    what = f"You {_DONE_VERBS[payload.kind]} {payload.amount.display()} from {payer.account_name}"
    return f"{what} (ending {payer.last4}) to {receiver.name} (ending {receiver.last4}). {fee}"


_OUTSIDE = {Kind.PAYEE_TRANSFER: Own.OUTSIDE, Kind.BILL_PAYMENT: Own.BILLS}


def entry_of(payload: Payload, booked_at: datetime) -> Entry:
    """What is posted when the payload is executed, from the payload alone. The entry's id is the payload's."""
    payer, receiver = payload.payer, payload.receiver
    credited = UUID(receiver.account_id) if receiver.account_id else _OUTSIDE[payload.kind]
    note = f": {payload.note}" if payload.note else ""
    payee_reads = f"From {payer.account_name}" if payload.kind is Kind.OWN_TRANSFER else f"From {payer.holder}{note}"
    legs = [
        Leg(UUID(payer.account_id), -payload.total, f"To {receiver.name}{note}"),
        Leg(credited, payload.amount, payee_reads),
    ]
    if payload.fee_minor:
        legs.append(Leg(Own.FEES, payload.fee, f"Fee, {payload.kind.value}"))
    return Entry(UUID(payload.id), payload.kind.value, booked_at, tuple(legs))
