"""How often the prediction set holds the intent that was meant, beside the share that it promises."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from llm_banking.nlu.doubt import MAX_OPTIONS, OPERATIONAL, SUPPORT, PredictionSets, conformal_quantile, strangeness
from llm_banking.nlu.metrics import Floats, Ints
from llm_banking.proof.scores import Flags, share

SPLITS = 50


def set_figures(sets: PredictionSets, probabilities: Floats, gold: Ints) -> dict[str, Any]:
    """Share of rows whose set holds the intent meant, mean size, and how many sets have 0, 1, ... intents.

    `probabilities` is (rows, intents), `gold` the index of the intent meant. What lies above MAX_OPTIONS, too much to
    ask about, is counted together.
    """
    return _figures(sets.inside(probabilities), gold, sets.coverage)


def _figures(inside: Flags, gold: Ints, target: float) -> dict[str, Any]:
    sizes = inside.sum(axis=1)
    counts = np.bincount(np.minimum(sizes, MAX_OPTIONS + 1), minlength=MAX_OPTIONS + 2)
    return {
        "target": target,
        **share(inside[np.arange(len(gold)), gold], "covered"),
        "mean_size": float(sizes.mean()),
        "sizes": [int(count) for count in counts],
    }


def cross_fitted(sets: PredictionSets, probabilities: Floats, gold: Ints, *, seed: int = 0) -> dict[str, Any]:
    """Coverage on rows that the quantiles were not taken from, where the same rows must serve for both.

    In each of SPLITS draws half of a layer's rows give its quantile and the other half are judged. `covered` is the
    mean over the draws, `spread` their standard deviation, which says what one draw of so few rows can be off by.
    Raises ValueError where a layer has fewer than two rows.
    """
    rng = np.random.default_rng(seed)
    strange = strangeness(probabilities, sets.method, sets.penalty, sets.free_ranks)[np.arange(len(gold)), gold]
    layers = [np.flatnonzero((gold >= layer.start) & (gold < layer.stop)) for layer in (SUPPORT, OPERATIONAL)]
    if min(len(rows) for rows in layers) < 2:
        raise ValueError("each layer needs two rows or more")
    covered: dict[str, list[float]] = {"all": [], "support": [], "operational": []}
    sizes: list[float] = []
    for _ in range(SPLITS):
        shuffled = [rng.permutation(rows) for rows in layers]
        fitted, judged = ([rows[part::2] for rows in shuffled] for part in (0, 1))
        support, operational = (conformal_quantile(strange[rows], sets.coverage) for rows in fitted)
        inside = replace(sets, support_quantile=support, operational_quantile=operational).inside(probabilities)
        hit = inside[np.arange(len(gold)), gold]
        everything = np.concatenate(judged)
        for name, rows in (("all", everything), ("support", judged[0]), ("operational", judged[1])):
            covered[name].append(float(hit[rows].mean()))
        sizes.append(float(inside[everything].sum(axis=1).mean()))
    return {
        "target": sets.coverage,
        "rows": len(gold),
        "splits": SPLITS,
        "mean_size": float(np.mean(sizes)),
        **{
            name: {"covered": float(np.mean(found)), "spread": float(np.std(found, ddof=1))}
            for name, found in covered.items()
        },
    }
