"""Slots by rule and head merged. The head's spans are written by hand. Today is Saturday 21 November 2026."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import Any

import pytest

from llm_banking.nlu.slots import find_slots
from llm_banking.nlu.span_slots import merge_slots, name_value
from llm_banking.nlu.spans import Span

TODAY = date(2026, 11, 21)


def merged(text: str, *marks: tuple[str, str], score: float = 0.9) -> list[tuple[str, Any, str]]:
    spans = [Span(text.index(part), text.index(part) + len(part), kind, score) for part, kind in marks]
    slots = merge_slots(text, find_slots(text, today=TODAY), spans, today=TODAY)
    assert all(text[slot.start : slot.end] == slot.text for slot in slots)
    assert all(one.end <= two.start for one, two in pairwise(slots))
    return [(slot.name, slot.value, slot.text) for slot in slots]


def test_the_head_adds_a_name_in_lower_case() -> None:
    assert merged("send $20 to ana lima", ("ana lima", "PERSON")) == [
        ("amount", {"amount": "20.00", "currency": "USD"}, "$20"),
        ("payee", "ana lima", "ana lima"),
    ]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("pay ana", "payee"),
        ("send it to ana", "payee"),
        ("to ana", "payee"),
        ("transfer 20 dollars into the savings account of ana", "payee"),
        ("my name is ana", "person"),
        ("i am waiting for money from ana", "person"),
        ("did the transfer from ana come", "person"),
        ("is ana still there", "person"),
    ],
)
def test_a_person_is_a_payee_where_money_goes_to_them(text: str, name: str) -> None:
    assert (name, "ana", "ana") in merged(text, ("ana", "PERSON"))


def test_a_possessive_and_a_title_are_not_part_of_the_slot() -> None:
    assert ("payee", "Ana", "Ana") in merged("send it to Ana's account", ("Ana's", "PERSON"))
    assert ("payee", "Ana", "Ana") in merged("send $5 to Mr. Ana", ("Mr. Ana", "PERSON"))
    assert name_value("Dr  Ana   Lima's") == "Ana Lima"
    assert name_value("drake") == "drake"


def test_rules_win_for_money_and_dates() -> None:
    text = "pay $20 on friday"
    assert merged(text, ("20", "AMOUNT"), ("on friday", "DATE")) == merged(text)


def test_a_relation_read_by_rule_stays() -> None:
    text = "pay my landlord 20 dollars"
    assert merged(text, ("landlord", "PERSON")) == merged(text)
    assert ("payee", "my landlord", "my landlord") in merged(text)


def test_the_head_corrects_the_length_of_a_name() -> None:
    assert ("payee", "Ana de Lima", "Ana de Lima") in merged("pay Ana de Lima $5", ("Ana de Lima", "PERSON"))


def test_a_merchant_that_is_paid_is_the_payee() -> None:
    assert ("payee", "Acme", "Acme") in merged("pay Acme $20", ("Acme", "ORGANIZATION"))
    assert ("merchant", "acme", "acme") in merged("how much did i spend at acme", ("acme", "ORGANIZATION"))


def test_a_sure_name_takes_the_place_of_what_a_rule_read_inside_it() -> None:
    text = "how much did i spend at monthly pets"
    mark = ("monthly pets", "ORGANIZATION")
    assert merged(text, mark) == [("merchant", "monthly pets", "monthly pets")]
    assert merged(text, mark, score=0.4) == merged(text) == [("recurrence", {"every": "month"}, "monthly")]


def test_an_address_takes_in_the_numbers_of_it() -> None:
    text = "i moved to 12 May  Street"
    assert merged(text, ("12 May  Street", "ADDRESS")) == [("address", "12 May Street", "12 May  Street")]


def test_a_span_of_the_head_without_a_value_is_no_slot() -> None:
    assert merged("it was lately", ("lately", "PERIOD")) == []
    assert merged("that thing", ("thing", "AMOUNT")) == []
    assert merged("number 12", ("12", "ACCOUNT")) == []


def test_numbers_of_accounts_keep_the_last_four() -> None:
    text = "move it from 55512345 to 55567890"
    assert merged(text, ("55512345", "ACCOUNT"), ("55567890", "ACCOUNT")) == [
        ("account", {"kind": None, "last4": "2345", "role": "source"}, "55512345"),
        ("account", {"kind": None, "last4": "7890", "role": "target"}, "55567890"),
    ]
    assert merged("it is 4456 7788", ("4456 7788", "CARD")) == [("card", {"kind": None, "last4": "7788"}, "4456 7788")]


def test_social_security_numbers_and_places_are_no_slots() -> None:
    assert merged("ssn 4452", ("4452", "SSN")) == []
    assert merged("i am in oslo", ("oslo", "LOCATION")) == []
