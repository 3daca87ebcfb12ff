"""Decoding tag scores to spans. The scores are made by hand, word by word."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from llm_banking.nlu.spans import SPAN_TYPES, TAGS, Span, best_tags, decode_spans, trimmed, words_of


def pieces(text: str) -> tuple[list[int | None], list[tuple[int, int]]]:
    """Every word or mark is one piece, between a first and a last special piece."""
    found = [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]
    return [None, *range(len(found)), None], [(0, 0), *found, (0, 0)]


def scores(tags: str, height: float = 6.0) -> NDArray[np.float64]:
    """Scores of a special piece, one row a tag, and another special piece."""
    names = tags.split()
    rows = np.zeros((len(names) + 2, len(TAGS)))
    for at, name in enumerate(names, start=1):
        rows[at, TAGS.index(name)] = height
    return rows


def decoded(text: str, tags: str) -> list[tuple[str, str]]:
    found = decode_spans(text, scores(tags), *pieces(text))
    return [(text[one.start : one.end], one.type) for one in found]


def test_tags_of_a_type_stand_where_the_docstring_says() -> None:
    for number, name in enumerate(SPAN_TYPES):
        assert TAGS[2 * number + 1 : 2 * number + 3] == (f"B-{name}", f"I-{name}")


def test_spans_are_runs_of_begin_and_inside() -> None:
    assert decoded("pay ana lima $ 20", "O B-PERSON I-PERSON B-AMOUNT I-AMOUNT") == [
        ("ana lima", "PERSON"),
        ("$ 20", "AMOUNT"),
    ]


def test_two_begins_are_two_spans() -> None:
    assert decoded("ana bob", "B-PERSON B-PERSON") == [("ana", "PERSON"), ("bob", "PERSON")]


def test_an_inside_without_a_begin_is_repaired() -> None:
    assert decoded("pay ana lima", "O I-PERSON I-PERSON") in ([("ana lima", "PERSON")], [("lima", "PERSON")])


def test_viterbi_finds_the_best_of_all_valid_sequences() -> None:
    rng = np.random.default_rng(5)
    some = [TAGS.index(name) for name in ("O", "B-PERSON", "I-PERSON", "B-AMOUNT", "I-AMOUNT")]
    for _ in range(50):
        table = np.full((4, len(TAGS)), -50.0)
        table[:, some] = rng.normal(size=(4, len(some)))
        valid = [
            path
            for path in product(some, repeat=4)
            if all(
                tag == 0 or tag % 2 or before in (tag - 1, tag)
                for before, tag in zip((0, *path[:-1]), path, strict=True)
            )
        ]
        best = max(valid, key=lambda path: sum(table[at, tag] for at, tag in enumerate(path)))
        assert best_tags(table) == list(best)


def test_pieces_of_one_word_count_together() -> None:
    """One piece says person, the other two outside: the word is outside."""
    text = "kawamoto"
    logits = np.zeros((5, len(TAGS)))
    logits[1, 1], logits[2, 0], logits[3, 0] = 4.0, 3.0, 3.0
    found = decode_spans(text, logits, [None, 0, 0, 0, None], [(0, 0), (0, 3), (3, 5), (5, 8), (0, 0)])
    assert found == ()
    logits[1, 1] = 7.0
    found = decode_spans(text, logits, [None, 0, 0, 0, None], [(0, 0), (0, 3), (3, 5), (5, 8), (0, 0)])
    assert [(one.start, one.end) for one in found] == [(0, 8)]


def test_the_score_is_the_mean_probability_of_the_type() -> None:
    text = "ana"
    logits = np.zeros((3, len(TAGS)))
    logits[1, 1] = logits[1, 2] = np.log(10.0)
    (found,) = decode_spans(text, logits, *pieces(text))
    assert found.score == pytest.approx(20.0 / (20.0 + len(TAGS) - 2))


def test_a_text_without_words_has_no_spans() -> None:
    assert decode_spans("", np.zeros((2, len(TAGS))), [None, None], [(0, 0), (0, 0)]) == ()


def test_words_join_their_pieces() -> None:
    found = words_of([None, 0, 0, 1, None], [(0, 0), (0, 2), (2, 5), (6, 7), (0, 0)])
    assert [(one.first, one.last, one.start, one.end) for one in found] == [(1, 3, 0, 5), (3, 4, 6, 7)]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ana lima.", "ana lima"),
        (' "ana lima", ', "ana lima"),
        ("(ana", "ana"),
        ("ana)", "ana"),
        ("(555) 123-4567", "(555) 123-4567"),
        ("Acme (UK)", "Acme (UK)"),
        ("...", ""),
    ],
)
def test_marks_at_the_ends_are_left_out(text: str, kept: str) -> None:
    start, end = trimmed(text, 0, len(text))
    assert text[start:end] == kept


def test_spans_keep_offsets_of_the_source() -> None:
    text = "é  pay   Ana"
    (found,) = decode_spans(text, scores("O O B-PERSON"), *pieces(text))
    assert found == Span(9, 12, "PERSON", found.score)
