"""Loans: the bank's terms as data, what a loan would cost, whether a customer is likely to get it, and applications.

A person decides about an application; nothing here does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from importlib import resources
from typing import Annotated
from uuid import UUID

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking import core
from llm_banking.banking.amortisation import Amortisation, LoanTerms, amortise
from llm_banking.banking.errors import ApplicationNotFoundError, ApplicationStepError, LoanTermsRefusedError
from llm_banking.banking.models import LoanApplication
from llm_banking.identity.errors import ForbiddenError
from llm_banking.identity.models import User
from llm_banking.kit import outbox
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.money import Money, MoneyError

MONTH_DAYS = 30
MAX_APPLICATIONS = 100
"""That a page lists."""


class LoanStatus(StrEnum):
    """Where an application stands; the last two are final."""

    RECEIVED = "received"
    UNDER_REVIEW = "under_review"
    APPROVED = "approved"
    DECLINED = "declined"


NEXT = {
    LoanStatus.RECEIVED: frozenset({LoanStatus.UNDER_REVIEW}),
    LoanStatus.UNDER_REVIEW: frozenset({LoanStatus.APPROVED, LoanStatus.DECLINED}),
    LoanStatus.APPROVED: frozenset[LoanStatus](),
    LoanStatus.DECLINED: frozenset[LoanStatus](),
}
"""Where an application goes from where it stands."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Months(_Strict):
    least: Annotated[int, Field(ge=1)]
    most: Annotated[int, Field(le=600)]


class _Rate(_Strict):
    months_up_to: Annotated[int, Field(ge=1)]
    annual_percent: Annotated[str, Field(pattern=r"^[0-9]{1,2}(\.[0-9]{1,3})?$")]


class _Document(_Strict):
    currency: str
    least: str
    most: str
    months: _Months
    rates: Annotated[tuple[_Rate, ...], Field(min_length=1)]
    income_days: Annotated[int, Field(ge=MONTH_DAYS, le=730)]
    payment_share_percent: Annotated[int, Field(ge=1, le=100)]
    customer_for_days: Annotated[int, Field(ge=0)]
    documents: tuple[str, ...]
    open_at_most: Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class LoanRules:
    """What the bank lends, and what it looks at."""

    least: Money
    most: Money
    months: tuple[int, int]
    rates: tuple[tuple[int, Decimal], ...]
    income_over: timedelta
    payment_share_percent: int
    customer_for: timedelta
    documents: tuple[str, ...]
    open_at_most: int

    def quote(self, amount: Money, months: int) -> Amortisation:
        """What a loan costs, to the cent. Raises LoanTermsRefusedError, and as `amortise` does."""
        least, most = self.months
        lent = amount.currency == self.least.currency
        lent = lent and self.least.amount_minor <= amount.amount_minor <= self.most.amount_minor
        wrong = (*(() if lent else ("amount",)), *(() if least <= months <= most else ("months",)))
        if wrong:
            raise LoanTermsRefusedError(self.least, self.most, self.months, wrong=wrong)
        rate = next(percent for up_to, percent in self.rates if months <= up_to)
        return amortise(LoanTerms(amount, rate, months))


