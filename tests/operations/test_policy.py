"""The rules as data: what ships, and that what is incomplete or unknown is refused when the server starts."""

from __future__ import annotations

from datetime import timedelta
from importlib import resources

import pytest
import yaml

from llm_banking.banking.bank_days import load_bank_days
from llm_banking.banking.fees import FeeSchedule, load_fees
from llm_banking.identity.step_up import Method
from llm_banking.kit.errors import ConfigurationError
from llm_banking.operations.errors import NotPossibleError
from llm_banking.operations.payments import Payments
from llm_banking.operations.policy import load_policy
from tests.operations.world import usd

TEXT = resources.files("llm_banking.operations").joinpath("policy.yml").read_text("utf-8")


def test_the_shipped_policy() -> None:
    policy = load_policy()
    limits = policy.limits_of("USD")
    assert (limits.per_operation, limits.per_day) == (usd("5000.00"), usd("10000.00"))
    assert (limits.step_up_above, limits.code_up_to, limits.new_payee_limit) == (
        *(usd("200.00"), usd("1000.00"), usd("500.00")),
    )
    assert (policy.lifetime, policy.new_payee_period) == (timedelta(minutes=5), timedelta(hours=24))
    with pytest.raises(NotPossibleError):
        policy.limits_of("EUR")


def test_the_first_payment_needs_a_proof_however_small_it_is() -> None:
    policy = load_policy()
    assert policy.methods(usd("0.01"), first_payment=False) == frozenset()
    assert policy.methods(usd("0.01"), first_payment=True) == {Method.TOTP, Method.WEBAUTHN}
    assert policy.methods(usd("1000.01"), first_payment=True) == {Method.WEBAUTHN}


def test_customers_are_told_what_the_policy_does() -> None:
    """The answers are written from the facts; a limit that is another one here would make them untrue."""
    facts = yaml.safe_load(resources.files("llm_banking.knowledge").joinpath("data", "facts.yml").read_text("utf-8"))[
        "facts"
    ]
    policy = load_policy()
    limits = policy.limits_of("USD")
    for fact, limit in (("daily_transfer_limit", limits.per_day), ("new_payee_limit", limits.new_payee_limit)):
        assert (facts[fact]["amount"], facts[fact]["currency"]) == (limit.as_decimal_string(), "USD"), fact
    assert (facts["schedule_ahead_limit"]["value"], facts["schedule_ahead_limit"]["unit"]) == (12, "month")
    assert policy.schedules.days_ahead == 366, "twelve months, also over a leap day"
    assert (facts["new_payee_period"]["value"], facts["new_payee_period"]["unit"]) == (24, "hour")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('    per_day: "10000.00"', "    per_day: 10000.00"),
        ('    per_day: "10000.00"', '    per_day: "-1.00"'),
        ('    per_day: "10000.00"', '    per_day: "1.001"'),
        ('    per_day: "10000.00"\n', ""),
        ('savings: "5000.00"', 'savings: "5000.001"'),
        ('savings: "5000.00"', 'loan: "5000.00"'),
        ("USD:", "XXX:"),
        ("retries: 2", "retries: 4"),
        ("missed_after_days: 7", "missed_after_days: 0"),
        (", missed_after_days: 7", ""),
        ("pending_minutes: 5", "pending_minutes: 0"),
        ("pending_minutes: 5", "pending_minutes: 5\nmore: 1"),
        ("pending_minutes: 5", "pending_minutes: ["),
        ("card_unfreeze: factor", "card_unfreeze: code"),
        ("  card_unfreeze: factor\n", ""),
        ("card_unfreeze: factor", "card_unfreeze: factor\n  own_transfer: nothing"),
        ("urgent: [", "urgent: [own_transfer, "),
        ("urgent: [", "urgent: [unknown, "),
    ],
)
def test_a_policy_that_leaves_something_open_is_refused(old: str, new: str) -> None:
    assert old in TEXT
    with pytest.raises(ConfigurationError, match=r"policy\.yml cannot be used"):
        load_policy(TEXT.replace(old, new))


def test_a_payment_without_a_fee_in_the_schedule_stops_the_start() -> None:
    schedule = load_fees()
    fees = FeeSchedule({name: fee for name, fee in schedule.fees.items() if name != "bill_payment"})
    with pytest.raises(ConfigurationError, match="bill_payment"):
        Payments(load_policy(), fees, load_bank_days())
