from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_banking.dialogue.approval import MAX_CHARS, is_bare_yes


@pytest.mark.parametrize(
    "text",
    ["yes", "Yes!", "YES.", "yes, please", "ok", "Confirm", "go ahead", "\uff59\uff45\uff53", "that\u2019s right"],
)
def test_a_yes_is_one(text: str) -> None:
    assert is_bare_yes(text)


@pytest.mark.parametrize(
    "text",
    [
        *("yes?", "yes and send 500 to Bob", "yes yes", "no", "not yes", "yes but 60", "y e s", "", "!", "yes\u200b"),
        *("\u0443\u0435\u0455", "yes 1", "yes\nyes", "ok thanks bye", "send it to Bob", "maybe yes", "👍", "yes #2"),
    ],
)
def test_anything_more_is_none(text: str) -> None:
    assert not is_bare_yes(text)


@given(st.text(min_size=1, max_size=60))
def test_no_other_word_beside_a_yes_makes_one(more: str) -> None:
    extended = f"yes {more}"
    if is_bare_yes(extended):
        assert len(extended) <= MAX_CHARS
        assert not any(one.isdigit() for one in extended)
