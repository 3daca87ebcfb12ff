from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from llm_banking.nlu.scope import (
    SCORES,
    BankInvalidError,
    Gaussians,
    Neighbours,
    energy,
    reject_margin,
    reject_odds,
    top_log_odds,
    top_probability,
)


def directions(rows: int, size: int = 24, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(rows, size))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_the_logit_scores_by_hand() -> None:
    logits = np.log(np.array([[6.0, 2.0, 4.0], [1.0, 1.0, 8.0]]))
    np.testing.assert_allclose(reject_odds(logits), np.log([8 / 4, 2 / 8]))
    np.testing.assert_allclose(reject_margin(logits), np.log([6 / 4, 1 / 8]))
    np.testing.assert_allclose(top_probability(logits), [0.75, 0.5])
    np.testing.assert_allclose(top_log_odds(logits), [np.log(3), 0.0], atol=1e-9)
    np.testing.assert_allclose(energy(logits), np.log([8, 2]))


def test_large_logits_do_not_overflow() -> None:
    logits = np.array([[3000.0, 0.0, -3000.0]])
    for name, score in SCORES.items():
        assert np.isfinite(score(logits, np.array([0.5]))).all(), name


def test_the_nearest_prototype_is_found_to_the_second_decimal() -> None:
    bank, asked = directions(200), directions(50, seed=1)
    exact = (asked @ bank.T).max(axis=1)
    np.testing.assert_allclose(Neighbours.of(bank * 7).nearest(asked * 3), exact, atol=0.01)


def test_a_bank_comes_back_from_its_file(tmp_path: Path) -> None:
    bank = Neighbours.of(directions(30))
    bank.save(tmp_path / "bank.npy")
    np.testing.assert_array_equal(Neighbours.load(tmp_path / "bank.npy", 24).bank, bank.bank)


@pytest.mark.parametrize("what", ["size", "type", "empty", "text", "cut", "missing"])
def test_a_file_that_is_no_bank_is_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / "bank.npy"
    Neighbours.of(directions(30)).save(path)
    if what == "type":
        np.save(path, directions(30))
    elif what == "empty":
        np.save(path, np.zeros((0, 24), dtype=np.int8))
    elif what == "text":
        path.write_text("hello", encoding="utf-8")
    elif what == "cut":
        path.write_bytes(path.read_bytes()[:200])
    elif what == "missing":
        path.unlink()
    with pytest.raises(BankInvalidError, match=r"bank\.npy"):
        Neighbours.load(path, 25 if what == "size" else 24)


def test_relative_mahalanobis_tells_a_stranger_by_the_directions_in_which_classes_vary_little() -> None:
    """A stranger a small way off along a quiet direction scores below one of ours that is far off along a loud one."""
    rng = np.random.default_rng(2)
    centres = np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]])
    labels = np.repeat([0, 1], 500)
    rows = centres[labels] + rng.normal(size=(1000, 3)) * [0.1, 3.0, 0.1]
    fitted = Gaussians.fit(rows, labels, ridge=1e-9)
    ours, stranger = fitted.score(np.array([[0.0, 5.0, 0.0], [2.0, 0.0, 0.0]]))
    assert ours > stranger
