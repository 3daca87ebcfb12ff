"""Where a customer's disputes and applications for loans stand, told from their own rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from llm_banking.banking.disputes import DisputeStatus
from llm_banking.banking.loans import LoanStatus
from llm_banking.banking.models import Dispute, LoanApplication
from llm_banking.kit.money import Money

MOST = 5
"""Of the newest, in one reply."""
_DISPUTES = {
    DisputeStatus.OPEN: "our team is looking into it, and nothing is decided yet.",
    DisputeStatus.PROVISIONAL_CREDIT: (
        "our team is looking into it. You have a provisional credit of {amount} until it is decided."
    ),
    DisputeStatus.RESOLVED_FOR_CUSTOMER: "it was decided for you, and the money is yours to keep.",
    DisputeStatus.RESOLVED_FOR_MERCHANT: "it was decided for the merchant, so the charge stands.",
}
_APPLICATIONS = {
    LoanStatus.RECEIVED: "it is with the bank, and nobody has taken it up yet.",
    LoanStatus.UNDER_REVIEW: "somebody at the bank is looking at it, and nothing is decided yet.",
    LoanStatus.APPROVED: "it was approved.",
    LoanStatus.DECLINED: "it was declined.",
}


@dataclass(frozen=True, slots=True)
class Case:
    """One dispute or application: its id, what it is, and where it stands."""

    id: UUID
    title: str
    text: str


def disputes_told(rows: Sequence[Dispute]) -> tuple[Case, ...]:
    """The newest disputes, as their rows say."""
    found = []
    for one in rows[:MOST]:
        amount = Money(one.amount_minor, one.currency).display()
        stands = _DISPUTES[DisputeStatus(one.status)].format(amount=amount)
        title = f"dispute of {amount} by {one.description}"
        found.append(Case(one.id, title, f"Your {title}, opened on {_day(one.created_at)}: {stands}"))
    return tuple(found)


def applications_told(rows: Sequence[LoanApplication]) -> tuple[Case, ...]:
    """The newest applications, as their rows say."""
    found = []
    for one in rows[:MOST]:
        title = f"application for a loan of {Money(one.amount_minor, one.currency).display()} over {one.months} months"
        stands = _APPLICATIONS[LoanStatus(one.status)]
        found.append(Case(one.id, title, f"Your {title}, sent in on {_day(one.created_at)}: {stands}"))
    return tuple(found)


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
