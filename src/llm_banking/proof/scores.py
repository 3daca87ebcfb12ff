"""Figures of understanding: what was read beside what was meant, in; plain values for the results file, out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_banking.nlu.metrics import CALIBRATION_BINS, Floats, per_label, wilson_interval
from llm_banking.nlu.reader import Reading

Flags = NDArray[np.bool_]

WORST_PAIRS = 20
CURVE_POINTS = 100
HISTOGRAM_FIRST_MS = 0.5
HISTOGRAM_BINS = 60
"""Six bins for every doubling of the time, the last up to half a second."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the product makes of labelled rows, all its intents competing; one entry a row in each field."""

    meant: tuple[str, ...]
    read_as: tuple[str, ...]
    confidence: Floats
    in_scope: Flags

    @classmethod
    def of(cls, readings: Sequence[Reading], labels: Sequence[str]) -> Judged:
        """From readings and the labels of the same rows. Raises ValueError where their numbers differ or are 0."""
        if len(readings) != len(labels) or not labels:
            raise ValueError(f"{len(readings)} readings and {len(labels)} labels")
        return cls(
            tuple(labels),
            tuple(one.intent for one in readings),
            np.array([one.confidence for one in readings]),
            np.array([one.in_scope for one in readings]),
        )

    @property
    def right(self) -> Flags:
        """Whether the likeliest intent of each row is the one meant."""
        return np.array([one == other for one, other in zip(self.meant, self.read_as, strict=True)])

    def only(self, labels: Sequence[str]) -> Judged:
        """The rows that mean one of `labels`. Raises ValueError where there is none."""
        wanted = set(labels)
        kept = [place for place, label in enumerate(self.meant) if label in wanted]
        if not kept:
            raise ValueError("no rows of these labels")
        return Judged(
            tuple(self.meant[place] for place in kept),
            tuple(self.read_as[place] for place in kept),
            self.confidence[kept],
            self.in_scope[kept],
        )


def share(flags: Flags, name: str = "accuracy") -> dict[str, Any]:
    """A share of rows with its 95% interval and the rows it was taken over; without rows it is None."""
    rows = len(flags)
    if not rows:
        return {"rows": 0, name: None, f"{name}_low": None, f"{name}_high": None}
    low, high = wilson_interval(int(flags.sum()), rows)
    return {"rows": rows, name: float(flags.mean()), f"{name}_low": low, f"{name}_high": high}


def abstention(judged: Judged, threshold: float) -> dict[str, Any]:
    """What the shipped policy does: answers what is ours and at least this sure, asks about or refuses the rest.

    `coverage` is the share answered, `accuracy` the share of the answers that are right. Beside them the accuracy of
    the surest 93% and the largest coverage at which 97% are right, whatever the threshold.
    """
    answered = judged.in_scope & (judged.confidence >= threshold)
    running = np.cumsum(judged.right[_surest_first(judged)]) / np.arange(1, len(judged.meant) + 1)
    good = np.flatnonzero(running >= 0.97)
    return {
        "threshold": threshold,
        **share(answered, "coverage"),
        "answers": share(judged.right[answered]),
        "refused": float((~judged.in_scope).mean()),
        "asked": float((judged.in_scope & ~answered).mean()),
        "accuracy_of_surest_93": float(running[max(0, round(0.93 * len(running)) - 1)]),
        "coverage_at_97_right": float((good[-1] + 1) / len(running)) if len(good) else 0.0,
    }


def risk_coverage(judged: Judged) -> dict[str, Any]:
    """Share wrong among the surest c of the rows, for c in steps of 1%, and its mean over c (AURC; Geifman 2018).

    Rows taken for strangers come last, however sure their intent.
    """
    wrong = ~judged.right[_surest_first(judged)]
    rows = len(wrong)
    running = np.cumsum(wrong) / np.arange(1, rows + 1)
    counts = sorted({max(1, round(rows * step / CURVE_POINTS)) for step in range(1, CURVE_POINTS + 1)})
    points = [[count / rows, float(running[count - 1])] for count in counts]
    return {"rows": rows, "aurc": float(running.mean()), "points": points}


