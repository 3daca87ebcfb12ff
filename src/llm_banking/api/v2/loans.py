"""What a loan would cost, and the caller's applications. One is sent in as an operation; a person decides it."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Request
from pydantic import Field

from llm_banking.api.dependencies import CallerDep, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, Model, Timestamp, metadata_of
from llm_banking.api.money import Amount, Currency, MoneyBody
from llm_banking.banking.amortisation import Instalment
from llm_banking.banking.loans import LoanRules, LoanStatus, applications_of, prequalify
from llm_banking.banking.models import LoanApplication
from llm_banking.identity.principal import Permission, requires
from llm_banking.kit.clock import utc_now
from llm_banking.kit.money import Money
from llm_banking.operations.drafts import Draft, Kind, LoanDraft

routes = router("/api/v2", "loans")

Months = Annotated[int, Field(ge=1, le=600)]


class LoanApplicationRequest(Model):
    """Apply for a loan at the bank's terms."""

    kind: Literal[Kind.LOAN_APPLICATION]
    amount: Amount
    currency: Currency
    months: Months

    def draft(self) -> Draft:
        """In the gate's terms. Raises MoneyError."""
        return LoanDraft(Money.parse(self.amount, self.currency), self.months)


class InstalmentBody(Model):
    """One month: `payment` is `interest` and `principal` together, `balance` what is still owed."""

    number: int
    payment: MoneyBody
    interest: MoneyBody
    principal: MoneyBody
    balance: MoneyBody

    @classmethod
    def of(cls, one: Instalment) -> InstalmentBody:
        """A month as it is sent."""
        figures = {name: MoneyBody.of(getattr(one, name)) for name in ("payment", "interest", "principal", "balance")}
        return cls(number=one.number, **figures)


class LoanQuote(Model):
    """What a loan costs, to the cent, and what speaks against it: a first look that promises nothing."""

    amount: MoneyBody
    months: int
    annual_percent: str
    payment: MoneyBody
    total_interest: MoneyBody
    total_paid: MoneyBody
    likely: bool
    concerns: list[str]
    documents: list[str]
    instalments: list[InstalmentBody]


class LoanApplicationBody(Model):
    """An application. `documents` is what the bank needs to decide, while it has not."""

    id: UUID
    status: LoanStatus
    amount: MoneyBody
    months: int
    annual_percent: str
    payment: MoneyBody
    concerns: list[str]
    documents: list[str]
    created_at: Timestamp
    changed_at: Timestamp

    @classmethod
    def of(cls, row: LoanApplication, rules: LoanRules) -> LoanApplicationBody:
        """A row as it is sent."""
        status = LoanStatus(row.status)
        return cls(
            id=row.id,
            status=status,
            amount=MoneyBody.of(Money(row.amount_minor, row.currency)),
            months=row.months,
            annual_percent=row.annual_percent,
            payment=MoneyBody.of(Money(row.payment_minor, row.currency)),
            concerns=row.concerns,
            documents=list(rules.documents) if status in (LoanStatus.RECEIVED, LoanStatus.UNDER_REVIEW) else [],
            created_at=row.created_at,
            changed_at=row.changed_at,
        )


class LoanApplicationList(Model):
    """Applications for loans."""

    items: list[LoanApplicationBody]


@routes.get("/loans/quote")
@policy(requires(Permission.BANKING_READ))
async def quote_loan(
    request: Request,
    caller: CallerDep,
    services: ServicesDep,
    amount: Annotated[Amount, Query()],
    months: Annotated[int, Query(ge=1, le=600)],
) -> Envelope[LoanQuote]:
    """What a loan would cost, month by month, and a first look at whether the caller is likely to get it."""
    rules = services.loan_rules
    plan = rules.quote(Money.parse(amount, rules.least.currency), months)
    async with services.database.transaction(visible_to={caller.user_id}) as session:
        found = await prequalify(session, caller.user_id, plan, rules, utc_now())
    quote = LoanQuote(
        amount=MoneyBody.of(plan.terms.principal),
        months=months,
        annual_percent=str(plan.terms.annual_rate_percent),
        payment=MoneyBody.of(plan.payment),
        total_interest=MoneyBody.of(plan.total_interest),
        total_paid=MoneyBody.of(plan.total_paid),
        likely=found.likely,
        concerns=list(found.reasons),
        documents=list(rules.documents),
        instalments=[InstalmentBody.of(one) for one in plan.instalments],
    )
    return Envelope(data=quote, metadata=metadata_of(request))


@routes.get("/loan-applications")
@policy(requires(Permission.BANKING_READ))
async def list_loan_applications(
    request: Request, caller: CallerDep, services: ServicesDep
) -> Envelope[LoanApplicationList]:
    """The caller's applications, newest first."""
    async with services.database.transaction(visible_to={caller.user_id}) as session:
        rows = await applications_of(session, caller.user_id)
    items = [LoanApplicationBody.of(row, services.loan_rules) for row in rows]
    return Envelope(data=LoanApplicationList(items=items), metadata=metadata_of(request))
