"""How long a loan shall run is read by rule, whole or not at all; and a fault in it is seen by a conversation."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_banking.dialogue.commands import Said
from llm_banking.dialogue.errors import FlowFaultError
from llm_banking.dialogue.filling import Got, Refused, value_of
from llm_banking.dialogue.flow_files import SlotSpec
from llm_banking.dialogue.holdings import Holdings
from llm_banking.dialogue.loan_terms import months_choice, months_of, terms_in

SPEC = SlotSpec("months", "months", ("months",))
TODAY = date(2026, 11, 22)


def read(text: str) -> list[int | None]:
    return [months_of(text[first:last]) for first, last in terms_in(text)]


@pytest.mark.parametrize(
    ("text", "months"),
    [
        ("24 months", [24]),
        ("a loan over 2 years", [24]),
        ("over three years", [36]),
        ("a 3-year loan", [36]),
        ("a 48-month loan", [48]),
        ("twenty-four months", [24]),
        ("a year and a half", [18]),
        ("for a year", [12]),
        ("over a year and a half", [18]),
        ("two and a half years", [30]),
        ("2 years and a half", [30]),
        ("1.5 years", [18]),
        ("2 years and 6 months", [30]),
        ("2 years 6 months", [30]),
        ("half a year", [6]),
        ("change it from 24 to 36 months", [36]),
        ("24 months, or better 36 months", [24, 36]),
        ("24 or 36 months", [None]),
        ("2 to 3 years", [None]),
        ("24-36 months", [None]),
        ("1.3 years", [None]),
        ("1.5 months", [None]),
        ("what would 10,000 over 24 months cost a month?", [24]),
        ("4000 a month, 40000 a year", []),
        ("I have been a customer for 3 years", []),
        ("I have worked there for 2 years, and want 5000 over 12 months", [12]),
        ("it is 2 years ago and I am 30 years old", []),
        ("-5 months", []),
        ("10,000 months", []),
        ("$24 months", []),
        ("borrow 5000", []),
    ],
)
def test_a_length_of_time_is_read_whole_or_not_at_all(text: str, months: list[int | None]) -> None:
    assert read(text) == months


@given(st.integers(min_value=1, max_value=999_999))
def test_months_and_years_come_back_as_they_were_said(count: int) -> None:
    assert months_of(str(count)) == months_of(f"{count} months") == count
    assert months_of(f"over {count} years") == 12 * count


@given(st.text(alphabet=st.sampled_from("0123456789.- aorfhlndyeasmtoviw,$"), max_size=80))
def test_whatever_is_written_a_place_stands_in_the_text_and_months_are_a_number(text: str) -> None:
    for first, last in terms_in(text):
        assert 0 <= first < last <= len(text)
        assert (months_of(text[first:last]) or 0) >= 0


def test_a_slot_takes_one_length_of_time_and_nothing_else() -> None:
    def value(kind: str, text: str) -> object:
        return value_of(Said(kind, text, 0, len(text)), SPEC, Holdings(), (), TODAY)  # type: ignore[arg-type]  # by hand

    assert value("term", "2 years") == Got(months_choice(24))
    assert isinstance(value("term", "2 or 3 years"), Refused)
    with pytest.raises(FlowFaultError):
        value("amount", "24")