@dataclass(frozen=True, slots=True)
class Prequalification:
    """Whether an application is likely to pass, and why not: `reasons` in words, empty where it is."""

    reasons: tuple[str, ...]

    @property
    def likely(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.reasons


def load_loan_rules(text: str | None = None) -> LoanRules:
    """The shipped rules, or those of a text. Raises ConfigurationError where they are incomplete or not strict."""
    if text is None:
        text = resources.files("llm_banking.banking").joinpath("data/loans.yml").read_text("utf-8")
    try:
        found = _Document.model_validate(yaml.safe_load(text))
        least, most = (Money.parse(one, found.currency) for one in (found.least, found.most))
    except (yaml.YAMLError, ValidationError, MoneyError) as error:
        raise ConfigurationError(f"banking/data/loans.yml cannot be used: {error}") from error
    bands = [one.months_up_to for one in found.rates]
    if bands != sorted(set(bands)) or bands[-1] < found.months.most or found.months.least > found.months.most:
        raise ConfigurationError("banking/data/loans.yml: the rates do not cover every term, in rising order.")
    return LoanRules(
        least,
        most,
        (found.months.least, found.months.most),
        tuple((one.months_up_to, Decimal(one.annual_percent)) for one in found.rates),
        timedelta(days=found.income_days),
        found.payment_share_percent,
        timedelta(days=found.customer_for_days),
        found.documents,
        found.open_at_most,
    )


async def prequalify(
    session: AsyncSession, owner_id: UUID, plan: Amortisation, rules: LoanRules, now: datetime
) -> Prequalification:
    """What the customer's own rows say about a loan. It decides nothing."""
    reasons = []
    since = await session.scalar(select(User.created_at).where(User.id == owner_id))
    if since is None or now - since < rules.customer_for:
        reasons.append(f"you have been a customer for less than {rules.customer_for.days} days")
    came_in = await core.income_of(session, owner_id, since=now - rules.income_over, currency=plan.payment.currency)
    income = came_in.amount_minor * MONTH_DAYS // rules.income_over.days
    if plan.payment.amount_minor * 100 > income * rules.payment_share_percent:
        reasons.append(f"the payment is more than {rules.payment_share_percent} percent of what came in each month")
    return Prequalification(tuple(reasons))


async def open_applications(session: AsyncSession, owner_id: UUID) -> int:
    """How many applications of an owner nobody has decided about."""
    waiting = LoanApplication.status.in_([status.value for status, following in NEXT.items() if following])
    query = select(func.count()).where(LoanApplication.user_id == owner_id, waiting)
    return await session.scalar(query) or 0


async def applications_of(session: AsyncSession, owner_id: UUID) -> list[LoanApplication]:
    """An owner's applications, newest first."""
    query = select(LoanApplication).where(LoanApplication.user_id == owner_id).order_by(LoanApplication.id.desc())
    return list(await session.scalars(query.limit(MAX_APPLICATIONS)))


async def undecided_applications(session: AsyncSession) -> list[LoanApplication]:
    """Everybody's that a person must decide, oldest first; the transaction has the scope `system`."""
    waiting = LoanApplication.status.in_([status.value for status, following in NEXT.items() if following])
    query = select(LoanApplication).where(waiting).order_by(LoanApplication.id).limit(MAX_APPLICATIONS)
    return list(await session.scalars(query))


async def owner_of_application(session: AsyncSession, application_id: UUID) -> UUID:
    """Whose an application is; the transaction has the scope `system`. Raises ApplicationNotFoundError."""
    found = await session.scalar(select(LoanApplication.user_id).where(LoanApplication.id == application_id))
    if found is None:
        raise ApplicationNotFoundError
    return found


async def move_application(
    session: AsyncSession, owner_id: UUID, application_id: UUID, to: LoanStatus, *, by: UUID, now: datetime
) -> LoanApplication:
    """A person takes an application up, or decides it for good. No money moves by it.

    The transaction works for the applicant. Raises ApplicationNotFoundError, ForbiddenError for one's own, and
    ApplicationStepError where it does not lead there from where it stands.
    """
    query = select(LoanApplication).where(LoanApplication.id == application_id, LoanApplication.user_id == owner_id)
    found = await session.scalar(query.with_for_update().execution_options(populate_existing=True))
    if found is None:
        raise ApplicationNotFoundError
    if found.user_id == by:
        raise ForbiddenError("Nobody decides about their own.")
    if to not in NEXT[LoanStatus(found.status)]:
        raise ApplicationStepError
    found.status, found.changed_at, found.changed_by = to.value, now, by
    await session.flush()
    outbox.tell(session, owner_id, f"loan_application.{to.value}", {"application_id": str(application_id)})
    return found
