"""Scores that tell our texts from strangers. Each is higher the more a text looks like ours.

From the logits: the odds against the reject label, the largest softmax probability (Hendrycks and Gimpel 2017), the
energy (Liu et al. 2020). From the embedding: relative Mahalanobis distance (Ren et al. 2021) and the nearest neighbour
(Sun et al. 2022), here among a few prototypes per intent, so that the bank stays small.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_banking.nlu.metrics import Floats, Ints, softmax

Rows = NDArray[np.floating[Any]]

MAX_BANK_BYTES = 300_000
_INT8 = 127.0


class BankInvalidError(ValueError):
    """A neighbour bank's file is no bank; the message names the file."""


def _unit(vectors: Rows) -> Rows:
    scaled: Rows = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return scaled


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Unit vectors that stand for what training saw of our intents, as int8: (prototypes, embedding size)."""

    bank: NDArray[np.int8]
    unit: NDArray[np.float32] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "unit", _unit(self.bank.astype(np.float32)))

    @classmethod
    def of(cls, vectors: Rows) -> Neighbours:
        """A bank of the given vectors, each scaled to unit length; int8 costs a cosine less than 0.01."""
        unit = _unit(vectors)
        peak = np.maximum(np.abs(unit).max(axis=1, keepdims=True), 1e-12)
        return cls(np.round(unit / peak * _INT8).astype(np.int8))

    def nearest(self, embeddings: Rows) -> Floats:
        """Cosine of each row with the prototype nearest to it: (rows,)."""
        result: Floats = (_unit(embeddings) @ self.unit.T).max(axis=1).astype(np.float64)
        return result

    def save(self, path: Path) -> None:
        """Write the bank as one .npy file."""
        np.save(path, self.bank, allow_pickle=False)

    @classmethod
    def load(cls, path: Path, size: int) -> Neighbours:
        """Read a bank of vectors of `size` numbers. Raises BankInvalidError."""
        try:
            bank = np.load(path, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise BankInvalidError(f"{path} is no neighbour bank: {error}") from None
        if bank.dtype != np.int8 or bank.ndim != 2 or bank.shape[1] != size or not len(bank):
            raise BankInvalidError(f"{path} is no neighbour bank of int8 vectors of {size} numbers.")
        return cls(bank)


@dataclass(frozen=True, slots=True)
class Gaussians:
    """One Gaussian per class with a shared covariance, and one for all classes together."""

    means: Floats
    precision: Floats
    background_mean: Floats
    background_precision: Floats

    @classmethod
    def fit(cls, embeddings: Rows, labels: Ints, ridge: float = 1e-4) -> Gaussians:
        """From the training rows of our intents; `ridge` is added to the diagonal of each covariance."""
        rows = np.asarray(embeddings, dtype=np.float64)
        _, compact = np.unique(labels, return_inverse=True)
        means = np.stack([rows[compact == one].mean(axis=0) for one in range(int(compact.max()) + 1)])
        background = rows.mean(axis=0)
        return cls(means, _precision(rows - means[compact], ridge), background, _precision(rows - background, ridge))

    def score(self, embeddings: Rows) -> Floats:
        """Minus the squared distance to the nearest class, relative to the background's: (rows,)."""
        rows: Floats = np.asarray(embeddings, dtype=np.float64)
        leaning = rows @ self.precision
        own = _quadratic(self.means, self.precision)
        nearest: Floats = (_quadratic(rows, self.precision)[:, None] - 2 * leaning @ self.means.T + own).min(axis=1)
        return _quadratic(rows - self.background_mean, self.background_precision) - nearest


def _quadratic(rows: Floats, form: Floats) -> Floats:
    result: Floats = ((rows @ form) * rows).sum(axis=1)
    return result


def _precision(centred: Floats, ridge: float) -> Floats:
    size = centred.shape[1]
    return np.linalg.inv(centred.T @ centred / len(centred) + ridge * np.eye(size)).astype(np.float64)


def _log_sum(logits: Floats) -> Floats:
    top = logits.max(axis=1, keepdims=True)
    result: Floats = (top + np.log(np.exp(logits - top).sum(axis=1, keepdims=True)))[:, 0]
    return result


def reject_odds(logits: Rows) -> Floats:
    """Log-odds that the label is any but the last, the reject label: (rows,)."""
    return energy(logits) - np.asarray(logits, dtype=np.float64)[:, -1]


def reject_margin(logits: Rows) -> Floats:
    """The best intent's logit less the reject label's, the last: (rows,)."""
    logits = np.asarray(logits, dtype=np.float64)
    result: Floats = logits[:, :-1].max(axis=1) - logits[:, -1]
    return result


def top_probability(logits: Rows) -> Floats:
    """Largest softmax probability among the intents, the reject label (the last) left out: (rows,)."""
    result: Floats = softmax(np.asarray(logits)[:, :-1]).max(axis=1)
    return result


def energy(logits: Rows) -> Floats:
    """Log-sum-exp of the intents' logits, the reject label (the last) left out: (rows,)."""
    intents: Floats = np.asarray(logits, dtype=np.float64)[:, :-1]
    return _log_sum(intents)


def top_log_odds(logits: Rows) -> Floats:
    """`top_probability` on a scale that a linear combination can use."""
    best = np.clip(top_probability(logits), 1e-9, 1.0 - 1e-9)
    result: Floats = np.log(best) - np.log1p(-best)
    return result


SCORES: Mapping[str, Callable[[Rows, Floats], Floats]] = {
    "reject_odds": lambda logits, _nearest: reject_odds(logits),
    "reject_margin": lambda logits, _nearest: reject_margin(logits),
    "top_probability": lambda logits, _nearest: top_probability(logits),
    "top_log_odds": lambda logits, _nearest: top_log_odds(logits),
    "energy": lambda logits, _nearest: energy(logits),
    "nearest": lambda _logits, nearest: np.asarray(nearest, dtype=np.float64),
}
"""The scores that a combination may use, by the names that stand in the manifest: of the logits (rows, labels) and of
`Neighbours.nearest` (rows,)."""
