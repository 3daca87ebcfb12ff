"""Payments as they are frozen: who pays whom how much. The text shown and the entry posted are made from it alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from llm_banking.banking.ledger import Entry, Leg, Own
from llm_banking.kit.money import Money
from llm_banking.operations.drafts import PAYMENTS, Kind
from llm_banking.operations.when import NOW, Plan, Repeats, document_of, plan_of

VERSION = 1
_DONE_VERBS = {Kind.OWN_TRANSFER: "moved", Kind.PAYEE_TRANSFER: "sent", Kind.BILL_PAYMENT: "paid"}
_VERBS = {Kind.OWN_TRANSFER: "Move", Kind.PAYEE_TRANSFER: "Send", Kind.BILL_PAYMENT: "Pay"}


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
class Payment:
    """A frozen payment, executed when it is approved, or later as `when` says. Amounts are minor units."""

    id: str
    user_id: str
    kind: Kind
    payer: Payer
    receiver: Receiver
    amount_minor: int
    fee_minor: int
    currency: str
    note: str | None
    when: Plan = NOW
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
        return {**asdict(self), "kind": self.kind.value, "when": document_of(self.when)}

    def summary(self) -> str:
        """The text that the customer is shown, from the payload alone."""
        payer, receiver = self.payer, self.receiver
        when = self.when if self.when == NOW else self.when.words()
        each = " each time" if isinstance(self.when, Repeats) else ""
        fee = f"The fee is {self.fee.display()}{each}." if self.fee_minor else "There is no fee."
        what = f"{_VERBS[self.kind]} {self.amount.display()} from {payer.account_name} (ending {payer.last4})"
        parts = [f"{what} to {receiver.name} (ending {receiver.last4}) {when}.", fee]
        if self.fee_minor:
            parts.append(f"In all: {self.total.display()}{each}.")
        if isinstance(self.when, Repeats):
            parts.append("When the bank is closed on such a day, it is done on the next business day.")
        if self.note:
            parts.append(f"Note: “{self.note}”")
        return " ".join(parts)

    def told(self) -> str:
        """What the customer is told once it was approved: what was done, or what is planned."""
        payer, receiver, now = self.payer, self.receiver, self.when == NOW
        verb = _DONE_VERBS[self.kind] if now else f"planned to {_VERBS[self.kind].lower()}"
        what = f"You {verb} {self.amount.display()} from {payer.account_name} (ending {payer.last4})"
        when = "" if self.when == NOW else f" {self.when.words()}"
        if not self.fee_minor:
            fee = "There was no fee." if now else "There is no fee."
        else:
            fee = f"The fee {'was' if now else 'is'} {self.fee.display()}."
        return f"{what} to {receiver.name} (ending {receiver.last4}){when}. {fee}"

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Payment:
        """From what is stored. Raises KeyError, TypeError or ValueError on what is no payload of this version."""
        if document["version"] != VERSION or document["kind"] not in PAYMENTS:
            raise ValueError("a payload of another version or kind")
        found = dict(document)
        found |= {
            "kind": Kind(found["kind"]),
            "payer": Payer(**found["payer"]),
            "receiver": Receiver(**found["receiver"]),
            "when": plan_of(found["when"]),
        }
        return cls(**found)


_OUTSIDE = {Kind.PAYEE_TRANSFER: Own.OUTSIDE, Kind.BILL_PAYMENT: Own.BILLS}


def entry_of(payload: Payment, booked_at: datetime, *, number: int | None = None) -> Entry:
    """What is posted when the payload is executed, from the payload alone.

    The entry's id is the payload's, or follows from it and the payment's number in a schedule.
    """
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
    entry_id = UUID(payload.id) if number is None else uuid5(UUID(payload.id), f"payment {number}")
    return Entry(entry_id, payload.kind.value, booked_at, tuple(legs))
