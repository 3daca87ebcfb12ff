"""Loans against published figures and the annuity's closed form."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from llm_banking.banking import amortisation
from llm_banking.banking.amortisation import LoanTerms, LoanTermsInvalidError, amortise, monthly_payment
from llm_banking.kit.money import Money


def terms(principal: str, rate: str, months: int, currency: str = "USD") -> LoanTerms:
    return LoanTerms(Money.parse(principal, currency), Decimal(rate), months)


@pytest.mark.parametrize(
    ("principal", "rate", "months", "payment"),
    [
        ("50000", "5.2", 60, "948.15"),
        ("10000", "7.99", 36, "313.32"),
        ("100000", "6", 360, "599.55"),
        ("200000", "6.5", 360, "1264.14"),
        ("250000", "4.5", 360, "1266.71"),
        ("300000", "3", 180, "2071.74"),
        ("20000", "6", 60, "386.66"),
        ("12000", "0", 24, "500.00"),
        ("1000", "0", 3, "333.33"),
    ],
)
def test_the_payment_is_the_published_one(principal: str, rate: str, months: int, payment: str) -> None:
    assert monthly_payment(terms(principal, rate, months)).as_decimal_string() == payment


def test_the_loan_of_the_contract_to_the_cent() -> None:
    plan = amortise(terms("50000", "5.2", 60))
    first, last = plan.instalments[0], plan.instalments[-1]
    assert len(plan.instalments) == 60
    assert {one.payment.as_decimal_string() for one in plan.instalments[:-1]} == {"948.15"}
    assert [one.as_decimal_string() for one in (first.interest, first.principal, first.balance)] == [
        "216.67",
        "731.48",
        "49268.52",
    ]
    assert last.balance.amount_minor == 0
    assert abs(last.payment.amount_minor - 94815) < 60
    paid = sum(one.payment.amount_minor for one in plan.instalments)
    assert paid == 59 * 94815 + last.payment.amount_minor == plan.total_paid.amount_minor
    assert plan.total_interest.amount_minor == paid - 5_000_000


def test_half_a_cent_is_rounded_up() -> None:
    assert monthly_payment(terms("1.00", "0", 8)).as_decimal_string() == "0.13"
    assert amortise(terms("1.00", "6", 2)).instalments[0].interest.as_decimal_string() == "0.01"


def test_the_currency_decides_what_is_rounded_to() -> None:
    plan = amortise(terms("1000000", "3", 12, "JPY"))
    assert plan.payment.as_decimal_string() == "84694"
    assert amortise(terms("1000.000", "3", 12, "KWD")).payment.as_decimal_string() == "84.694"


def test_a_loan_of_a_few_cents_ends_early() -> None:
    assert len(amortise(terms("0.02", "5", 60)).instalments) == 2


@pytest.mark.parametrize(
    ("principal", "rate", "months"),
    [("0", "5", 12), ("-1", "5", 12), ("1", "-0.1", 12), ("1", "100.1", 12), ("1", "NaN", 12), ("1", "5", 0)],
)
def test_terms_that_nobody_could_keep_are_refused(principal: str, rate: str, months: int) -> None:
    with pytest.raises(LoanTermsInvalidError):
        terms(principal, rate, months)
    with pytest.raises(LoanTermsInvalidError):
        terms("1", "5", 601)


def test_a_plan_that_would_leave_too_much_to_the_last_payment_is_refused() -> None:
    for one in (terms("0.80", "0", 60), terms("1000", "100", 600)):
        with pytest.raises(LoanTermsInvalidError, match="fewer months"):
            amortise(one)


LOANS = st.builds(
    LoanTerms,
    st.builds(Money, st.integers(100_000, 10**10), st.just("USD")),
    st.decimals(0, 30, places=3),
    st.integers(1, 480),
)


@given(LOANS)
def test_a_plan_repays_exactly_what_was_lent(loan: LoanTerms) -> None:
    try:
        plan = amortise(loan)
    except LoanTermsInvalidError:
        assume(False)
        raise
    rows = plan.instalments
    assert [one.number for one in rows] == list(range(1, len(rows) + 1))
    assert sum(one.principal.amount_minor for one in rows) == loan.principal.amount_minor
    assert rows[-1].balance.amount_minor == 0
    assert all(one.payment == one.interest + one.principal for one in rows)
    assert all(one.payment == plan.payment for one in rows[:-1])
    assert all(one.interest.amount_minor >= 0 and one.principal.amount_minor >= 0 for one in rows)
    assert all(after.balance.amount_minor <= before.balance.amount_minor for before, after in pairwise(rows))


@given(LOANS.filter(lambda loan: loan.annual_rate_percent > 0 and loan.months <= 120), st.data())
def test_what_is_owed_is_the_closed_forms_but_for_roundings(loan: LoanTerms, data: st.DataObject) -> None:
    """B(k) = P (1 + r)^k - A ((1 + r)^k - 1) / r: each month adds half a cent at most, and its interest."""
    plan = amortise(loan)
    number = data.draw(st.integers(0, len(plan.instalments) - 2)) if len(plan.instalments) > 1 else 0
    if len(plan.instalments) < 2:
        return
    grown = (1 + loan.monthly_rate) ** (number + 1)
    annuity = (grown - 1) / loan.monthly_rate
    exact = loan.principal.amount_minor * grown - plan.payment.amount_minor * annuity
    assert abs(plan.instalments[number].balance.amount_minor - exact) <= annuity / 2 + 1


def test_a_wrong_rounding_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: what is to be rounded half up is cut off."""
    monkeypatch.setattr(amortisation, "_whole", int)
    plan = amortise(terms("50000", "5.2", 60))
    assert plan.payment.as_decimal_string() != "948.15"
    assert plan.instalments[0].interest.as_decimal_string() != "216.67"
