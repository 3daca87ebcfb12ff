from __future__ import annotations

import numpy as np
import pytest

from llm_banking.nlu.metrics import expected_calibration_error
from llm_banking.nlu.reader import Reader
from llm_banking.proof.scores import (
    HISTOGRAM_BINS,
    Judged,
    abstention,
    intent_table,
    latency,
    layer_figures,
    reliability,
    risk_coverage,
    share,
    worst_pairs,
)


def judged(*rows: tuple[str, str, float, bool]) -> Judged:
    """(meant, read as, confidence, in scope) of each row."""
    meant, read_as, confidence, in_scope = zip(*rows, strict=True)
    return Judged(meant, read_as, np.array(confidence), np.array(in_scope))


FOUR = judged(
    ("a", "a", 0.9, True),
    ("a", "b", 0.8, True),
    ("b", "b", 0.6, True),
    ("b", "a", 0.95, False),
)


def test_judged_is_what_the_reader_says(reader: Reader) -> None:
    texts = ["What is my account balance?", "how long should I boil an egg?"]
    found = Judged.of(reader.read_many(texts), ["check_balance", "card_arrival"])
    assert found.read_as[0] == "check_balance"
    assert found.right.tolist() == [True, False]
    assert found.in_scope.tolist() == [True, False]
    assert found.confidence[0] == reader.read(texts[0]).confidence
    with pytest.raises(ValueError, match="2 readings and 1 labels"):
        Judged.of(reader.read_many(texts), ["check_balance"])


def test_the_policy_answers_what_is_ours_and_sure() -> None:
    found = abstention(FOUR, 0.7)
    assert found["coverage"] == 0.5  # the surest row is a stranger, the third not sure enough
    assert found["answers"]["accuracy"] == 0.5
    assert found["refused"] == 0.25
    assert found["asked"] == 0.25
    assert found["coverage"] + found["refused"] + found["asked"] == 1.0
    assert found["coverage_at_97_right"] == 0.25


def test_a_policy_that_answers_nothing_has_no_accuracy() -> None:
    found = abstention(FOUR, 0.99)
    assert found["coverage"] == 0.0
    assert found["answers"] == {"rows": 0, "accuracy": None, "accuracy_low": None, "accuracy_high": None}


def test_a_row_exactly_as_sure_as_the_threshold_is_answered() -> None:
    assert abstention(FOUR, 0.9)["coverage"] == 0.25


def test_the_curve_takes_the_surest_first_and_strangers_last() -> None:
    curve = risk_coverage(FOUR)
    assert curve["points"] == [[0.25, 0.0], [0.5, 0.5], [0.75, pytest.approx(1 / 3)], [1.0, 0.5]]
    assert curve["aurc"] == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)


def test_the_shipped_policy_lies_on_its_curve() -> None:
    rng = np.random.default_rng(3)
    rows = [("a", "a" if rng.random() < c else "b", float(c), bool(rng.random() < 0.9)) for c in rng.random(400)]
    many = judged(*rows)
    policy, points = abstention(many, 0.5), risk_coverage(many)["points"]
    below = [y for x, y in points if x <= policy["coverage"]][-1]
    above = next(y for x, y in points if x >= policy["coverage"])
    assert min(below, above) - 0.02 <= 1 - policy["answers"]["accuracy"] <= max(below, above) + 0.02


def test_the_bins_of_the_reliability_diagram_give_the_calibration_error() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(500)
    right = rng.random(500) < confidence**2
    bins = reliability(confidence, right)
    assert sum(row["rows"] for row in bins) == 500
    gap = sum(row["rows"] * abs(row["accuracy"] - row["confidence"]) for row in bins) / 500
    assert gap == pytest.approx(expected_calibration_error(confidence, right))
    assert all(row["low"] <= row["confidence"] <= row["high"] for row in bins)
    assert reliability(np.array([1.0]), np.array([True]))[0]["high"] == 1.0


def test_the_worst_pairs_are_counted_and_ordered() -> None:
    rows = [("a", "b"), ("a", "b"), ("a", "a"), ("c", "a"), ("b", "a"), ("b", "b")]
    found = worst_pairs(judged(*((one, other, 0.5, True) for one, other in rows)))
    assert [(one["meant"], one["read_as"], one["rows"]) for one in found] == [
        ("a", "b", 2),
        ("b", "a", 1),
        ("c", "a", 1),
    ]
    assert found[0]["share"] == pytest.approx(2 / 3)
    assert len(worst_pairs(FOUR, most=1)) == 1


def test_the_table_of_intents_counts_what_other_intents_are_read_as() -> None:
    table = intent_table(FOUR, ["a", "b", "c"], 0.7)
    assert set(table) == {"a", "b"}
    assert table["a"]["accuracy"] == 0.5
    assert table["a"]["precision"] == 0.5  # one of the two rows read as a means b
    assert table["a"]["answered"] == 1.0
    assert table["b"]["answered"] == 0.0


def test_a_layer_is_judged_on_its_own_rows_among_all() -> None:
    rows = [*[("a", "a", 0.9, True)] * 3, ("b", "a", 0.9, True), ("b", "b", 0.9, True), ("x", "a", 0.9, True)]
    found = layer_figures(judged(*rows), ["a", "b", "never"], 0.5)
    assert found["rows"] == 5
    assert found["accuracy"] == pytest.approx(0.8)
    assert found["lowest"]["intent"] == "b"
    assert found["fewest_rows"] == 2
    assert found["missing"] == ["never"]
    assert found["per_intent"]["a"]["precision"] == pytest.approx(3 / 5)
    with pytest.raises(ValueError, match="no rows"):
        layer_figures(FOUR, ["never"], 0.5)


def test_a_share_has_an_interval_around_it() -> None:
    found = share(np.array([True] * 9 + [False]), "coverage")
    assert found["coverage"] == 0.9
    assert found["coverage_low"] < 0.9 < found["coverage_high"]


def test_the_histogram_of_times_loses_none() -> None:
    taken = [0.01, 0.5, 0.74, 2.0, 3.1, 9000.0]
    found = latency(taken)
    counts, edges = found["histogram"]["counts"], found["histogram"]["edges_ms"]
    assert sum(counts) == found["texts"] == len(taken)
    assert len(edges) == len(counts) + 1 == HISTOGRAM_BINS + 1
    place = next(n for n, edge in enumerate(edges) if edge > 3.1) - 1
    assert counts[place] == 1
    assert (counts[0], counts[-1]) == (2, 1)
    assert found["p50"] == pytest.approx(1.37)
    assert found["max"] == 9000.0
    with pytest.raises(ValueError, match="timed"):
        latency([])
