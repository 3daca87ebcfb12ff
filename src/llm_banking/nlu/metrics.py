"""Figures that judge a classifier. Plain numpy, the same code for the command line and for training."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CALIBRATION_BINS = 15


def softmax(logits: NDArray[np.floating[Any]]) -> Floats:
    """Row-wise softmax, computed stably in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    exponents = np.exp(shifted)
    result: Floats = exponents / exponents.sum(axis=-1, keepdims=True)
    return result


def expected_calibration_error(confidence: Floats, correct: NDArray[np.bool_], bins: int = CALIBRATION_BINS) -> float:
    """Mean |accuracy - confidence| over equal-width bins, weighted by rows (Guo et al. 2017)."""
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    total = 0.0
    for one in range(bins):
        rows = index == one
        if rows.any():
            total += abs(correct[rows].mean() - confidence[rows].mean()) * rows.sum()
    return float(total / len(confidence))


def wilson_interval(hits: int, rows: int, z: float = 1.959964) -> tuple[float, float]:
    """95% interval of a proportion (Wilson 1927)."""
    share = hits / rows
    centre = share + z * z / (2 * rows)
    spread = z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    scale = 1 + z * z / rows
    return (centre - spread) / scale, (centre + spread) / scale


def per_label(gold: Ints, predicted: Ints, labels: list[str]) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and row count of every label that occurs in `gold`."""
    table: dict[str, dict[str, float]] = {}
    for index in np.unique(gold):
        hit = float(((gold == index) & (predicted == index)).sum())
        said, there = float((predicted == index).sum()), float((gold == index).sum())
        table[labels[index]] = {
            "precision": hit / said if said else 0.0,
            "recall": hit / there,
            "f1": 2 * hit / (said + there),
            "rows": there,
        }
    return table


def classification_report(gold: Ints, probabilities: Floats, labels: list[str]) -> dict[str, Any]:
    """Accuracy with its 95% interval, macro-F1 over the labels in `gold`, ECE, and the per-label table."""
    predicted = probabilities.argmax(axis=1).astype(np.int64)
    correct = predicted == gold
    table = per_label(gold, predicted, labels)
    low, high = wilson_interval(int(correct.sum()), len(gold))
    return {
        "rows": len(gold),
        "accuracy": float(correct.mean()),
        "accuracy_low": low,
        "accuracy_high": high,
        "macro_f1": float(np.mean([row["f1"] for row in table.values()])),
        "ece": expected_calibration_error(probabilities.max(axis=1), correct),
        "per_intent": table,
    }


def area_under_roc(ours: Floats, strangers: Floats) -> float:
    """Probability that one of ours scores above a stranger, ties counted half (Mann-Whitney)."""
    scores = np.concatenate([ours, strangers])
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    wins = ranks[: len(ours)].sum() - len(ours) * (len(ours) + 1) / 2
    return float(wins / (len(ours) * len(strangers)))
