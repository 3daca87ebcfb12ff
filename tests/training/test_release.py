from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_banking.nlu.metrics import expected_calibration_error, softmax
from llm_banking.training.release import ANSWERED_ACCURACY, answer_threshold, fit_temperature

ROWS = st.lists(st.tuples(st.integers(0, 20).map(lambda n: n / 20), st.booleans()), min_size=1, max_size=80)
"""(confidence, right); few distinct confidences, so that ties abound."""


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 6.0])
def test_the_temperature_that_was_applied_is_recovered(temperature: float) -> None:
    rng = np.random.default_rng(3)
    honest = rng.normal(0.0, 2.0, size=(8_000, 10))
    drawn = (rng.random((8_000, 1)) > softmax(honest).cumsum(axis=1)).sum(axis=1).clip(max=9)
    assert fit_temperature(honest * temperature, drawn) == pytest.approx(temperature, rel=0.05)


def test_the_fitted_temperature_calibrates() -> None:
    rng = np.random.default_rng(4)
    honest = rng.normal(0.0, 2.0, size=(8_000, 10))
    drawn = (rng.random((8_000, 1)) > softmax(honest).cumsum(axis=1)).sum(axis=1).clip(max=9)
    boastful = honest * 4

    def ece(logits: np.ndarray) -> float:
        found = softmax(logits)
        return expected_calibration_error(found.max(axis=1), found.argmax(axis=1) == drawn)

    assert ece(boastful) > 0.15
    assert ece(boastful / fit_temperature(boastful, drawn)) < 0.03


@given(ROWS)
def test_the_answer_threshold_is_the_lowest_confidence_that_keeps_its_promise(rows: list[tuple[float, bool]]) -> None:
    confidence = np.array([one for one, _ in rows])
    right = np.array([one for _, one in rows])
    keeps = [one for one in set(confidence.tolist()) if right[confidence >= one].mean() >= ANSWERED_ACCURACY]
    assert answer_threshold(confidence, right) == min(keeps, default=1.0)


def test_a_model_that_is_always_right_answers_everything_and_one_that_never_is_nothing() -> None:
    confidence = np.array([0.9, 0.2, 0.5])
    assert answer_threshold(confidence, np.ones(3, dtype=bool)) == 0.2
    assert answer_threshold(confidence, np.zeros(3, dtype=bool)) == 1.0


def test_a_wrong_row_low_down_raises_the_threshold_above_it() -> None:
    confidence = np.linspace(0.01, 1.0, 100)
    right = confidence > 0.405
    threshold = answer_threshold(confidence, right)
    assert right[confidence >= threshold].mean() >= ANSWERED_ACCURACY
    assert right[confidence >= threshold - 0.01].mean() < ANSWERED_ACCURACY
