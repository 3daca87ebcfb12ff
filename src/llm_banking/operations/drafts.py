"""What a customer wants done, as whoever understood them puts it. A draft is a wish: nothing is executed from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from llm_banking.kit.money import Money

MAX_NOTE_CHARS = 80


class Kind(StrEnum):
    """What the gate can do."""

    OWN_TRANSFER = "own_transfer"
    PAYEE_TRANSFER = "payee_transfer"
    BILL_PAYMENT = "bill_payment"


@dataclass(frozen=True, slots=True)
class OwnTransfer:
    """Move money between two accounts of one customer."""

    from_account: UUID
    to_account: UUID
    amount: Money


@dataclass(frozen=True, slots=True)
class PayeeTransfer:
    """Send money to a person among the customer's payees; `note` is for that person to read."""

    from_account: UUID
    payee_id: UUID
    amount: Money
    note: str | None = None


@dataclass(frozen=True, slots=True)
class BillPayment:
    """Pay a biller among the customer's payees."""

    from_account: UUID
    payee_id: UUID
    amount: Money


Draft = OwnTransfer | PayeeTransfer | BillPayment
