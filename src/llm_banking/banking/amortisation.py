"""Repaying a loan in equal monthly payments, exact to the smallest unit of its currency.

The payment is the annuity's, principal x r / (1 - (1 + r)^-n) with r a twelfth of the nominal annual rate. Payment and
each month's interest are rounded half up; the last payment takes up what rounding left.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

from llm_banking.kit.errors import LlmBankingError
from llm_banking.kit.money import Money

MAX_MONTHS = 600
MAX_RATE_PERCENT = Decimal(100)
MAX_PRINCIPAL_MINOR = 10**15
_EXACT = Context(prec=60, rounding=ROUND_HALF_UP)
"""Digits enough that what is rounded to a cent in the end was not rounded before it mattered."""


class LoanTermsInvalidError(LlmBankingError):
    """A loan that nobody could repay by these rules."""

    code = "INVALID_REQUEST"


@dataclass(frozen=True, slots=True)
class LoanTerms:
    """What is lent, at which nominal rate in percent a year, over how many months.

    Raises LoanTermsInvalidError.
    """

    principal: Money
    annual_rate_percent: Decimal
    months: int

    def __post_init__(self) -> None:
        if not 0 < self.principal.amount_minor <= MAX_PRINCIPAL_MINOR:
            raise LoanTermsInvalidError("What is lent is more than nothing, and not more than a bank could lend.")
        if not self.annual_rate_percent.is_finite() or not 0 <= self.annual_rate_percent <= MAX_RATE_PERCENT:
            raise LoanTermsInvalidError(f"A rate is from 0 to {MAX_RATE_PERCENT} percent a year.")
        if not 1 <= self.months <= MAX_MONTHS:
            raise LoanTermsInvalidError(f"A loan runs for 1 to {MAX_MONTHS} months.")

    @property
    def monthly_rate(self) -> Decimal:
        """A twelfth of the annual rate, as a share."""
        return _EXACT.divide(self.annual_rate_percent, Decimal(1200))


@dataclass(frozen=True, slots=True)
class Instalment:
    """One month: `payment` is `interest` and `principal` together, `balance` is what is still owed after it."""

    number: int
    payment: Money
    interest: Money
    principal: Money
    balance: Money


@dataclass(frozen=True, slots=True)
class Amortisation:
    """A loan's whole plan. Where a payment of one unit is much already, it has fewer instalments than months."""

    terms: LoanTerms
    payment: Money
    instalments: tuple[Instalment, ...]

    @property
    def total_interest(self) -> Money:
        """What the loan costs."""
        return Money(sum(one.interest.amount_minor for one in self.instalments), self.payment.currency)

    @property
    def total_paid(self) -> Money:
        """Everything that is paid."""
        return self.terms.principal + self.total_interest


def monthly_payment(terms: LoanTerms) -> Money:
    """The payment of every month but the last, at least one unit of the currency."""
    with localcontext(_EXACT):
        principal, rate = Decimal(terms.principal.amount_minor), terms.monthly_rate
        exact = principal * rate / (1 - (1 + rate) ** -terms.months) if rate else principal / terms.months
    return Money(max(_whole(exact), 1), terms.principal.currency)


def amortise(terms: LoanTerms) -> Amortisation:
    """The plan of a loan, the first payment a month after it is paid out.

    Raises LoanTermsInvalidError where payments in whole units would leave more than two of them to the last, which
    happens with very small loans and with very long and dear ones.
    """
    payment, currency = monthly_payment(terms), terms.principal.currency
    owed, rate, instalments = terms.principal.amount_minor, terms.monthly_rate, list[Instalment]()
    for number in range(1, terms.months + 1):
        if owed == 0:
            break
        interest = _whole(_EXACT.multiply(Decimal(owed), rate))
        due = owed + interest
        paid = due if number == terms.months else min(payment.amount_minor, due)
        if paid > 2 * payment.amount_minor:
            raise LoanTermsInvalidError("The last payment would be more than two others. Choose fewer months.")
        owed = due - paid
        figures = (Money(minor, currency) for minor in (paid, interest, paid - interest, owed))
        instalments.append(Instalment(number, *figures))
    return Amortisation(terms, payment, tuple(instalments))


def _whole(minor: Decimal) -> int:
    return int(minor.quantize(Decimal(1), rounding=ROUND_HALF_UP))
