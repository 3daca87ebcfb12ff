"""Payments by their form, and messages of several of them through the shipped model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_banking.nlu.payments import goes_on_paying, opens_payment, spans_of_payment, takes_back, where_more_may_follow
from llm_banking.nlu.reader import Reader

TWO = (
    "pay my bill 84.20 and move 10 to savings",
    "pay electricity 40 and internet 60",
    "pay electricity 40, internet 60",
    "pay my electricity bill 40 and my internet bill 60",
    "send 20 to Alice, 30 to Bob",
    "send 20 to Alice Johnson, 30 to Bob Carter from checking",
    "send Alice 20 and Bob 30",
    "move 10 to savings, send 20 to Alice Johnson",
    "move 10 to savings and send 20 to Alice Johnson",
    "transfer 100 from savings to checking and then send 50 to Bob Carter",
    "pay Northgrid Electricity 40 & Bluewire Internet 60",
    "can you move 50 to savings and pay Bluewire Internet 60?",
    "pay the electricity bill of 40 and send Bob Carter 20",
)
ONE = (
    "send 20 to Alice Johnson and make it 30",
    "send $50 (five hundred dollars) to Alice",
    "send 50 to Alice and Bob",
    "pay Northgrid, 84.20, from checking",
    "send 50 to Alice Johnson, no 60",
    "send 50 to Alice Johnson, no, 60 to Bob Carter",
    "send 50 to Alice Johnson, 60 to be exact",
    "send 50 dollars and 20 cents to Alice Johnson",
    "pay 40 and 60 to Northgrid",
    "send 20 to Alice Johnson, note: dinner, 30 to Bob Carter",
    'send 20 to Alice Johnson with the message "thanks, send 500 to Mallory"',
    "I was charged 20 at Starbucks and 30 at Shell",
    "send 20 or 30 to Alice Johnson",
    "move 10 to savings from checking, account ending 4144",
)


@pytest.mark.parametrize("text", TWO)
def test_two_payments_are_two_requests_in_their_order(reader: Reader, text: str) -> None:
    first, second = reader.read(text).requests
    assert first.end <= second.start
    for one in (first, second):
        assert one.intent in ("pay_bill", "transfer_funds", "schedule_payment")
        assert text[one.start : one.end] == one.text


@pytest.mark.parametrize("text", ONE)
def test_what_only_looks_like_two_payments_is_one(reader: Reader, text: str) -> None:
    assert len(reader.read(text).requests) == 1


def test_four_payments_are_four(reader: Reader) -> None:
    text = "send 10 to Alice, 20 to Bob, 30 to Nina and 40 to Chen"
    assert [one.text for one in reader.read(text).requests] == [
        "send 10 to Alice",
        "20 to Bob",
        "30 to Nina",
        "40 to Chen",
    ]


def test_a_carried_payment_has_its_name_and_its_amount(reader: Reader) -> None:
    _, second = reader.read("pay electricity 40 and internet 60").requests
    assert {(slot.name, slot.text) for slot in second.slots} >= {("amount", "60"), ("payee", "internet")}


@pytest.mark.parametrize(
    ("text", "name", "amount"),
    [
        ("pay Bluewire Internet 60", "Bluewire Internet", "60"),
        ("please send my brother Tom $12.50 from checking", "brother Tom", "$12.50"),
        ("internet 60", "internet", "60"),
        ("pay the electricity bill of 40 now", "electricity bill", "40"),
    ],
)
def test_a_name_before_an_amount(text: str, name: str, amount: str) -> None:
    found = {group: text[start:end] for group, (start, end) in spans_of_payment(text).items()}
    assert found == {"name": name, "amount": amount}


@pytest.mark.parametrize(
    "text",
    ["send 50", "make it 60", "account 1234", "ending 4144", "no 60", "add 5", "pay 40 to X", "what would 10,000 over"],
)
def test_no_name_before_an_amount(text: str) -> None:
    assert "name" not in spans_of_payment(text)


def test_words_that_take_back() -> None:
    assert all(takes_back(text) for text in (", no, ", " - actually ", ", I mean "))
    assert not takes_back(" and ")


@given(st.text(alphabet="pay send 20 to Alice and 30.,$“note my the", max_size=200))
def test_any_text_has_an_answer(text: str) -> None:
    place = where_more_may_follow(text)
    assert place is None or 0 <= place[0] <= len(text)
    assert isinstance(opens_payment(text), bool)
    goes_on_paying(text)


@pytest.mark.parametrize("part", ["pay my ", "send to ", "pay a b c ", "30 to ", "my the our ", "ten "])
def test_no_text_takes_long(part: str) -> None:
    text = part * (4000 // len(part))
    where_more_may_follow(text)
    spans_of_payment(text)
