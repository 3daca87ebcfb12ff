"""The robustness table counts right: a reader with a known weakness must show exactly it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from llm_banking.nlu.taxonomy import LABELS, SUPPORT_INTENTS
from llm_banking.proof.perturbations import PERTURBATIONS, Perturbation
from llm_banking.proof.robustness import paired_loss, render, robustness_table

ROWS = [(f"card number {n} has not come", "card_arrival") for n in range(30)] + [("hello you", "greeting")] * 10
UPPER = Perturbation("upper case", "every letter", lambda text, _rng: text.upper())
SAME = Perturbation("nothing", "none", lambda text, _rng: text, wraps=True)


def reads_lower_case_only(texts: Sequence[str]) -> np.ndarray:
    logits = np.zeros((len(texts), len(LABELS)), dtype=np.float32)
    for row, text in enumerate(texts):
        meant = "greeting" if "hello" in text else "card_arrival" if "come" in text else "out_of_scope"
        logits[row, LABELS.index(meant)] = 1
    return logits


def test_a_weakness_shows_in_points() -> None:
    upper, same = robustness_table(reads_lower_case_only, ROWS, 0, perturbations=(UPPER, SAME))
    assert (upper.rows, upper.clean_accuracy, upper.accuracy, upper.lost_points) == (40, 1.0, 0.0, 100.0)
    assert (upper.low, upper.high) == (100.0, 100.0)
    assert (same.rows, same.lost_points) == (30, 0.0), "small talk is left out where text is put around"


def test_half_lost_with_its_interval() -> None:
    clean = np.ones(100, dtype=bool)
    lost, low, high = paired_loss(clean, np.array([1.0, 0.0] * 50))
    assert lost == 50
    assert low == pytest.approx(50 - 1.959964 * 100 * np.sqrt(0.25 / 99), abs=1e-9)
    assert high == pytest.approx(100 - low)


def test_what_was_gained_counts_against_what_was_lost() -> None:
    lost, low, high = paired_loss(np.array([True, False]), np.array([0.0, 1.0]))
    assert lost == 0
    assert low < 0 < high


def test_draws_average_and_repeat() -> None:
    half = Perturbation("sometimes", "1 in 2", lambda text, rng: text.upper() if rng.random() < 0.5 else text)
    one = robustness_table(reads_lower_case_only, ROWS, 4, perturbations=(half,), draws=20)
    assert one == robustness_table(reads_lower_case_only, ROWS, 4, perturbations=(half,), draws=20)
    assert one[0].lost_points == pytest.approx(50, abs=8)


def test_restricted_to_the_support_intents() -> None:
    rows = ROWS[:30]
    (line,) = robustness_table(reads_lower_case_only, rows, 0, perturbations=(UPPER,), labels=SUPPORT_INTENTS)
    assert line.clean_accuracy == 1.0
    with pytest.raises(ValueError, match="greeting"):
        robustness_table(reads_lower_case_only, ROWS, 0, labels=SUPPORT_INTENTS)
    with pytest.raises(ValueError, match="no rows"):
        robustness_table(reads_lower_case_only, [], 0)


def test_the_report_has_a_line_for_each() -> None:
    said: list[str] = []
    table = robustness_table(reads_lower_case_only, ROWS, 0, progress=said.append)
    assert len(table) == len(said) == len(PERTURBATIONS)
    lines = render(table).splitlines()
    assert len(lines) == len(table) + 2
    assert "| upper case | every letter | 40 | 1.0000 | 0.0000 | 100.00 | 100.00 to 100.00 |" in lines
    assert table[0].as_dict()["perturbation"] == "typos"
