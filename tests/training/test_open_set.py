from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_banking.training.datasets import Example
from llm_banking.training.open_set import (
    OPEN,
    SmallRecipe,
    draw_known,
    open_scores,
    open_set_figures,
    run_leave_intents_out,
    split_by_class,
)
from tests.training.conftest import BANKING77, write_banking77

LABELS = [f"intent {number}" for number in range(77)]


def test_the_figures_by_hand() -> None:
    gold = np.array([0, 0, 1, 1, OPEN, OPEN, OPEN, OPEN])
    predicted = np.array([0, 0, 1, OPEN, OPEN, OPEN, OPEN, 0])
    found = open_set_figures(gold, predicted)
    assert found["known_f1"] == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert found["unknown_f1"] == pytest.approx(6 / 8)
    assert found["accuracy"] == 6 / 8


def test_draws_differ_and_come_again() -> None:
    first = draw_known(LABELS, 0.25, 0)
    assert len(first) == 19
    assert len(draw_known(LABELS, 0.75, 0)) == 58
    assert first == draw_known(LABELS[::-1], 0.25, 0)
    assert first != draw_known(LABELS, 0.25, 1)
    assert first == sorted(first)


def test_a_split_takes_its_share_of_every_class() -> None:
    rows = [Example(f"text {label} {number}", label, "own") for label in "abc" for number in range(20)]
    kept, held = split_by_class(rows, 0.1, 3)
    assert sorted(row.label for row in held) == sorted("aabbcc")
    assert sorted(kept + held, key=str) == sorted(rows, key=str)
    assert split_by_class(rows, 0.1, 3) == (kept, held)


def test_every_score_tells_an_unknown_direction_from_known_ones() -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(6)[:3]
    gold = np.repeat([0, 1, 2], 40)

    def near(points: np.ndarray) -> np.ndarray:
        rows = points + rng.normal(0.0, 0.05, size=points.shape)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    train, known, unknown = near(centres[gold]), near(centres[gold]), near(np.tile(np.eye(6)[5], (30, 1)))
    logits = {name: 12 * rows @ centres.T for name, rows in (("known", known), ("unknown", unknown))}
    scores = open_scores(train, gold, (logits["known"], known), (logits["unknown"], unknown))
    assert set(scores) == {"top_log_odds", "energy", "gaussians", "nearest", "combined"}
    for name, (ours, strange) in scores.items():
        assert np.quantile(ours, 0.05) > strange.max(), name


@pytest.mark.slow
def test_a_run_is_written_draw_by_draw_and_taken_up_again(tmp_path: Path, tiny_data: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    test = tmp_path / "test.csv"
    write_banking77(test, [(f"please: {text}", label) for label, texts in BANKING77.items() for text in texts])
    recipe = SmallRecipe(epochs=2, batch_rows=8)

    def run(draws: range, recipe: SmallRecipe = recipe, test_file: Path | None = test) -> list[dict[str, Any]]:
        return run_leave_intents_out(
            tiny_data,
            tmp_path / "out",
            draws=draws,
            shares=(0.5,),
            recipe=recipe,
            test_file=test_file,
            progress=lambda *step: steps.append(step),
        )

    (first,) = run(range(1))
    path = tmp_path / "out" / "known-50-draw-00.json"
    assert json.loads(path.read_text(encoding="utf-8")) == first
    assert len(first["known"]) == 3
    assert first["rows"]["test"] == 36
    assert first["known_accuracy_closed"] > 0.5
    assert steps[-1][0] == "50% known, draw 0"
    assert [done for _, done, _ in steps] == list(range(1, steps[-1][2] + 1))
    assert first["by_passed"]["0.90"] == {name: first[name] for name in ("known_f1", "unknown_f1", "accuracy")}
    assert first["by_score"]["combined"] == first["by_passed"]["0.90"]
    steps.clear()
    both = run(range(2))
    assert both[0] == first
    assert {what for what, _, _ in steps} == {"50% known, draw 1"}
    steps.clear()
    (other,) = run(range(1), test_file=None)
    assert steps
    assert other["settings"] != first["settings"]
