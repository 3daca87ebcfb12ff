"""Slots: what holds for every text."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llm_banking.kit.money import Money
from llm_banking.nlu import slots as rules
from llm_banking.nlu.slots import MAX_AMOUNT_MINOR, MAX_CHARACTERS, Slot, find_slots, normalise_amount, normalise_date
from llm_banking.nlu.slots.calendar import MAX_YEAR, MIN_YEAR

WORDS_OF_SLOTS = """
send pay to from the my of and a at on in last next past this every each half all $ € £ % - / : . , ( ) 5 50 1,200
1.200 05 2027 4144 17:30 06/03/2027 2027-02-30 st nd th k m p am p.m. cents dollars usd hundred thousand million point
two twenty fifty first fifth monday Friday june May march days weeks month years ago since between until card visa
ending savings checking credit account loan phone water bill rent Alice Bob 's o'clock past quarter noon tomorrow week
+ @ a@b.com www. ² ٣ İ
"""
PIECES = st.lists(st.sampled_from(WORDS_OF_SLOTS.split()), max_size=30)
TEXTS = st.one_of(st.text(max_size=200), PIECES.map(" ".join), PIECES.map("".join))
DAYS = st.dates()


def check(text: str, today: date) -> tuple[Slot, ...]:
    """The slots of a text, after what must hold for any has been seen to hold."""
    slots = find_slots(text, today=today)
    reached = 0
    for slot in slots:
        assert reached <= slot.start < slot.end <= len(text)
        assert slot.text == text[slot.start : slot.end]
        reached = slot.end
        if slot.name == "amount":
            money = Money.parse(slot.value["amount"], slot.value["currency"])
            assert money.as_decimal_string() == slot.value["amount"]
            assert 0 <= money.amount_minor < MAX_AMOUNT_MINOR
        elif slot.name in ("date", "period"):
            days = [slot.value] if slot.name == "date" else [slot.value["from"], slot.value["to"]]
            assert days == sorted(days)
            assert slot.name == "date" or slot.value.keys() == {"from", "to"}
            read = [date.fromisoformat(day) for day in days]
            assert all(MIN_YEAR <= day.year <= MAX_YEAR or day == today for day in read)
    json.dumps([slot.value for slot in slots])
    return slots


@given(TEXTS, DAYS)
@example("9999999999999999999999 dollars", date(2026, 1, 1))
@example("²² 05 pm", date(2026, 1, 1))
@example("in 9999 years", date.max)
@example("last year since January", date.min)
@example("\ud800 $5", date(2026, 1, 1))
def test_spans_are_in_bounds_ordered_and_apart(text: str, today: date) -> None:
    check(text, today)


@given(TEXTS, DAYS)
def test_no_text_makes_a_normaliser_raise(text: str, today: date) -> None:
    assert normalise_amount(text, "EUR") is None or normalise_amount(text, "EUR")
    normalise_date(text, today)
    rules.normalise_period(text, today)
    for one in (
        rules.normalise_account,
        rules.normalise_bill_type,
        rules.normalise_card,
        rules.normalise_count,
        rules.normalise_email,
        rules.normalise_phone,
        rules.normalise_quantity,
        rules.normalise_recurrence,
        rules.normalise_time,
    ):
        one(text)


@given(st.integers(0, MAX_AMOUNT_MINOR - 1), st.sampled_from(["USD", "EUR", "GBP", "JPY"]))
def test_an_amount_reads_back_from_how_it_is_shown(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    wanted = {"amount": money.as_decimal_string(), "currency": currency}
    assert normalise_amount(money.display()) == wanted
    assert normalise_amount(f"{currency} {money.as_decimal_string()}") == wanted
    assert [slot.value for slot in find_slots(f"send {money.display()} now", today=date(2026, 1, 1))] == [wanted]


FORMS = st.sampled_from(["%Y-%m-%d", "%m/%d/%Y", "%B %d, %Y", "%d %b %Y"])


@given(st.dates(date(MIN_YEAR, 1, 1), date(MAX_YEAR, 12, 31)), FORMS)
def test_a_date_reads_back_from_how_it_is_written(day: date, form: str) -> None:
    assert normalise_date(day.strftime(form), date(2026, 11, 21)) == day.isoformat()


WORDS = {0: "zero", 1: "one", 7: "seven", 13: "thirteen", 20: "twenty", 40: "forty", 90: "ninety"}


def spelled(number: int) -> str:
    """A number of one to six digits in words."""
    if number in WORDS:
        return WORDS[number]
    for size, name in ((1000, "thousand"), (100, "hundred"), (10, "")):
        head, rest = divmod(number, size)
        if head:
            first = spelled(head) + f" {name}" if name else WORDS[head * 10]
            return first + (f" {spelled(rest)}" if rest else "")
    raise ValueError(number)


@given(
    st.lists(st.sampled_from([(0, 0), (0, 1), (20, 7), (40, 0), (90, 1), (0, 13), (0, 7)]), min_size=2, max_size=2),
    st.lists(st.sampled_from([0, 1, 7]), min_size=2, max_size=2),
)
def test_a_number_reads_the_same_in_words(pairs: list[tuple[int, int]], hundreds: list[int]) -> None:
    thousands, ones = (100 * hundred + sum(pair) for hundred, pair in zip(hundreds, pairs, strict=True))
    number = 1000 * thousands + ones
    assert normalise_amount(f"{spelled(number)} dollars") == {"amount": f"{number}.00", "currency": "USD"}


@pytest.mark.parametrize(
    "piece",
    ["1", "1,", "1.", "1-", "1/", "1:",
     "a", "a.", "a@", "a-", "@", "(", "'", "a'", "+1 ", "1 ", "$", "$1 ", "two ",
     "hundred ", "and ", "half ", "to A ", "TO A ", "send ", "from the ", "since ", "every ", "last ", "may 1 to ",
     "ending in ", ". ", "1 200 ", "first of ", "a.b@c.", "http://", "www.", "555-", "0", "point ", "A-A-", "x* "],
)  # fmt: skip
def test_a_long_run_of_one_piece_is_read(piece: str) -> None:
    text = (piece * MAX_CHARACTERS)[:MAX_CHARACTERS]
    check(text, date(2026, 11, 21))
    check("send " + text[:-8] + " x!", date(2026, 11, 21))
