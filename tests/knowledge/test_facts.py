from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from llm_banking.kit.money import Money
from llm_banking.knowledge.facts import Fact, MoneyFact

FACT: TypeAdapter[Any] = TypeAdapter(Fact)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"kind": "text", "value": "around the clock"}, "around the clock"),
        ({"kind": "money", "amount": "7.5", "currency": "USD"}, "$7.50"),
        ({"kind": "money", "amount": "10000.00", "currency": "EUR"}, "€10,000.00"),
        ({"kind": "percent", "value": "2.50"}, "2.50%"),
        ({"kind": "count", "value": 1, "unit": "day"}, "1 day"),
        ({"kind": "count", "value": 2, "unit": "wrong attempt"}, "2 wrong attempts"),
        ({"kind": "count", "value": 1000, "unit": "point"}, "1,000 points"),
        ({"kind": "range", "min": 5, "max": 7, "unit": "business day"}, "5 to 7 business days"),
        ({"kind": "range", "min": 0, "max": 1, "unit": "hour"}, "0 to 1 hour"),
        ({"kind": "phone", "value": "+1 555 010 0199"}, "+1 555 010 0199"),
        ({"kind": "email", "value": "help@bank.example"}, "help@bank.example"),
        ({"kind": "time", "value": "17:00", "zone": "America/New_York"}, "5:00 PM Eastern time"),
        ({"kind": "time", "value": "09:05", "zone": "Europe/London"}, "9:05 AM UK time"),
        ({"kind": "time", "value": "12:00", "zone": "UTC"}, "12:00 PM UTC"),
        ({"kind": "time", "value": "00:30", "zone": "America/Chicago"}, "12:30 AM Central time"),
    ],
)
def test_each_kind_is_rendered_for_people(values: dict[str, Any], text: str) -> None:
    assert FACT.validate_python(values).render() == text


def test_a_money_fact_is_exact_money() -> None:
    assert MoneyFact(kind="money", amount="313.32", currency="USD").money == Money(31332, "USD")


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "text", "value": ""},
        {"kind": "text", "value": "open 24 hours"},
        {"kind": "money", "amount": "7.505", "currency": "USD"},
        {"kind": "money", "amount": "seven", "currency": "USD"},
        {"kind": "money", "amount": 7.5, "currency": "USD"},
        {"kind": "money", "amount": "7.50", "currency": "dollars"},
        {"kind": "percent", "value": "NaN"},
        {"kind": "percent", "value": "a few"},
        {"kind": "percent", "value": 2.5},
        {"kind": "count", "value": 0, "unit": "day"},
        {"kind": "count", "value": "3", "unit": "day"},
        {"kind": "count", "value": True, "unit": "day"},
        {"kind": "count", "value": 3, "unit": ""},
        {"kind": "range", "min": -1, "max": 2, "unit": "day"},
        {"kind": "range", "min": 7, "max": 5, "unit": "day"},
        {"kind": "range", "min": 1, "unit": "day"},
        {"kind": "email", "value": ""},
        {"kind": "time", "value": "25:00", "zone": "UTC"},
        {"kind": "time", "value": "17:00", "zone": "Mars/Olympus"},
        {"kind": "distance", "value": "3"},
        {"value": "3"},
        {"kind": "text", "value": "words", "note": "an unknown field"},
    ],
    ids=str,
)
def test_a_bad_value_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FACT.validate_python(values)


def test_a_fact_does_not_change() -> None:
    fact = FACT.validate_python({"kind": "count", "value": 3, "unit": "day"})
    with pytest.raises(ValidationError, match="frozen"):
        fact.value = 4
