"""Scores of spans, counted by hand."""

from __future__ import annotations

import pytest

from llm_banking.nlu.span_metrics import ANY, MICRO, SpanScore, span_table
from llm_banking.nlu.span_rows import UNSURE
from llm_banking.nlu.spans import Span

TYPES = ("PERSON", "CARD")


def test_exact_and_overlapping_matches() -> None:
    gold = [[Span(0, 4, "PERSON"), Span(10, 14, "CARD")], [Span(3, 8, "PERSON")]]
    said = [[Span(0, 4, "PERSON"), Span(11, 14, "CARD")], []]
    exact = span_table(gold, said, TYPES)
    assert (exact["PERSON"].precision, exact["PERSON"].recall) == (1.0, 0.5)
    assert exact["CARD"].f_beta() == 0.0
    assert exact[MICRO] == SpanScore(gold=3, predicted=2, found=1, right=1)
    overlap = span_table(gold, said, TYPES, overlap=True)
    assert overlap["CARD"].f_beta() == 1.0
    assert overlap[MICRO] == SpanScore(gold=3, predicted=2, found=2, right=2)


def test_f2_weighs_recall() -> None:
    score = SpanScore(gold=10, predicted=5, found=5, right=5)
    assert score.f_beta(1.0) == pytest.approx(2 * 1.0 * 0.5 / 1.5)
    assert score.f_beta(2.0) == pytest.approx(5 * 1.0 * 0.5 / (4 * 1.0 + 0.5))


def test_nothing_there_and_nothing_said_is_zero_and_no_error() -> None:
    assert span_table([[]], [[]], TYPES)[MICRO].as_dict()["f1"] == 0.0


def test_any_ignores_the_type() -> None:
    table = span_table([[Span(0, 4, "PERSON")]], [[Span(0, 4, "CARD")]], TYPES)
    assert table[MICRO].found == 0
    assert table[ANY].found == table[ANY].right == 1


def test_other_types_and_unsure_places_are_not_judged() -> None:
    gold = [[Span(0, 4, UNSURE), Span(5, 9, "DATE")]]
    said = [[Span(2, 4, "PERSON"), Span(5, 9, "DATE"), Span(20, 24, "PERSON")]]
    assert span_table(gold, said, TYPES)[MICRO] == SpanScore(gold=0, predicted=1, found=0, right=0)
