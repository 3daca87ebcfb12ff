from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_banking.kit.money import MINOR_DIGITS, Money, MoneyError

CURRENCIES = st.sampled_from(sorted(MINOR_DIGITS))
AMOUNTS = st.integers(-(2**63), 2**63 - 1)
"""What the database column holds."""


@given(AMOUNTS, CURRENCIES)
def test_the_wire_form_reads_back_as_the_same_amount(amount: int, currency: str) -> None:
    money = Money(amount, currency)
    assert Money.parse(money.as_decimal_string(), currency) == money


@given(st.integers(10**28, 10**40), CURRENCIES)
def test_an_amount_of_any_size_is_exact_or_refused(amount: int, currency: str) -> None:
    digits = MINOR_DIGITS[currency]
    text = str(amount)[:-digits] + "." + str(amount)[-digits:] if digits else str(amount)
    try:
        money = Money.parse(text, currency)
    except MoneyError:
        return
    assert money.amount_minor == amount
    assert money.as_decimal_string() == text


@given(AMOUNTS, CURRENCIES)
def test_the_wire_form_has_exactly_the_digits_of_the_currency(amount: int, currency: str) -> None:
    text = Money(amount, currency).as_decimal_string()
    assert len(text.partition(".")[2]) == MINOR_DIGITS[currency]
    assert Decimal(text) == Decimal(amount) / 10 ** MINOR_DIGITS[currency]


@given(AMOUNTS, AMOUNTS, CURRENCIES)
def test_addition_is_exact(left: int, right: int, currency: str) -> None:
    assert Money(left, currency) + Money(right, currency) == Money(left + right, currency)
    assert (Money(left, currency) + -Money(left, currency)).amount_minor == 0


def test_ten_dimes_are_a_dollar() -> None:
    total = Money.parse("0.00", "USD")
    for _ in range(10):
        total += Money.parse("0.10", "USD")
    assert total == Money.parse("1", "USD")


def test_two_currencies_do_not_add_up() -> None:
    with pytest.raises(MoneyError, match="USD and EUR"):
        Money(1, "USD") + Money(1, "EUR")


@pytest.mark.parametrize("amount", [1.0, 0.1, True, "1", Decimal(1), None])
def test_an_amount_that_is_no_int_is_refused(amount: object) -> None:
    with pytest.raises(MoneyError):
        Money(amount, "USD")  # type: ignore[arg-type]


@pytest.mark.parametrize("amount", [12.5, 12.0, float("nan"), float("inf")])
def test_a_float_is_not_parsed(amount: float) -> None:
    with pytest.raises(MoneyError):
        Money.parse(amount, "USD")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "amount",
    ["NaN", "sNaN", "Infinity", "-Infinity", "", " ", "12,50", "$5", "1 000", "0x10", "ten", "--1", "1e999999"],
)
def test_text_that_is_no_finite_number_is_refused(amount: str) -> None:
    with pytest.raises(MoneyError):
        Money.parse(amount, "USD")


@pytest.mark.parametrize(
    ("amount", "currency"), [("0.001", "USD"), ("12.505", "EUR"), ("0.5", "JPY"), ("1.0005", "KWD"), ("-0.001", "GBP")]
)
def test_more_digits_than_the_currency_has_are_refused(amount: str, currency: str) -> None:
    with pytest.raises(MoneyError, match=f"more digits than {currency}"):
        Money.parse(amount, currency)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.50", "USD", 1250),
        ("12.5", "USD", 1250),
        ("12", "USD", 1200),
        ("12.500", "USD", 1250),
        ("-0.01", "EUR", -1),
        ("7", "JPY", 7),
        ("1.234", "KWD", 1234),
    ],
)
def test_an_amount_becomes_minor_units(amount: str, currency: str, minor: int) -> None:
    assert Money.parse(amount, currency).amount_minor == minor


@pytest.mark.parametrize("currency", ["", "usd", "XXX", "BTC"])
def test_an_unknown_currency_is_refused(currency: str) -> None:
    with pytest.raises(MoneyError, match="no currency"):
        Money(1, currency)
    with pytest.raises(MoneyError, match="no currency"):
        Money.parse("1", currency)


@pytest.mark.parametrize(
    ("money", "shown"),
    [
        (Money(0, "USD"), "$0.00"),
        (Money(5, "USD"), "$0.05"),
        (Money(123456, "USD"), "$1,234.56"),
        (Money(-123450, "USD"), "-$1,234.50"),
        (Money(100000000, "EUR"), "€1,000,000.00"),
        (Money(-1, "GBP"), "-£0.01"),
        (Money(1234567, "JPY"), "¥1,234,567"),
        (Money(1234567, "KWD"), "KWD 1,234.567"),
        (Money(-9900, "CHF"), "-CHF 99.00"),
    ],
)
def test_people_see_symbol_sign_and_thousands(money: Money, shown: str) -> None:
    assert money.display() == shown
