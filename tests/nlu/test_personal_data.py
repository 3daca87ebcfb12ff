"""Personal data by rule and head together. Numbers are made up; those with a check digit were computed for them."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_banking.nlu.personal_data import FORMAT_SCORE, find_personal_data, passes_aba, passes_luhn, passes_mod97
from llm_banking.nlu.slots import find_slots
from llm_banking.nlu.spans import Span

TODAY = date(2026, 11, 21)


def found(text: str, *spans: Span) -> list[tuple[str, str]]:
    slots = find_slots(text, today=TODAY)
    return [(one.type, text[one.start : one.end]) for one in find_personal_data(text, spans, slots)]


def span(text: str, part: str, kind: str, score: float = 0.9) -> Span:
    start = text.index(part)
    return Span(start, start + len(part), kind, score)


@pytest.mark.parametrize(
    ("text", "kind", "part"),
    [
        ("my card is 4111 1111 1111 1111 ok", "CARD", "4111 1111 1111 1111"),
        ("card 4111-1111-1111-1111, exp 12/29", "CARD", "4111-1111-1111-1111"),
        ("378282246310005", "CARD", "378282246310005"),
        ("4111111111111111 1226", "CARD", "4111111111111111"),
        ("iban gb82 west 1234 5698 7654 32 please", "IBAN", "gb82 west 1234 5698 7654 32"),
        ("DE89370400440532013000.", "IBAN", "DE89370400440532013000"),
        ("ssn 219-09-9999", "SSN", "219-09-9999"),
        ("it's 219 09 9999", "SSN", "219 09 9999"),
        ("routing number 021000021", "ROUTING_NUMBER", "021000021"),
        ("ABA: 011401533", "ROUTING_NUMBER", "011401533"),
        ("mail me at Ana.Lima@example.org", "EMAIL", "Ana.Lima@example.org"),
        ("call (212) 555-0142", "PHONE", "(212) 555-0142"),
    ],
)
def test_exact_forms_are_found_without_the_head(text: str, kind: str, part: str) -> None:
    assert (kind, part) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",
        "0000 0000 0000 0000",
        "GB83WEST12345698765432",
        "000-12-3456",
        "666-12-3456",
        "912-12-3456",
        "219-00-9999",
        "219-09-0000",
        "routing number 021000022",
        "021000021",
        "send $4,111 to my landlord",
        "order 12345",
    ],
)
def test_near_misses_are_left_alone(text: str) -> None:
    assert [kind for kind, _ in found(text) if kind not in ("PHONE", "DATE")] == []


def test_a_check_digit_comes_before_the_head() -> None:
    text = "account 4111111111111111"
    assert found(text, span(text, "account 4111111111111111", "ACCOUNT", 0.99)) == [("CARD", "4111111111111111")]


def test_the_surer_of_two_head_spans_stays() -> None:
    text = "ana lima here"
    spans = (span(text, "ana lima", "PERSON", 0.6), span(text, "lima", "LOCATION", 0.8))
    assert found(text, *spans) == [("LOCATION", "lima")]


def test_money_and_times_are_no_personal_data() -> None:
    text = "send 20 dollars at 9:30"
    assert found(text, span(text, "20 dollars", "AMOUNT"), span(text, "9:30", "TIME")) == []


def test_a_date_near_a_word_of_birth_is_a_date_of_birth() -> None:
    assert found("i was born on 4/6/1987") == [("DATE_OF_BIRTH", "4/6/1987")]
    assert found("paid on 4/6/1987") == [("DATE", "4/6/1987")]


def test_scores_say_how_sure_it_is() -> None:
    text = "call (212) 555-0142 or 4111111111111111, ana"
    by_type = {
        one.type: one.score
        for one in find_personal_data(text, [span(text, "ana", "PERSON", 0.7)], find_slots(text, today=TODAY))
    }
    assert by_type == {"PHONE": FORMAT_SCORE, "CARD": 1.0, "PERSON": 0.7}


@given(st.integers(min_value=10**11, max_value=10**15 - 1))
def test_exactly_one_check_digit_passes_luhn(number: int) -> None:
    assert sum(passes_luhn(f"{number}{digit}") for digit in range(10)) == 1 or len(set(str(number))) == 1


@given(st.integers(min_value=1_000_000, max_value=12_999_999))
def test_exactly_one_check_digit_makes_a_routing_number(number: int) -> None:
    digits = f"{number:08}"
    assert sum(passes_aba(f"{digits}{digit}") for digit in range(10)) == 1


@given(st.integers(min_value=0, max_value=10**18 - 1))
def test_exactly_one_pair_of_check_digits_makes_an_iban(number: int) -> None:
    rest = f"{number:018}"
    assert sum(passes_mod97(f"DE{check:02}{rest}") for check in range(2, 99)) == 1


@given(st.text(max_size=200))
def test_it_never_raises_and_never_overlaps(text: str) -> None:
    got = find_personal_data(text, (), find_slots(text, today=TODAY))
    assert all(0 <= one.start < one.end <= len(text) for one in got)
    assert all(one.end <= two.start for one, two in pairwise(got))
