"""What the shipped model must understand, whatever it was trained on."""

from __future__ import annotations

import hashlib
import os
from importlib import resources
from pathlib import Path

import pytest

from llm_banking.knowledge.service import Knowledge
from llm_banking.nlu.artifact import MAX_MODEL_BYTES, MODEL_FILE
from llm_banking.nlu.evaluation import evaluate_rows, load_rows
from llm_banking.nlu.reader import Reader


def test_every_button_means_what_it_says(reader: Reader, knowledge: Knowledge) -> None:
    """A suggested next step is sent as a message: it must be read, surely enough to be answered, as its intent."""
    astray = []
    for entry in knowledge:
        reading = reader.read(entry.ask)
        sure = reading.in_scope and reading.confidence >= reader.artifact.answer_confidence
        if reading.intent != entry.intent or not sure:
            astray.append((entry.ask, entry.intent, reading.intent, round(reading.confidence, 3)))
    assert astray == []


@pytest.mark.parametrize(
    "text", ["how long should i boil an egg", "what's the weather", "tell me a joke about cats", "asdf qwer zxcv"]
)
def test_what_is_not_ours_is_not_in_scope(reader: Reader, text: str) -> None:
    assert not reader.read(text).in_scope


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("WHAT IS MY BALANCE", "check_balance"),
        ("transfer $50 to Alice from savings", "transfer_funds"),
        ("i want to speak to a human being now", "speak_to_agent"),
        ("someone stole my card!!!", "lost_or_stolen_card"),
        ("how do i set up direct deposit", "set_up_direct_deposit"),
        ("I want to dispute a charge of 40 dollars", "dispute_transaction"),
        ("can you unfreeze my card", "unfreeze_card"),
        ("thank you so much", "thanks"),
    ],
)
def test_plain_requests_are_read_surely(reader: Reader, text: str, intent: str) -> None:
    reading = reader.read(text)
    assert reading.intent == intent
    assert reading.confidence >= reader.artifact.answer_confidence


def test_the_model_stays_small(reader: Reader) -> None:
    assert (reader.artifact.folder / MODEL_FILE).stat().st_size <= MAX_MODEL_BYTES


@pytest.mark.parametrize("name", ["operational_examples.yml", "support_examples.yml"])
def test_the_manifest_names_the_examples_that_ship(reader: Reader, name: str) -> None:
    examples = resources.files("llm_banking.training") / "data" / name
    digest = hashlib.sha256(examples.read_bytes()).hexdigest()
    assert reader.artifact.manifest["data_sha256"][name] == digest


@pytest.mark.slow
@pytest.mark.data
def test_the_official_test_scores_are_those_of_the_manifest(reader: Reader) -> None:
    texts, labels = load_rows(Path(os.environ["LLM_BANKING_DATA_DIR"]) / "banking77/test.csv")
    log = reader.artifact.manifest["banking77_test"]
    for name, restrict in (("restricted_to_77", True), ("all_labels", False)):
        figures = evaluate_rows(reader, texts, labels, restrict_to_support=restrict)
        assert figures["accuracy"] == pytest.approx(log[name]["accuracy"], abs=0.003)
        assert figures["ece"] <= 0.03
    assert log["restricted_to_77"]["accuracy"] >= 0.938