def _surest_first(judged: Judged) -> NDArray[np.int64]:
    order: NDArray[np.int64] = np.lexsort((-judged.confidence, ~judged.in_scope))
    return order


def reliability(confidence: Floats, right: Flags, bins: int = CALIBRATION_BINS) -> list[dict[str, Any]]:
    """Mean confidence and accuracy of every equal-width bin of confidence that holds rows, lowest first."""
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    table = []
    for one in range(bins):
        rows = index == one
        if rows.any():
            mean = float(confidence[rows].mean())
            table.append({"low": one / bins, "high": (one + 1) / bins, "confidence": mean, **share(right[rows])})
    return table


def worst_pairs(judged: Judged, most: int = WORST_PAIRS) -> list[dict[str, Any]]:
    """The confusions that cost most rows: what was meant, what it was read as, rows, and their share of what was meant.

    Of equally frequent ones those first in the alphabet.
    """
    there = Counter(judged.meant)
    pairs = Counter((one, other) for one, other in zip(judged.meant, judged.read_as, strict=True) if one != other)
    worst = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:most]
    return [
        {"meant": meant, "read_as": read_as, "rows": rows, "share": rows / there[meant]}
        for (meant, read_as), rows in worst
    ]


def intent_table(judged: Judged, labels: Sequence[str], threshold: float) -> dict[str, dict[str, Any]]:
    """For each of `labels` that occurs: share read right with its 95% interval, precision, F1, share answered.

    Precision counts every row that was read as the label, whatever it meant.
    """
    names = sorted({*judged.meant, *judged.read_as})
    index = {name: place for place, name in enumerate(names)}
    gold = np.array([index[name] for name in judged.meant])
    scores = per_label(gold, np.array([index[name] for name in judged.read_as]), names)
    answered = judged.in_scope & (judged.confidence >= threshold)
    table = {}
    for label in labels:
        if label in scores:
            rows = gold == index[label]
            table[label] = {
                **share(judged.right[rows]),
                "precision": scores[label]["precision"],
                "f1": scores[label]["f1"],
                "answered": float(answered[rows].mean()),
            }
    return table


def layer_figures(judged: Judged, labels: Sequence[str], threshold: float) -> dict[str, Any]:
    """Accuracy, macro-F1, abstention and the table of one layer's intents, with its lowest class and rarest one.

    `judged` holds the rows of every layer, so that a text of another layer read as one of these counts.
    Raises ValueError where no row means one of `labels`.
    """
    ours = judged.only(labels)
    table = intent_table(judged, labels, threshold)
    lowest = min(table, key=lambda name: (table[name]["accuracy"], name))
    return {
        **share(ours.right),
        "macro_f1": float(np.mean([row["f1"] for row in table.values()])),
        "intents": len(table),
        "missing": [label for label in labels if label not in table],
        "fewest_rows": min(row["rows"] for row in table.values()),
        "lowest": {"intent": lowest, **table[lowest]},
        "abstention": abstention(ours, threshold),
        "worst_pairs": worst_pairs(ours),
        "per_intent": table,
    }


def latency(taken_ms: Sequence[float]) -> dict[str, Any]:
    """Percentiles and a histogram of milliseconds. Raises ValueError without any.

    Bin n of the histogram begins at `edges_ms[n]`; what is faster or slower than all bins is in the first or last.
    """
    if not taken_ms:
        raise ValueError("nothing was timed")
    values = np.array(taken_ms)
    edges = HISTOGRAM_FIRST_MS * 2.0 ** (np.arange(HISTOGRAM_BINS + 1) / 6)
    bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, HISTOGRAM_BINS - 1)
    counts = np.bincount(bins, minlength=HISTOGRAM_BINS)
    return {
        "texts": len(values),
        **{f"p{one}": float(np.percentile(values, one)) for one in (50, 95, 99)},
        "max": float(values.max()),
        "histogram": {
            "edges_ms": [round(float(edge), 4) for edge in edges],
            "counts": [int(count) for count in counts],
        },
    }
