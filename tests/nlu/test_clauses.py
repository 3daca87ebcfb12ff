from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llm_banking.nlu.clauses import (
    MAX_CLAUSES,
    Joint,
    asks,
    candidate_clauses,
    opens_with_a_request,
)


def words(text: str) -> list[str]:
    return [text[one.start : one.end] for one in candidate_clauses(text)]


@pytest.mark.parametrize(
    ("text", "expected", "joint"),
    [
        ("freeze my card and call me", ["freeze my card", "call me"], Joint.AND),
        ("freeze my card & call me", ["freeze my card", "call me"], Joint.AND),
        ("freeze my card, then call me", ["freeze my card", "call me"], Joint.THEN),
        ("freeze my card and then call me", ["freeze my card", "call me"], Joint.THEN),
        ("freeze my card. After that call me!", ["freeze my card.", "call me!"], Joint.THEN),
        ("freeze my card but first call me", ["freeze my card", "call me"], Joint.THEN),
        ("freeze my card plus call me", ["freeze my card", "call me"], Joint.ALSO),
        ("my last bill as well as my next one", ["my last bill", "my next one"], Joint.ALSO),
        ("freeze my card. Also, call me", ["freeze my card.", "call me"], Joint.ALSO),
        ("freeze it. I also want a call", ["freeze it.", "I also want a call"], Joint.ALSO),
        ("freeze my card? Call me", ["freeze my card?", "Call me"], Joint.STOP),
        ("freeze my card; call me", ["freeze my card", "call me"], Joint.STOP),
        ("freeze my card, call me", ["freeze my card", "call me"], Joint.COMMA),
        ("freeze my card show me the bill", ["freeze my card", "show me the bill"], Joint.RUN_ON),
        ("1. freeze my card\n2. call me", ["freeze my card", "call me"], Joint.LIST),
        ("- freeze my card\n- call me", ["freeze my card", "call me"], Joint.LIST),
        ("Before you freeze my card, tell me why", ["freeze my card", "tell me why"], Joint.COMMA),
    ],
)
def test_a_joint_parts_two_clauses(text: str, expected: list[str], joint: Joint) -> None:
    assert words(text) == expected
    assert [one.joint for one in candidate_clauses(text)] == [None, joint]


@pytest.mark.parametrize(
    "text",
    [
        "what is my balance",
        "pay $1,250.50 at 5 p.m. today",
        "transfers between 5 and 10 dollars",
        "on the 1st and the 15th",
        "go ahead and freeze it",
        "I went to Rome, Paris, Oslo",
        "what documents can I use",
        "I want to know how much I owe",
        "can you tell me what is my balance",
        "my debit card also expires soon",
        "Hello! What is my balance? Thanks a lot.",
        "Mr. Miller called me",
        "",
        "   ",
        "?!",
    ],
)
def test_what_is_one_clause_is_left_whole(text: str) -> None:
    assert len(candidate_clauses(text)) == 1


def test_courtesies_belong_to_no_clause() -> None:
    assert words("Hi there! freeze my card and call me, please. Thank you") == ["freeze my card", "call me"]
    assert words("Two things: freeze my card; call me. Thanks") == ["freeze my card", "call me."]


def test_more_places_than_may_be_tried_are_given_up_from_the_weakest() -> None:
    text = "I came home, I sat down, I was tired. Freeze my card. Also call me. Then send me the bill"
    assert words(text)[-2:] == ["call me.", "send me the bill"]
    assert len(words(text)) <= MAX_CLAUSES
    assert len(words("- my card\n- my bill\n- my loan\n- my rent")) == 4
    assert len(words("\n".join(f"- what is number {number}" for number in range(40)))) <= MAX_CLAUSES


@example("@&\U000100fb0")
@given(st.text(alphabet=st.sampled_from("ab i.,;?!\n-1)'&+"), max_size=300) | st.text(max_size=200))
def test_clauses_are_ordered_stretches_of_any_text(text: str) -> None:
    clauses = candidate_clauses(text)
    assert 1 <= len(clauses) <= MAX_CLAUSES
    edges = [edge for one in clauses for edge in (one.start, one.end)]
    assert edges == sorted(edges)
    assert 0 <= edges[0] <= edges[-1] <= len(text)
    if len(clauses) > 1:
        assert all(any(sign.isalnum() for sign in text[one.start : one.end]) for one in clauses)


@pytest.mark.parametrize("part", ["and ", ", ", " ", "please ", "show me ", "1) ", "-  ", "thank you ", "hi,", "? "])
def test_no_text_takes_long(part: str) -> None:
    start = time.process_time()
    candidate_clauses(part * (4000 // len(part)))
    assert time.process_time() - start < 0.5


def test_the_wording_of_a_request_is_told_from_that_of_a_story() -> None:
    assert all(asks(text) for text in ("freeze it", "why?", "I'd like a card", "tell me more", "I need the bill"))
    assert not any(asks(text) for text in ("my card came", "someone took it", "I was charged twice"))
    assert opens_with_a_request("please also freeze it")
    assert not opens_with_a_request("my card, freeze it")
