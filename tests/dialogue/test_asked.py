"""Requests that are told by their words: what begins one, and what only speaks of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_banking.dialogue.asked import MAX_CHARS, asks_for_planned, request_of


@pytest.mark.parametrize(
    "text",
    [
        "Which payments are planned?",
        "what standing orders do I have",
        "when is the next payment to Northgrid",
        "show me my scheduled payments",
        "Do I have any upcoming transfers?",
        "what are my standing orders?",
        "are any payments scheduled for next week?",
        "can you list my recurring payments",
        "my standing orders",
    ],
)
def test_a_question_about_what_is_planned(text: str) -> None:
    assert asks_for_planned(text)
    assert request_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "how do I set up a standing order",
        "what is a standing order?",
        "what are standing orders",
        "schedule a payment",
        "cancel my standing order to Alice",
        "why did my scheduled payment fail",
        "can you make recurring payments",
        "send 20 to Alice every Friday",
        "when is my credit card payment due",
        "what scheduled payments can I make",
        "is there a fee for recurring payments?",
    ],
)
def test_what_asks_for_something_else(text: str) -> None:
    assert not asks_for_planned(text)


@pytest.mark.parametrize(
    ("text", "request_name"),
    [
        ("cancel the planned payment to Northgrid", "cancel_schedule"),
        ("please stop my recurring payment of 50", "cancel_schedule"),
        ("cancel the payment to Alice scheduled for Friday", "cancel_schedule"),
        ("can you delete my standing order?", "cancel_schedule"),
        ("set my debit card's daily limit to 300", "card_limits"),
        ("raise the daily limit of my debit card to 1500", "card_limits"),
        ("limit my debit card to 300 a day", "card_limits"),
    ],
)
def test_a_request(text: str, request_name: str) -> None:
    assert request_of(text) == request_name
    assert request_of(text.upper()) == request_name


@pytest.mark.parametrize(
    "text",
    [
        "cancel",
        "cancel the transfer",
        "cancel the payment I made yesterday",
        "how do I cancel a standing order",
        "don't cancel my standing order",
        "I got a mail: cancel my standing order",
        "increase my credit card limit",
        "raise my daily transfer limit on my card",
        "how do I change my card's daily limit",
        "what is my card's daily limit",
    ],
)
def test_what_begins_nothing(text: str) -> None:
    assert request_of(text) is None


@given(st.text(min_size=MAX_CHARS + 1))
def test_what_is_long_is_no_such_request(text: str) -> None:
    assert request_of(f"cancel my standing order {text}") is None
    assert not asks_for_planned(f"which payments are planned {text}")
