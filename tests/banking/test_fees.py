"""The schedule of fees, and that it is the one that the bank publishes."""

from __future__ import annotations

from decimal import Decimal

import pytest

from llm_banking.banking.fees import Fee, FeeUnknownError, load_fees
from llm_banking.kit.money import Money
from llm_banking.knowledge.service import Knowledge

PUBLISHED = {
    "instant_transfer": "instant_transfer_fee",
    "domestic_wire": "domestic_wire_fee",
    "international_wire": "international_wire_fee",
    "incoming_wire": "incoming_wire_fee",
    "atm_domestic": "atm_fee_domestic",
    "atm_abroad": "atm_fee_abroad",
    "foreign_card_payment": "foreign_card_fee",
    "currency_exchange": "exchange_fee",
    "card_replacement": "card_replacement_fee",
    "card_express_delivery": "express_delivery_fee",
    "spare_card": "spare_card_fee",
    "late_card_payment": "late_payment_fee",
    "paper_statement": "paper_statement_fee",
    "monthly_account": "monthly_account_fee",
}
"""By service: the fact that customers are told."""
FREE = {"own_transfer", "payee_transfer", "bill_payment"}


def usd(amount: str) -> Money:
    return Money.parse(amount, "USD")


def test_what_is_taken_is_what_customers_are_told(knowledge: Knowledge) -> None:
    schedule = load_fees()
    assert set(schedule.fees) == set(PUBLISHED) | FREE
    for service, fact in PUBLISHED.items():
        fee = schedule.fees[service]
        said = f"{fee.percent}%" if fee.percent else fee.flat["USD"].display()
        assert knowledge.facts[fact].render() == said, service
    for service in FREE:
        assert schedule.fee(service, usd("123.45")) == usd("0.00")


@pytest.mark.parametrize(
    ("service", "amount", "fee"),
    [
        ("instant_transfer", "100.00", "1.50"),
        ("instant_transfer", "0.33", "0.00"),
        ("instant_transfer", "0.34", "0.01"),
        ("instant_transfer", "1.00", "0.02"),
        ("domestic_wire", "5000.00", "20.00"),
    ],
)
def test_a_share_is_rounded_half_up(service: str, amount: str, fee: str) -> None:
    assert load_fees().fee(service, usd(amount)) == usd(fee)


def test_a_share_and_a_fixed_sum_add_up() -> None:
    assert Fee(Decimal("1.5"), {"USD": usd("2.00")}).of(usd("10.00")) == usd("2.15")


def test_what_the_schedule_does_not_know_is_refused() -> None:
    with pytest.raises(FeeUnknownError):
        load_fees().fee("gold", usd("1.00"))
    with pytest.raises(FeeUnknownError):
        load_fees().fee("domestic_wire", Money(100, "EUR"))
    assert load_fees().fee("instant_transfer", Money(1_000, "JPY")) == Money(15, "JPY")
