from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from llm_banking.nlu.metrics import (
    area_under_roc,
    classification_report,
    expected_calibration_error,
    per_label,
    softmax,
    wilson_interval,
)

SCORES = st.lists(st.integers(0, 6).map(lambda n: n / 6), min_size=1, max_size=30)
"""Few distinct values, so that ties abound."""


def test_ece_of_a_case_worked_by_hand() -> None:
    """Two bins. Low: 0.2, 0.4; one of two right, off by 0.2. High: 0.6, 0.9, 0.9; two of three right, off by 0.1333.

    (2 x 0.2 + 3 x 0.1333...) / 5 = 0.16.
    """
    confidence = np.array([0.2, 0.4, 0.6, 0.9, 0.9])
    correct = np.array([True, False, False, True, True])
    assert expected_calibration_error(confidence, correct, bins=2) == pytest.approx(0.16)


def test_ece_is_zero_when_confidence_is_accuracy_and_one_when_it_is_the_contrary() -> None:
    assert expected_calibration_error(np.full(4, 0.75), np.array([True, True, True, False])) == pytest.approx(0.0)
    assert expected_calibration_error(np.ones(3), np.zeros(3, dtype=bool)) == pytest.approx(1.0)
    assert expected_calibration_error(np.zeros(3), np.ones(3, dtype=bool)) == pytest.approx(1.0)


def test_ece_does_not_average_away_opposite_errors_in_different_bins() -> None:
    confidence = np.array([0.05, 0.05, 0.95, 0.95])
    correct = np.array([True, True, False, False])
    assert expected_calibration_error(confidence, correct) == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("hits", "rows", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_gives_the_published_values(hits: int, rows: int, low: float, high: float) -> None:
    """81 of 263 is the worked example of Newcombe 1998, table I."""
    assert wilson_interval(hits, rows) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(1, 5000).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows))))
def test_wilson_equals_scipys(case: tuple[int, int]) -> None:
    hits, rows = case
    reference = binomtest(hits, rows).proportion_ci(0.95, method="wilson")
    assert wilson_interval(hits, rows) == pytest.approx((reference.low, reference.high), abs=1e-6)


@given(SCORES, SCORES)
def test_auroc_is_the_share_of_won_pairs_with_ties_counted_half(ours: list[float], strangers: list[float]) -> None:
    won = sum((a > b) + 0.5 * (a == b) for a in ours for b in strangers)
    expected = won / (len(ours) * len(strangers))
    assert area_under_roc(np.array(ours), np.array(strangers)) == pytest.approx(expected)


def test_auroc_is_one_when_all_of_ours_score_higher() -> None:
    assert area_under_roc(np.array([0.8, 0.9]), np.array([0.1, 0.2, 0.7])) == 1.0
    assert area_under_roc(np.array([0.1, 0.2]), np.array([0.8])) == 0.0


def test_a_report_worked_by_hand() -> None:
    """Gold a a a b b c; said a a b b c c. Label d never occurs and must not count."""
    gold = np.array([0, 0, 0, 1, 1, 2])
    said = [0, 0, 1, 1, 2, 2]
    probabilities = np.full((6, 4), 0.1)
    probabilities[range(6), said] = 0.7
    report = classification_report(gold, probabilities, ["a", "b", "c", "d"])
    assert report["rows"] == 6
    assert report["accuracy"] == pytest.approx(4 / 6)
    assert set(report["per_intent"]) == {"a", "b", "c"}
    assert report["per_intent"]["a"] == pytest.approx({"precision": 1.0, "recall": 2 / 3, "f1": 0.8, "rows": 3})
    assert report["per_intent"]["b"] == pytest.approx({"precision": 0.5, "recall": 0.5, "f1": 0.5, "rows": 2})
    assert report["per_intent"]["c"] == pytest.approx({"precision": 0.5, "recall": 1.0, "f1": 2 / 3, "rows": 1})
    assert report["macro_f1"] == pytest.approx((0.8 + 0.5 + 2 / 3) / 3)
    assert report["ece"] == pytest.approx(abs(4 / 6 - 0.7))
    assert (report["accuracy_low"], report["accuracy_high"]) == wilson_interval(4, 6)


def test_a_label_that_is_never_said_has_zeros_and_not_an_error() -> None:
    table = per_label(np.array([0, 1]), np.array([0, 0]), ["a", "b"])
    assert table["b"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "rows": 1.0}


def test_softmax_stands_large_logits_and_sums_to_one() -> None:
    found = softmax(np.array([[1e4, 1e4 - np.log(3), -1e4], [0.0, 0.0, 0.0]], dtype=np.float64))
    assert found[0] == pytest.approx([0.75, 0.25, 0.0])
    assert found.sum(axis=1) == pytest.approx([1.0, 1.0])
