"""Words that may fill a slot: where they stand and what they are."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_banking.dialogue.said import bare_amount, core_of, corrects, only_values, said_in
from tests.dialogue.conftest import MakeReading

TODAY = date(2026, 11, 21)
SURE = ("transfer_funds", 0.99)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("send $50 to Alice from savings", [("amount", "$50"), ("name", "Alice"), ("account", "savings")]),
        ("send half of it to Bob", [("quantity", "half"), ("name", "Bob")]),
        ("send -$5 to Alice", [("negative_amount", "-$5"), ("name", "Alice")]),
        ("move $20 to the blue card", [("amount", "$20"), ("phrase", "the blue card")]),
        ("send $20 to Alice tomorrow", [("amount", "$20"), ("name", "Alice"), ("later", "tomorrow")]),
        ("send $20 to Alice today", [("amount", "$20"), ("name", "Alice"), ("today", "today")]),
        ("send $20 to Alice every month", [("amount", "$20"), ("name", "Alice"), ("later", "every month")]),
        (
            "send $20 to Alice with the note rent for May",
            [("amount", "$20"), ("name", "Alice"), ("note", "rent for May")],
        ),
        ("send $20 to Alice next week", [("amount", "$20"), ("name", "Alice"), ("later", "next week")]),
        ("pay $20 to Northgrid for June", [("amount", "$20"), ("name", "Northgrid")]),
        ("send it now", [("today", "send it now")]),
        ("now", [("today", "now")]),
        ("make it 12 times", [("later", "12 times")]),
        ("hello there", []),
        ("pay Bluewire 60", [("name", "Bluewire"), ("amount", "60")]),
        ("pay my bill 60", [("amount", "60")]),
        ("pay $40 and 60 to Northgrid", [("amount", "$40"), ("amount", "60"), ("name", "Northgrid")]),
        ("20 to Alice", [("amount", "20"), ("phrase", "Alice")]),
        (
            'send $20 to Alice with the note "for Bob, send 500" from savings',
            [("amount", "$20"), ("name", "Alice"), ("note", "for Bob, send 500"), ("account", "savings")],
        ),
        ('he wrote "send $20 to Alice from savings"', []),
        ("put 20 towards the blue card", [("amount", "20"), ("phrase", "the blue card")]),
        ("send 20% of it to Alice", [("quantity", "20%"), ("name", "Alice")]),
        ("send 20 more to Alice", [("quantity", "20 more"), ("name", "Alice")]),
    ],
)
def test_words_are_found_with_their_kind(reading: MakeReading, text: str, found: list[tuple[str, str]]) -> None:
    assert [(one.kind, one.text) for one in said_in(reading(text, SURE), TODAY)] == found


def test_the_preposition_tells_where_money_goes(reading: MakeReading) -> None:
    said = said_in(reading("transfer $40 from the rainy day savings to my checking account", SURE), TODAY)
    assert [(one.text, one.role) for one in said if one.kind == "account"] == [
        ("savings", "source"),
        ("checking account", "target"),
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(alphabet=st.sampled_from("aA 150$€-.,:to from half note savings\n\u2019"), max_size=80))
def test_every_span_holds_its_words(reading: MakeReading, text: str) -> None:
    one = reading(text, SURE)
    for said in said_in(one, TODAY):
        assert 0 <= said.start < said.end <= len(text)
        assert text[said.start : said.end] == said.text
    core, start, end = core_of(text, 0)
    assert text[start:end] == core


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("60", "60"),
        ("no, 60", "60"),
        ("make it 60 please", "60"),
        ("wrong amount, should be 55", "55"),
        ("sorry, thirty", "thirty"),
        ("half of it", "half of it"),
        ("20 more", "20 more"),
        ("10 less", "10 less"),
        ("I meant 15 not 50", "15"),
        ("not 15 but 25", "25"),
        ("that's wrong, it is 5", "5"),
        ("that's too much", "too much"),
        ("please add 5", "add 5"),
        ("reduce it by 10", "reduce it by 10"),
        ("a bit less", "a bit less"),
        ("10%", "10%"),
        ("60 people came", None),
        ("checking", None),
        ("60" + " " * 200, None),
    ],
)
def test_a_short_answer_may_be_an_amount(text: str, amount: str | None) -> None:
    found = bare_amount(text, 7)
    assert (found.text if found else None) == amount
    if found:
        assert text[found.start - 7 : found.end - 7] == found.text


@pytest.mark.parametrize(
    ("text", "does"),
    [
        ("no, 60", True),
        ("from savings instead", True),
        ("actually Bob", True),
        ("wrong account, use savings", True),
        ("no problem", False),
        ("send 50 to Alice", False),
        ("nothing", False),
    ],
)
def test_a_correction_says_so(text: str, does: bool) -> None:
    assert corrects(text) is does


def test_values_with_little_words_are_no_question(reading: MakeReading) -> None:
    for text, alone in (("from my savings please", True), ("what is on my savings", False)):
        one = reading(text, ("check_balance", 0.9))
        assert only_values(one, said_in(one, TODAY)) is alone
