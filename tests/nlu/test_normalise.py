"""Normal form of a message: what changes, what must not, and the way back to what was typed."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llm_banking.nlu.normalise import normalise

ODD = st.text(
    st.sampled_from(
        "aabeoo019 .!?\n\t'`-$\u20ac\u00a3"
        "\u0430\u0435\u043e\u0441\u0440\u0439\u03bf\u03bd\u03c2\u03c3\u200b\u200d\u00ad"
        "\ufeff\u0301\u0336\ufe0f\u20e3\uff21\uff55\uff15\uff04\u00bd\u00b2\u2460\u2122\u2019\u201c\u2014\u2026\ufb01"
        "\U0001f600\U0001f3fd\U0001f1ec\U0001d55c\U0001f172\u1d04\u0643\u0645\u200c\u0915\u094d\u3042\u30ab\uff9e\uac00"
        "\u1100\u1161\u3164\ud800\x00\x7f\u2028\u00a0\u3000"
    ),
    max_size=40,
)
TEXTS = st.one_of(st.text(max_size=80), ODD)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("sooooo pleeease help!!!!", "so please help!"),
        ("goooood, freeeee", "good, free"),
        ("\uff37\uff48\uff41\uff54 \uff49\uff53 \uff04\uff15\uff10", "What is $50"),
        ("ca\u200brd\u00ad lo\u2060st", "card lost"),
        ("lost\U0001f62dcard \U0001f937\u200d\u2640\ufe0f now", "lost card now"),
        ("my b\u0430l\u0430n\u0441e", "my balance"),
        ("\u0441\u043e\u0440\u0443 of a b\u03b9ll", "copy of a bill"),
        ("\u03b1 \u03f2ard", "a card"),
        ("5\ufe0f\u20e3 dollars", "5 dollars"),
        ("p\u0336i\u0336n\u0336", "pin"),
        ("cafe\u0301", "caf\u00e9"),
        ("\U0001d555\U0001d55c \U0001f172\U0001f170 \u1d04\u1d00\u0280\u1d05", "dk CA card"),
        ("\u201cwhat\u2019s\u201d \u2013 don`t\u2026", "\"what's\" - don't..."),
        ("  one \t two\r\n\n three ", "one two\nthree"),
    ],
)
def test_ornament_goes(typed: str, read: str) -> None:
    assert normalise(typed).text == read


@pytest.mark.parametrize(
    "text",
    [
        "send 2\u00bd of \u20ac5\u00b2 or \u00a31,000,000.55",
        "\u043c\u043e\u0439 account \u043f\u0438\u043d",
        "pay \u041c\u0430\u0440\u0430\u0442",
        "\u0643\u0645 \u0631\u0635\u064a\u062f\u064a\u061f",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u03c4\u03b9 \u03b5\u03af\u03bd\u03b1\u03b9",
        "card XXXX1234, ref 0000111, www.example.com",
        "write to aaab@example.com about Zo\u00eb",
        "\U0001f44d",
        "",
    ],
)
def test_what_means_something_stays(text: str) -> None:
    assert normalise(text).text == text


@settings(deadline=None)
@given(TEXTS)
@example("e\u200b\u0301")
@example("a\U0001f600a\U0001f600a a")
def test_idempotent_total_and_never_blank(text: str) -> None:
    once = normalise(text)
    assert normalise(once.text).text == once.text
    assert bool(once.text) == bool(text)


@settings(deadline=None)
@given(TEXTS, st.data())
def test_every_span_leads_back_in_order(text: str, data: st.DataObject) -> None:
    found = normalise(text)
    assert len(found.offsets) == len(found.ends) == len(found.text)
    assert list(found.offsets) == sorted(found.offsets)
    assert list(found.ends) == sorted(found.ends)
    assert all(0 <= start < end <= len(text) for start, end in zip(found.offsets, found.ends, strict=True))
    start = data.draw(st.integers(0, len(found.text)))
    end = data.draw(st.integers(start, len(found.text)))
    first, last = found.original_span(start, end)
    assert 0 <= first <= last <= len(text)
    assert (first < last) == (start < end)


@settings(deadline=None)
@given(TEXTS, st.data())
def test_a_stretch_of_the_original_holds_what_stands_wholly_for_it(text: str, data: st.DataObject) -> None:
    found = normalise(text)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    first, last = found.span_of(start, end)
    inside = [at for at in range(len(found.text)) if start <= found.offsets[at] and found.ends[at] <= end]
    assert list(range(first, last)) == inside


def test_a_span_names_what_was_typed() -> None:
    typed = "\U0001f64f sen\u200bd \uff04\uff15\uff10 to Z\u043e\u0435, sooo"
    found = normalise(typed)
    assert found.text == "send $50 to Zoe, so"

    def original(part: str) -> str:
        at = found.text.index(part)
        return typed[slice(*found.original_span(at, at + len(part)))]

    assert original("send") == "sen\u200bd"
    assert original("$50") == "\uff04\uff15\uff10"
    assert original("Zoe") == "Z\u043e\u0435"
    assert typed[slice(*found.original_span(len(found.text) - 1, len(found.text)))] == "ooo"
    with pytest.raises(ValueError, match="no span"):
        found.original_span(0, len(found.text) + 1)


@settings(deadline=None)
@given(st.from_regex(r"[A-Za-z0-9 .,?!$'-]{1,80}", fullmatch=True))
def test_digits_and_signs_of_money_are_never_changed(text: str) -> None:
    kept = "".join(one for one in text if one.isdigit() or one == "$")
    assert "".join(one for one in normalise(text).text if one.isdigit() or one == "$") == kept


@pytest.mark.parametrize(
    "one", ["a", " ", "!", "\u0430", "\U0001f600", "\u0301", "\u200b", "a\u0301", "aaab ", "@", "'"]
)
def test_the_longest_message_takes_no_time(one: str) -> None:
    text = (one * 4000)[:4000]
    start = time.thread_time()
    normalise(text)
    assert time.thread_time() - start < 1.0
