from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llm_banking.nlu.artifact import EMBEDDING_SIZE
from llm_banking.nlu.clauses import candidate_clauses
from llm_banking.nlu.reader import ALTERNATIVES, Reader, TextInvalidError, check_text
from llm_banking.nlu.requests import stretches_of
from llm_banking.nlu.taxonomy import BY_NAME, LABELS

TEXTS = [
    "What is my account balance?",
    "my card hasn't come yet, it's been two weeks!!",
    "Überweisung nach 日本 👍",
    "x",
    "please " * 60 + "freeze my account",
    "what's the weather in Lisbon tomorrow",
]


def test_a_balance_question_is_a_balance_question(reader: Reader) -> None:
    found = reader.read("What is my account balance?")
    assert found.intent == "check_balance"
    assert found.in_scope


def test_many_read_exactly_as_one_by_one(reader: Reader) -> None:
    one_by_one = [reader.read(text) for text in TEXTS]
    together = reader.read_many(TEXTS)
    assert together == one_by_one
    for left, right in zip(together, one_by_one, strict=True):
        assert np.array_equal(left.embedding, right.embedding)


def test_many_keep_their_order_and_report_each(reader: Reader) -> None:
    texts = [f"question number {number}" for number in range(40)]
    steps: list[int] = []
    assert [one.text for one in reader.read_many(texts, steps.append)] == texts
    assert steps == [1] * 40
    assert reader.read_many([]) == []


@pytest.mark.parametrize("text", TEXTS)
def test_the_embedding_has_unit_length(reader: Reader, text: str) -> None:
    embedding = reader.read(text).embedding
    assert embedding.shape == (EMBEDDING_SIZE,) == (384,)
    assert float(np.linalg.norm(embedding)) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("text", TEXTS)
def test_confidences_are_probabilities_sorted_and_of_known_intents(reader: Reader, text: str) -> None:
    found = reader.read(text)
    confidences = [one.confidence for one in found.alternatives]
    assert len(confidences) == ALTERNATIVES
    assert all(0 <= one <= 1 for one in (*confidences, found.in_scope_score))
    assert confidences == sorted(confidences, reverse=True)
    assert sum(confidences) <= 1 + 1e-9
    assert {one.intent for one in found.alternatives} <= set(BY_NAME)
    assert (found.intent, found.confidence) == (found.alternatives[0].intent, confidences[0])
    assert found.in_scope is (found.in_scope_score >= reader.artifact.calibration.in_scope_minimum)


@pytest.mark.parametrize("text", TEXTS)
def test_confidence_is_what_the_calibration_makes_of_the_outputs(reader: Reader, text: str) -> None:
    found = reader.read(text)
    logits, embeddings = reader.outputs([text])
    calibration = reader.artifact.calibration
    chances = calibration.probabilities(logits)[0]
    nearest = reader.artifact.neighbours.nearest(embeddings)
    assert found.in_scope_score == pytest.approx(calibration.in_scope_score(logits, nearest)[0])
    assert found.confidence == pytest.approx(chances.max())
    assert found.intent == LABELS[int(chances.argmax())]
    assert found.options == tuple(LABELS[at] for at in calibration.prediction_set(chances))


def test_the_json_has_the_documented_shape(reader: Reader) -> None:
    document = json.loads(json.dumps(reader.read("What is my account balance?").as_dict()))
    assert set(document) == {
        "text",
        "intent",
        "confidence",
        "in_scope",
        "in_scope_score",
        "alternatives",
        "options",
        "slots",
        "pii",
        "requests",
        "model_version",
    }
    assert document["text"] == "What is my account balance?"
    assert document["model_version"] == reader.artifact.version
    assert isinstance(document["in_scope"], bool)
    assert (document["slots"], document["pii"]) == ([], [])
    assert len(document["alternatives"]) == ALTERNATIVES
    assert all(set(one) == {"intent", "confidence"} for one in document["alternatives"])
    assert [one["text"] for one in document["requests"]] == [document["text"]]
    assert document["options"][0] == document["intent"]
    assert document["alternatives"][0] == {"intent": document["intent"], "confidence": document["confidence"]}


