"""The figures count right: a reader with a known weakness must show exactly it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from llm_banking.nlu.clauses import asks, candidate_clauses
from llm_banking.nlu.requests import COURTESIES, Request
from llm_banking.nlu.slots import Slot
from llm_banking.nlu.taxonomy import BY_NAME, CONVERSATIONAL, OPERATIONAL_INTENTS, SUPPORT_INTENTS
from llm_banking.proof.requests import (
    NLUPP_FILE,
    evaluate_requests,
    is_short,
    joined_messages,
    nlupp_messages,
    written_messages,
    written_singles,
)

ROWS = [
    ("Where is my card?", "card_arrival"),
    ("I want another pin", "change_pin"),
    ("rate for pounds", "exchange_rate"),
    ("hello", "greeting"),
    ("boil an egg", "out_of_scope"),
]
WRITTEN = [*written_messages(held=False), *written_messages(held=True)]
SINGLES = [*written_singles(held=False), *written_singles(held=True)]


def request(text: str, start: int, end: int, intent: str, slots: Sequence[Slot] = ()) -> Request:
    return Request(text[start:end], start, end, intent, 0.9, True, 0.9, (), (intent,), tuple(slots))


class Oracle:
    """Knows every written message, and the joined ones by the words of their rows; `flaw` spoils what it says."""

    def __init__(self, flaw: str = "") -> None:
        self.flaw = flaw
        self.known = {one.text: one for one in (*WRITTEN, *SINGLES)}

    def __call__(self, text: str) -> tuple[Request, ...]:
        known = self.known.get(text)
        found = (
            known.intents if known else [label for row, label in ROWS if row.casefold().rstrip("?") in text.casefold()]
        )
        if not known:
            found = sorted(
                found,
                key=lambda label: text.casefold().index(next(r for r, x in ROWS if x == label).casefold().rstrip("?")),
            )
        wanted = known.slots if known and known.slots else ({},) * len(found)
        said = [
            request(text, 0, len(text), label, [Slot(name, words, words, 0, 1) for name, words in slots.items()])
            for label, slots in zip(found, wanted, strict=True)
        ]
        if self.flaw == "turns round":
            said.reverse()
        if self.flaw == "sees one":
            said = said[:1]
        if self.flaw == "cuts":
            said *= 2
        if self.flaw == "wrong intent":
            said = [request(text, 0, len(text), "help") for _ in said]
        return tuple(said)


def figures(flaw: str = "") -> dict[str, Any]:
    return evaluate_requests(Oracle(flaw), ROWS, joined=20)


def test_a_perfect_reader_is_perfect_and_the_report_is_json() -> None:
    found = json.loads(json.dumps(figures()))
    for row in found["two_requests"].values():
        assert [row[name]["share"] for name in ("exact_set", "ordered", "count")] == [1, 1, 1]
        assert row.get("words", {"share": 1})["share"] == 1
    assert all(row["share"] == 0 for row in found["single_requests"].values())
    assert found["single_requests"]["held-out rows"]["rows"] == 4, "what is out of scope is no request"


@pytest.mark.parametrize(
    ("flaw", "exact", "ordered", "count", "cut"),
    [
        ("turns round", 1, 0, 1, 0),
        ("sees one", 0, 0, 0, 0),
        ("cuts", 0, 0, 0, 1),
        ("wrong intent", 0, 0, 1, 0),
    ],
)
def test_each_flaw_shows_where_it_belongs(flaw: str, exact: int, ordered: int, count: int, cut: int) -> None:
    found = figures(flaw)
    joined = found["two_requests"]["joined from held-out rows"]
    assert [joined[name]["share"] for name in ("exact_set", "ordered", "count")] == [exact, ordered, count]
    assert found["single_requests"]["written, held half"]["share"] == cut


def test_the_written_halves_are_apart_and_only_the_held_one_counts() -> None:
    found = figures()["two_requests"]
    held = ("written, held half", "joined from held-out rows", "joined from held-out rows of one sentence")
    assert found["all held"]["rows"] == sum(found[name]["rows"] for name in held)
    assert found["all held"]["exact_set"]["low"] < 1, "an interval, not a point"
    assert not {one.text for one in written_messages(held=False)} & {one.text for one in written_messages(held=True)}


def test_the_written_messages_are_what_they_say() -> None:
    assert len(WRITTEN) >= 120
    assert len(SINGLES) >= 80
    texts = [one.text for one in (*WRITTEN, *SINGLES)]
    assert len(set(texts)) == len(texts)
    counted = Counter(intent for one in WRITTEN for intent in one.intents)
    assert set(counted) | COURTESIES >= set(OPERATIONAL_INTENTS)
    assert len(set(counted) & set(SUPPORT_INTENTS)) >= 70
    assert all(intent in BY_NAME for one in (*WRITTEN, *SINGLES) for intent in one.intents)
    for one in WRITTEN:
        assert len(one.intents) == 2
        assert all(words in one.text for slots in one.slots for words in slots.values()), one.text


def test_joined_messages_are_of_two_banking_requests_and_the_same_for_a_seed() -> None:
    found = joined_messages(ROWS, 40, 1)
    assert found == joined_messages(ROWS, 40, 1)
    assert found != joined_messages(ROWS, 40, 2)
    assert all(len(set(one.intents)) == 2 and not set(one.intents) & CONVERSATIONAL for one in found)
    assert all("out_of_scope" not in one.intents for one in found)
    with pytest.raises(ValueError, match="two different"):
        joined_messages(ROWS[:1], 1, 0)


def test_a_short_row_is_one_sentence() -> None:
    assert is_short("Where is my card?")
    assert not is_short("Where is it? I need it")
    assert not is_short("word " * 13)


def test_nlupp_is_read_by_the_labels_that_ship_and_left_out_where_it_is_absent(tmp_path: Path) -> None:
    assert "NLU++ folds 8-9" not in evaluate_requests(Oracle(), ROWS, tmp_path, joined=2)["single_requests"]
    path = tmp_path / NLUPP_FILE
    path.parent.mkdir()
    rows = [
        {"id": "nlupp-b-9-15", "fold": 9, "text": "made up, two"},
        {"id": "nlupp-b-9-16", "fold": 9, "text": "made up, one"},
        {"id": "nlupp-b-0-1", "fold": 0, "text": "not held"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    two, one = nlupp_messages(path)
    assert [message.text for message in two] == ["made up, two"]
    assert [message.text for message in one] == ["made up, one"]
    assert evaluate_requests(Oracle(), ROWS, tmp_path, joined=2)["single_requests"]["NLU++ folds 8-9"]["rows"] == 1


def test_the_single_messages_tempt() -> None:
    tempting = [one for one in SINGLES if len(candidate_clauses(one.text)) > 1]
    assert len(tempting) >= 70
    assert sum(asks(one.text) for one in SINGLES) > 40
