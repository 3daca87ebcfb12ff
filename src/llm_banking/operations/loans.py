"""Applications for loans: the terms that are shown, and what is checked before one is sent in. A person decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.loans import LoanRules, LoanStatus, open_applications, prequalify
from llm_banking.banking.models import LoanApplication
from llm_banking.identity.step_up import Method
from llm_banking.kit.ids import uuid7
from llm_banking.kit.money import Money
from llm_banking.operations.drafts import Kind, LoanDraft
from llm_banking.operations.errors import NotPossibleError
from llm_banking.operations.handlers import Done
from llm_banking.operations.policy import OperationPolicy

VERSION = 1


@dataclass(frozen=True, slots=True)
class LoanPayload:
    """Frozen terms, in minor units of `loan_currency`. No money moves by an application."""

    id: str
    user_id: str
    kind: Kind
    principal_minor: int
    payment_minor: int
    total_interest_minor: int
    loan_currency: str
    months: int
    annual_percent: str
    version: int = VERSION

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {**asdict(self), "kind": self.kind.value}

    def summary(self) -> str:
        """The text that the customer is shown, from the payload alone."""
        principal, payment, interest = (
            Money(minor, self.loan_currency).display()
            for minor in (self.principal_minor, self.payment_minor, self.total_interest_minor)
        )
        return (
            f"Apply for a loan of {principal} over {self.months} months at {self.annual_percent} percent a year: "
            f"{payment} a month, {interest} interest in all. The bank decides whether it makes the loan."
        )

    def told(self) -> str:
        """What the customer is told once it was sent in, from the payload alone."""
        principal = Money(self.principal_minor, self.loan_currency).display()
        return f"Your application for a loan of {principal} over {self.months} months is with the bank, which decides."

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> LoanPayload:
        """From what is stored. Raises KeyError, TypeError or ValueError on what is no payload of this version."""
        if document["version"] != VERSION or Kind(document["kind"]) is not Kind.LOAN_APPLICATION:
            raise ValueError("a payload of another version or kind")
        return cls(**{**document, "kind": Kind.LOAN_APPLICATION})


class Loans:
    """The handler of applications for loans."""

    def __init__(self, policy: OperationPolicy, rules: LoanRules) -> None:
        self._policy = policy
        self._rules = rules

    async def freeze(self, session: AsyncSession, user_id: UUID, draft: LoanDraft) -> LoanPayload:  # noqa: ARG002 - the protocol's
        """The terms as they are now."""
        plan = self._rules.quote(draft.amount, draft.months)
        return LoanPayload(
            id=str(uuid7()),
            user_id=str(user_id),
            kind=Kind.LOAN_APPLICATION,
            principal_minor=draft.amount.amount_minor,
            payment_minor=plan.payment.amount_minor,
            total_interest_minor=plan.total_interest.amount_minor,
            loan_currency=draft.amount.currency,
            months=draft.months,
            annual_percent=str(plan.terms.annual_rate_percent),
        )

    def read(self, document: Mapping[str, Any]) -> LoanPayload:
        """As LoanPayload.of."""
        return LoanPayload.of(document)

    async def check(self, session: AsyncSession, payload: LoanPayload, _now: datetime) -> frozenset[Method]:
        """By which factors an application is proved that may be sent in now. Raises NotPossibleError."""
        if await open_applications(session, UUID(payload.user_id)) >= self._rules.open_at_most:
            raise NotPossibleError("An application of yours is being looked at. Wait for that, or ask for a person.")
        return self._policy.proof[Kind.LOAN_APPLICATION.value]

    async def execute(self, session: AsyncSession, payload: LoanPayload, now: datetime) -> Done:
        """Send it in, with what the rules say about it for whoever decides."""
        user_id, currency = UUID(payload.user_id), payload.loan_currency
        plan = self._rules.quote(Money(payload.principal_minor, currency), payload.months)
        if (plan.payment.amount_minor, str(plan.terms.annual_rate_percent)) != (
            payload.payment_minor,
            payload.annual_percent,
        ):
            raise NotPossibleError("The terms have changed since you saw them. Ask for the loan again.")
        found = await prequalify(session, user_id, plan, self._rules, now)
        application = LoanApplication(
            id=UUID(payload.id),
            user_id=user_id,
            status=LoanStatus.RECEIVED.value,
            amount_minor=payload.principal_minor,
            currency=currency,
            months=payload.months,
            annual_percent=payload.annual_percent,
            payment_minor=payload.payment_minor,
            concerns=list(found.reasons),
            created_at=now,
            changed_at=now,
        )
        session.add(application)
        await session.flush()
        return Done(result={"status": application.status})
