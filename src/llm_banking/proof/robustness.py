"""How many points of accuracy each perturbation costs, on any labelled rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_banking.nlu.taxonomy import LABELS
from llm_banking.proof.perturbations import PERTURBATIONS, Perturbation

Logits = Callable[[Sequence[str]], NDArray[np.float32]]
"""Scores of texts, (texts, labels) in the order of LABELS."""


@dataclass(frozen=True, slots=True)
class RobustnessRow:
    """One line of the table. Accuracies are shares; `lost_points`, `low` and `high` are percentage points.

    `low` and `high` bound the points lost at 95%: the rows are paired, each read clean and spoiled.
    """

    perturbation: str
    strength: str
    rows: int
    clean_accuracy: float
    accuracy: float
    lost_points: float
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        """The documented JSON shape."""
        return asdict(self)


def paired_loss(clean: NDArray[np.bool_], spoiled: NDArray[np.floating[Any]]) -> tuple[float, float, float]:
    """Points lost from `clean` to `spoiled` (right or not per row, or the share of draws right) and its 95% bounds.

    The bounds are the normal approximation over per-row differences.
    """
    lost = (clean.astype(np.float64) - spoiled) * 100
    mean = float(lost.mean())
    spread = 1.959964 * float(lost.std(ddof=1)) / math.sqrt(len(lost)) if len(lost) > 1 else 0.0
    return mean, mean - spread, mean + spread


def robustness_table(
    reader_logits: Logits,
    rows: Sequence[tuple[str, str]],
    seed: int,
    *,
    perturbations: Sequence[Perturbation] = PERTURBATIONS,
    labels: Sequence[str] = LABELS,
    draws: int = 1,
    progress: Callable[[str], None] | None = None,
) -> list[RobustnessRow]:
    """Accuracy on (text, label) rows under each perturbation, beside that on the same rows untouched.

    `labels` is the head of LABELS that competes: SUPPORT_INTENTS restricts to the 77. A row whose label a wrapping
    change would turn is left out of that line, clean figure included. `draws` averages over that many seeds.
    Raises ValueError for a label outside `labels` and where there are no rows.
    """
    if not rows:
        raise ValueError("no rows")
    index = {label: place for place, label in enumerate(labels)}
    strangers = sorted({label for _, label in rows} - set(index))
    if strangers:
        raise ValueError(f"labels that do not compete: {', '.join(strangers[:3])}")
    gold = np.array([index[label] for _, label in rows])

    def right(texts: Sequence[str], kept: NDArray[np.int64]) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = reader_logits(texts)[:, : len(labels)].argmax(axis=1) == gold[kept]
        return found

    clean = right([text for text, _ in rows], np.arange(len(rows)))
    table = []
    for one in perturbations:
        kept = np.array([place for place, (_, label) in enumerate(rows) if one.applies(label)], dtype=np.int64)
        if not len(kept):
            continue
        texts = [rows[place][0] for place in kept]
        spoiled = np.mean([right(one.texts(texts, seed + draw), kept) for draw in range(draws)], axis=0)
        lost, low, high = paired_loss(clean[kept], spoiled)
        table.append(
            RobustnessRow(
                one.name, one.strength, len(kept), float(clean[kept].mean()), float(spoiled.mean()), lost, low, high
            )
        )
        if progress is not None:
            progress(one.name)
    return table


def render(table: Sequence[RobustnessRow]) -> str:
    """The table in Markdown, for the report."""
    lines = [
        "| perturbation | strength | rows | clean | spoiled | points lost | 95% |",
        "|---|---|--:|--:|--:|--:|---|",
    ]
    lines += [
        f"| {row.perturbation} | {row.strength} | {row.rows} | {row.clean_accuracy:.4f} | {row.accuracy:.4f} "
        f"| {row.lost_points:.2f} | {row.low:.2f} to {row.high:.2f} |"
        for row in table
    ]
    return "\n".join(lines)
