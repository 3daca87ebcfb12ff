"""What a customer wants done, as whoever understood them puts it. A draft is a wish: nothing is executed from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from llm_banking.banking.disputes import DisputeReason
from llm_banking.kit.money import Money
from llm_banking.operations.when import NOW, Wish

MAX_NOTE_CHARS = 80


class Kind(StrEnum):
    """What the gate can do."""

    OWN_TRANSFER = "own_transfer"
    PAYEE_TRANSFER = "payee_transfer"
    BILL_PAYMENT = "bill_payment"
    CANCEL_SCHEDULE = "cancel_schedule"
    CARD_ACTIVATE = "card_activate"
    CARD_FREEZE = "card_freeze"
    CARD_UNFREEZE = "card_unfreeze"
    CARD_BLOCK = "card_block"
    CARD_REPLACE = "card_replace"
    CARD_LIMITS = "card_limits"
    DISPUTE = "dispute"
    LOAN_APPLICATION = "loan_application"
    CONTACT_CHANGE = "contact_change"


@dataclass(frozen=True, slots=True)
class OwnTransfer:
    """Move money between two accounts of one customer."""

    kind: ClassVar[Kind] = Kind.OWN_TRANSFER
    from_account: UUID
    to_account: UUID
    amount: Money
    when: Wish = NOW


@dataclass(frozen=True, slots=True)
class PayeeTransfer:
    """Send money to a person among the customer's payees; `note` is for that person to read."""

    kind: ClassVar[Kind] = Kind.PAYEE_TRANSFER
    from_account: UUID
    payee_id: UUID
    amount: Money
    note: str | None = None
    when: Wish = NOW


@dataclass(frozen=True, slots=True)
class BillPayment:
    """Pay a biller among the customer's payees."""

    kind: ClassVar[Kind] = Kind.BILL_PAYMENT
    from_account: UUID
    payee_id: UUID
    amount: Money
    when: Wish = NOW


@dataclass(frozen=True, slots=True)
class CancelSchedule:
    """Make no more payments of a schedule. No money moves."""

    kind: ClassVar[Kind] = Kind.CANCEL_SCHEDULE
    schedule_id: UUID


@dataclass(frozen=True, slots=True)
class CardDraft:
    """Do something with one of the customer's cards; `daily_limit` with CARD_LIMITS alone."""

    kind: Kind
    card_id: UUID
    daily_limit: Money | None = None


@dataclass(frozen=True, slots=True)
class DisputeDraft:
    """Dispute a charge on one of the customer's accounts."""

    kind: ClassVar[Kind] = Kind.DISPUTE
    entry_id: UUID
    reason: DisputeReason


@dataclass(frozen=True, slots=True)
class LoanDraft:
    """Apply for a loan."""

    kind: ClassVar[Kind] = Kind.LOAN_APPLICATION
    amount: Money
    months: int


@dataclass(frozen=True, slots=True)
class ContactChangeDraft:
    """Change the e-mail address. `new_email` is as `kit.email_address` says; `session_id` asks, and goes on."""

    kind: ClassVar[Kind] = Kind.CONTACT_CHANGE
    new_email: str
    session_id: UUID


PaymentDraft = OwnTransfer | PayeeTransfer | BillPayment
PAYMENTS = frozenset({Kind.OWN_TRANSFER, Kind.PAYEE_TRANSFER, Kind.BILL_PAYMENT})
CARDS = frozenset(
    {
        *(Kind.CARD_ACTIVATE, Kind.CARD_FREEZE, Kind.CARD_UNFREEZE, Kind.CARD_BLOCK),
        *(Kind.CARD_REPLACE, Kind.CARD_LIMITS),
    }
)
Draft = PaymentDraft | CancelSchedule | CardDraft | DisputeDraft | LoanDraft | ContactChangeDraft
