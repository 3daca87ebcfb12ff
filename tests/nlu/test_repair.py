"""Slips put right: what is, what must be left alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_banking.nlu.normalise import normalise
from llm_banking.nlu.repair import Repairer, one_slip_away

REPAIRER = Repairer()


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("what is my acount balence", "what is my account balance"),
        ("whatismybalance", "what is my balance"),
        ("stop mydebit card", "stop my debit card"),
        ("my p1n is bl0cked", "my pin is blocked"),
        ("pls check ur txn on my cc", "please check your transaction on my credit card"),
        ("Ihave a transfre", "I have a transfer"),
        ("it doesm't work", "it doesn't work"),
        ("my crad, is lsot!", "my card, is lost!"),
        ("MY CRAD IS LOST", "MY card IS LOST"),
    ],
)
def test_slips_are_put_right(typed: str, read: str) -> None:
    assert REPAIRER.repair(typed).text == read


@pytest.mark.parametrize(
    "text",
    [
        "pay Chang 50 on the 3rd at 5pm, 10k in all",
        "write to acount@example.com or www.balence.com/crad",
        "reference GB29NWBK60161331926819 and AB1234",
        "how long do I boil a hare",
        "what's my balance?",
        "",
    ],
)
def test_what_is_no_slip_stays(text: str) -> None:
    assert REPAIRER.repair(text).text == text


def test_the_way_back_goes_through_both_steps() -> None:
    typed = "\uff50\uff41\uff59 my cc b\u0456l now"
    found = normalise(typed).then(REPAIRER.repair)
    at = found.text.index("credit card")
    assert typed[slice(*found.original_span(at, at + len("credit card")))] == "cc"
    assert typed[slice(*found.original_span(0, 3))] == "\uff50\uff41\uff59"


@settings(deadline=None)
@given(st.text(st.sampled_from("abcdet 013$!'.-\n\u20ac"), max_size=60))
def test_any_text_is_read_and_every_span_leads_back(text: str) -> None:
    found = REPAIRER.repair(text)
    assert len(found.offsets) == len(found.ends) == len(found.text)
    assert all(0 <= start < end <= len(text) for start, end in zip(found.offsets, found.ends, strict=True))


@pytest.mark.parametrize("part", ["a!", "a", "zq ", "Zq ", "a'", "1a", "a$b "])
def test_the_longest_message_takes_no_time(part: str) -> None:
    text = part * (3999 // len(part)) + "#"
    start = time.thread_time()
    REPAIRER.repair(text)
    assert time.thread_time() - start < 1.0


@settings(deadline=None)
@given(st.text("abc", min_size=2, max_size=6), st.data())
def test_a_slip_leads_back(word: str, data: st.DataObject) -> None:
    slip = data.draw(st.sampled_from(sorted(one_slip_away(word))))
    assert word not in one_slip_away(word)
    assert word in one_slip_away(slip)