def test_a_stretch_is_read_in_the_run_of_the_whole(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    compute = mock.Mock(side_effect=reader._compute)
    monkeypatch.setattr(reader, "_compute", compute)
    text = "\u200bPLEASE pay my elektricity bill and tell me the balance of my savings account"
    message = reader.examine(text)
    spans = stretches_of(candidate_clauses(text))
    assert len(spans) == 3
    parts = [message.part(*span) for span in spans]
    assert compute.call_count == 1
    assert [part.text for part in parts] == [text[start:end] for start, end in spans]
    by_length = sorted(parts, key=lambda part: len(part.text))
    assert {part.intent for part in by_length[:2]} == {"pay_bill", "check_balance"}


def test_a_stretch_is_the_same_pieces_however_the_characters_were_typed(reader: Reader) -> None:
    typed = "\u200b" * 9 + "PAY my \uff45lektricity bill\u200b\u200b and tell\u200b me \u00a0 the balance of my savings"
    plain = "pay my electricity bill and tell me the balance of my savings"
    found, wanted = reader.examine(typed), reader.examine(plain)
    pairs = list(zip(stretches_of(found.clauses), stretches_of(wanted.clauses), strict=True))
    assert len(pairs) == 3
    for there, here in pairs:
        assert found.part(*there).embedding.tobytes() == wanted.part(*here).embedding.tobytes()


def test_a_stretch_of_a_text_too_long_for_one_run_is_read_alone(reader: Reader) -> None:
    text = "please " * 140 + "pay the electricity bill and tell me my balance"
    spans = stretches_of(candidate_clauses(text))
    assert spans
    last = max(spans, key=lambda span: span[0])
    part = reader.examine(text).part(*last)
    assert part.intent == reader.read(text[slice(*last)]).intent == "check_balance"


INVALID = [
    "",
    " \t\r\n",
    "\u200b",
    "\u200b\u200d\ufeff",
    "\x00\x1f",
    "\u00a0\u2003",
    "\u00ad",
    "\ud800",
    "hello \udfff",
]


@pytest.mark.parametrize("text", INVALID, ids=ascii)
def test_text_without_a_visible_character_or_not_unicode_is_refused(reader: Reader, text: str) -> None:
    with pytest.raises(TextInvalidError):
        reader.read(text)
    with pytest.raises(TextInvalidError, match=r"^Text 2: "):
        reader.read_many(["fine", text])


@pytest.mark.parametrize("text", ["?", "7", "é", "👍", "\u200bok", "日"])
def test_one_visible_character_is_enough(text: str) -> None:
    check_text(text)


@pytest.mark.parametrize("text", ["a" * 100_000, "why " * 25_000, "👍" * 100_000], ids=["one word", "words", "emoji"])
def test_a_hundred_thousand_characters_are_read(reader: Reader, text: str) -> None:
    found = reader.read(text)
    assert found.text == text
    assert found.intent in BY_NAME


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(), min_size=1, max_size=300))
def test_any_text_is_read_or_refused(reader: Reader, text: str) -> None:
    try:
        found = reader.read(text)
    except TextInvalidError:
        return
    assert found.intent in BY_NAME
    assert np.isfinite(found.embedding).all()


def test_threads_get_the_same_answer(reader: Reader) -> None:
    expected = [reader.read(text) for text in TEXTS]
    with ThreadPoolExecutor(8) as pool:
        rounds = list(pool.map(lambda number: reader.read(TEXTS[number % len(TEXTS)]), range(len(TEXTS) * 12)))
    assert rounds == expected * 12


def test_latencies_are_one_positive_number_for_each_text(reader: Reader) -> None:
    taken = reader.latencies_ms(TEXTS)
    assert len(taken) == len(TEXTS)
    assert min(taken) > 0
