from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_banking.knowledge.service import Knowledge, KnowledgeInvalidError, load_knowledge
from llm_banking.nlu.taxonomy import BY_NAME

INTENTS = frozenset({"fees", "limits"})
FACTS: dict[str, dict[str, Any]] = {
    "wire_fee": {"kind": "money", "amount": "20.00", "currency": "USD"},
    "wire_time": {"kind": "range", "min": 1, "max": 3, "unit": "business day"},
}


def entry(intent: str, **changes: Any) -> dict[str, Any]:
    made = {
        "intent": intent,
        "title": "A title of this",
        "ask": "What about this?",
        "text": "A wire costs {wire_fee} and takes {wire_time}; {wire_fee} is all you pay.",
        "next_steps": ["limits"],
    }
    return {**made, **changes}


Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a small knowledge folder, sound unless told otherwise."""

    def _write(entries: list[dict[str, Any]] | None = None, facts: dict[str, Any] | None = None) -> Path:
        (tmp_path / "entries").mkdir()
        (tmp_path / "facts.yml").write_text(yaml.safe_dump({"facts": FACTS if facts is None else facts}), "utf-8")
        rows = [entry("fees"), entry("limits")] if entries is None else entries
        for number, row in enumerate(rows):
            (tmp_path / "entries" / f"{number}.yml").write_text(yaml.safe_dump({"entries": [row]}), "utf-8")
        return tmp_path

    return _write


def test_a_sound_folder_is_rendered_from_its_facts(write: Write) -> None:
    found = load_knowledge(INTENTS, write())
    assert len(found) == 2
    assert found.entry("fees").text == "A wire costs $20.00 and takes 1 to 3 business days; $20.00 is all you pay."
    assert found.entry("fees").facts == ("wire_fee", "wire_time")
    assert found.entry("fees").next_steps == ("limits",)
    assert {one.intent for one in found} == INTENTS


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([entry("fees", next_steps=["fees"])], "no entry for limits"),
        ([entry("fees"), entry("limits"), entry("fees")], "'fees' has two entries"),
        ([entry("fees"), entry("limits"), entry("weather")], "'weather' names unknown intents: weather"),
        ([entry("fees", next_steps=["limits", "loans"]), entry("limits")], "'fees' names unknown intents: loans"),
        ([entry("fees", text="It takes {wire_tim} and no longer."), entry("limits")], "unknown facts: wire_tim"),
        ([entry("fees", text="It takes {wire_time.max} and no longer."), entry("limits")], "unknown facts"),
        ([entry("fees", text="It takes 3 business days to arrive."), entry("limits")], "'fees' states '3' itself"),
        ([entry("fees", text="It takes {wire_time}, 24/7 and always."), entry("limits")], "states '2' itself"),
        ([entry("fees", text="It takes ٣ business days to arrive."), entry("limits")], "states '٣' itself"),
        ([entry("fees", text="It takes Three business days to arrive."), entry("limits")], "states 'Three' itself"),
        ([entry("fees", text="It takes half a business day to arrive."), entry("limits")], "states 'half' itself"),
        ([entry("fees", text="It takes fifteen business days to arrive."), entry("limits")], "states 'fifteen' itself"),
        ([entry("fees", title="Wires in 3 days"), entry("limits")], "states '3' itself"),
        ([entry("fees", ask="Why does a wire cost 20 dollars?"), entry("limits")], "states '2' itself"),
        ([entry("fees", text="An open brace { is a slip of the pen."), entry("limits")], "'fees'"),
        ([entry("fees", text="A placeholder without a name is {} here."), entry("limits")], "'fees'"),
        ([entry("fees", note="mine"), entry("limits")], "note.*Extra inputs"),
        ([entry("fees", next_steps=[]), entry("limits")], "next_steps"),
        ([entry("fees", next_steps=["fees"] * 4), entry("limits")], "next_steps"),
        ([entry("fees", text="Too short."), entry("limits")], "text"),
        ([entry("fees", title=5), entry("limits")], "title"),
    ],
    ids=lambda one: one if isinstance(one, str) else "entries",
)
def test_a_faulty_entry_is_refused_by_name(write: Write, entries: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(KnowledgeInvalidError, match=message):
        load_knowledge(INTENTS, write(entries))


@pytest.mark.parametrize(
    "fact",
    [
        {"kind": "money", "amount": "20.005", "currency": "USD"},
        {"kind": "money", "amount": "20.00", "currency": "Dollar"},
        {"kind": "percent", "value": "a lot"},
        {"kind": "count", "value": "3", "unit": "day"},
        {"kind": "range", "min": 3, "max": 1, "unit": "business day"},
        {"kind": "text", "value": "open 24 hours"},
    ],
    ids=str,
)
def test_a_faulty_fact_is_refused_by_name(write: Write, fact: dict[str, Any]) -> None:
    with pytest.raises(KnowledgeInvalidError, match="wire_fee"):
        load_knowledge(INTENTS, write(facts={**FACTS, "wire_fee": fact}))


def test_a_fact_that_is_not_there_is_refused(write: Write) -> None:
    with pytest.raises(KnowledgeInvalidError, match="unknown facts: wire_fee"):
        load_knowledge(INTENTS, write(facts={"wire_time": FACTS["wire_time"]}))


def test_the_shipped_knowledge_answers_every_intent(knowledge: Knowledge) -> None:
    assert {one.intent for one in knowledge} == set(BY_NAME)
    assert len(knowledge) == len(BY_NAME)


def test_no_placeholder_is_left_in_any_shipped_text(knowledge: Knowledge) -> None:
    assert [one.intent for one in knowledge if "{" in one.text or "}" in one.text] == []


def test_every_figure_in_a_shipped_text_comes_from_a_fact_of_the_entry(knowledge: Knowledge) -> None:
    for one in knowledge:
        rest = one.text
        for rendered in sorted((knowledge.facts[name].render() for name in one.facts), key=len, reverse=True):
            rest = rest.replace(rendered, "")
        assert not re.search(r"\d", rest), one.intent


def test_every_shipped_fact_is_used(knowledge: Knowledge) -> None:
    used = {name for one in knowledge for name in one.facts}
    assert set(knowledge.facts) == used


def test_shipped_next_steps_lead_elsewhere_and_name_each_step_once(knowledge: Knowledge) -> None:
    for one in knowledge:
        assert one.intent not in one.next_steps, one.intent
        assert len(set(one.next_steps)) == len(one.next_steps), one.intent


def test_no_two_shipped_entries_share_a_title_or_an_ask(knowledge: Knowledge) -> None:
    """A title is an option of a clarifying question and an ask is sent as a message: each must mean one thing."""
    for texts in ([one.title for one in knowledge], [one.ask for one in knowledge]):
        assert len({text.casefold() for text in texts}) == len(texts)
