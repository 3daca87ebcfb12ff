"""Which part of a long message is read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm_banking.nlu.focus import MOST_PIECES, MOST_WORDS, focus, pieces, second_look
from llm_banking.nlu.reader import Reader
from llm_banking.nlu.taxonomy import LABELS

STORY = (
    "The dog chased a duck around the pond. We had pancakes for breakfast. My uncle plays the tuba in a band. "
    "It rained on the washing again. The children built a den out of chairs. I should paint the shed. "
)


def scripted(text: str) -> np.ndarray:
    """A model that knows one phrase, and the word thanks."""
    logits = np.zeros(len(LABELS), dtype=np.float32)
    share = len("freeze my card") / len(text)
    logits[LABELS.index("freeze_account")] = 20 * share if "freeze my card" in text else 0
    logits[LABELS.index("thanks")] = 30 if "thanks" in text else 0
    logits[-1] = 8
    return logits


def test_one_sentence_of_a_story_is_found() -> None:
    text = STORY + "Please freeze my card. " + STORY + "Many thanks."
    found = focus(text, scripted)
    assert text[found.start : found.end] == "Please freeze my card."
    assert LABELS[int(found.logits.argmax())] == "freeze_account"


def test_without_full_stops_the_window_closes_in() -> None:
    bare = STORY.replace(".", "").lower()
    text = bare + "freeze my card " + bare
    found = focus(text, scripted)
    part = text[found.start : found.end]
    assert "freeze my card" in part
    assert len(part.split()) <= MOST_WORDS


def test_a_story_alone_stays_a_stranger() -> None:
    found = focus(STORY, scripted)
    assert found.score < 0.5
    assert LABELS[int(found.logits.argmax())] == LABELS[-1]


def test_a_doubtful_reading_gets_a_second_look_and_a_sure_one_does_not() -> None:
    text = "To: support. Please freeze my card. Sent from a phone."
    found = second_look(text, scripted(text), scripted)
    assert found is not None
    assert text[found.start : found.end] == "Please freeze my card."

    def never(_: str) -> np.ndarray:
        raise AssertionError("read again")

    assert second_look("freeze my card. Do.", scripted("freeze my card"), never) is None
    assert second_look("one sentence only", scripted("one sentence only"), never) is None
    assert second_look(STORY, scripted(STORY), scripted) is None


@settings(deadline=None)
@given(st.text(st.sampled_from("ab .?\n>"), min_size=1, max_size=400))
def test_pieces_hold_every_visible_character_once_in_order(text: str) -> None:
    spans, bounded = pieces(text)
    assert len(spans) == len(bounded) <= MOST_PIECES
    reached = 0
    kept = ""
    for start, end in spans:
        assert reached <= start < end <= len(text)
        assert text[start:end].strip() == text[start:end]
        kept += text[start:end]
        reached = end
    assert "".join(kept.split()) == "".join(text.split())


@settings(deadline=None)
@given(st.integers(1, 800))
def test_the_model_is_asked_a_bounded_number_of_times(count: int) -> None:
    asked: list[str] = []

    def read(text: str) -> np.ndarray:
        asked.append(text)
        return scripted(text)

    found = focus("word " * count, read)
    assert len(asked) == found.runs <= 2 * MOST_PIECES


@pytest.mark.parametrize("request_text", ["I lost my card yesterday.", "How do I change my PIN?"])
def test_the_shipped_model_finds_a_request_that_it_would_not_reach(reader: Reader, request_text: str) -> None:
    text = STORY * 3 + request_text + " " + STORY * 2
    alone = reader.read(request_text)
    found = focus(text, lambda part: reader.outputs([part])[0][0])
    assert LABELS[int(found.logits.argmax())] == alone.intent
    assert reader.read(text).intent == alone.intent
