"""A slot's value comes from the customer's words; whatever else was proposed of them is not looked at."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from llm_banking.dialogue.commands import Said
from llm_banking.dialogue.errors import FlowFaultError
from llm_banking.dialogue.filling import Got, Refused, Which, check_span, value_of
from llm_banking.dialogue.flow_files import SlotSpec
from llm_banking.dialogue.tracker import Choice
from llm_banking.kit.money import Money
from tests.dialogue.test_holdings import HELD, SOURCE, WHERE

TODAY = date(2026, 11, 21)
MONEY = SlotSpec("amount", "money", ("money",))
NOTE = SlotSpec("note", "text", ("text",))
DAY = SlotSpec("day", "date", ("date",))


def value(kind: Any, text: str, spec: SlotSpec, **more: Any) -> Any:
    offered = more.pop("offered", ())
    return value_of(Said(kind, text, 0, len(text), **more), spec, HELD, offered, TODAY)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("fifty", "50.00"), ("$20", "20.00"), ("1.5k", "1500.00"), ("0.01", "0.01"), ("1,000", "1000.00")],
)
def test_an_amount_is_read_from_its_words(text: str, amount: str) -> None:
    found = value("amount", text, MONEY)
    assert isinstance(found, Got)
    assert found.choice.as_money() == Money.parse(amount, "USD")


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [
        ("amount", "€50", "which is USD"),
        ("amount", "$0", "more than nothing"),
        ("negative_amount", "-5", "more than nothing"),
        ("quantity", "half", "as a number"),
        ("later", "tomorrow", "now only"),
    ],
)
def test_what_cannot_be_paid_is_refused_with_the_reason(kind: str, text: str, reason: str) -> None:
    found = value(kind, text, MONEY)
    assert isinstance(found, Refused)
    assert reason in found.reason


def test_a_name_decides_only_whole() -> None:
    assert isinstance(value("name", "Alice Johnson", WHERE), Got)
    assert isinstance(value("name", "Alice", WHERE), Which)
    assert "not among your payees" in value("name", "Mallory", WHERE).reason
    assert "no account" in value("account", "the blue card", SOURCE).reason


def test_days_and_notes_are_read_too() -> None:
    assert value("name", "2026-12-01", DAY).choice.value == "2026-12-01"
    assert value("note", "  for   May ", NOTE).choice.value == "for May"
    assert isinstance(value("name", "some day", DAY), Refused)


def test_a_choice_is_one_of_those_that_were_offered() -> None:
    offered = (Choice.of_money(Money(5000, "USD")), Choice.of_money(Money(50000, "USD")))
    assert value("option", "the second", MONEY, offered=offered, option=1).choice == offered[1]
    for option in (2, -1):
        with pytest.raises(FlowFaultError):
            value("option", "the second", MONEY, offered=offered, option=option)
    with pytest.raises(FlowFaultError):
        value("option", "the second", MONEY, option=0)


@pytest.mark.parametrize(
    ("kind", "text", "spec"), [("name", "Alice", MONEY), ("amount", "Bob", MONEY), ("amount", "5", WHERE)]
)
def test_words_of_the_wrong_kind_stop_the_flow(kind: str, text: str, spec: SlotSpec) -> None:
    with pytest.raises(FlowFaultError):
        value(kind, text, spec)


@pytest.mark.parametrize(
    ("start", "end", "text"), [(5, 7, "51"), (0, 2, "50"), (-2, 2, "50"), (5, 99, "50"), (7, 5, "")]
)
def test_words_of_another_text_stop_the_flow(start: int, end: int, text: str) -> None:
    with pytest.raises(FlowFaultError):
        check_span("send 50 to Alice", Said("amount", text, start, end))
    check_span("send 50 to Alice", Said("amount", "50", 5, 7))
