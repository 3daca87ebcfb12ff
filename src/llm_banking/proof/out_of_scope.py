"""How well our texts are told from strangers: far ones, other customer service, and bank requests we do not serve.

The near requests are written for this measurement (`data/near_out_of_scope.yml`); nothing is trained or calibrated on
them. Far text is what CLINC150 (Larson et al. 2019) holds in domains that training never sees; the customer service
is Bitext's rows that are plainly about a shop.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from llm_banking.nlu.doubt import Calibration
from llm_banking.nlu.metrics import Floats, area_under_roc, wilson_interval
from llm_banking.nlu.scope import SCORES, Neighbours

Rows = NDArray[np.floating[Any]]
Reads = Callable[[Sequence[str]], tuple[Rows, Rows]]
"""Texts to raw logits (texts, labels) and embeddings (texts, size)."""

RECALL = 0.95
FAR_DOMAINS = frozenset({"travel", "oos"})
"""CLINC150's domains that training leaves alone."""
FAR_EXCLUDED = frozenset({"exchange_rate", "travel_notification"})
"""Of them: a request that is ours, and one that a customer makes of a bank, which counts as near."""
SHOP_INTENTS = frozenset(
    {
        "cancel_order",
        "change_order",
        "delivery_options",
        "delivery_period",
        "newsletter_subscription",
        "place_order",
        "review",
        "track_order",
    }
)
"""Bitext's intents that only a shop has; its accounts, payments and refunds could be a bank's."""


def near_requests() -> dict[str, dict[str, list[str]]]:
    """Bank requests that none of our intents covers, as group, topic, texts.

    The groups are 'taught' (topics that occur, in other words, among the reject examples of training), 'untaught'
    (topics that came up there later or not at all) and 'apart' (topics that no training example touches).
    """
    source = resources.files("llm_banking.proof") / "data" / "near_out_of_scope.yml"
    found: dict[str, dict[str, list[str]]] = yaml.safe_load(source.read_text(encoding="utf-8"))["requests"]
    return found


def strangers(data_dir: Path) -> dict[str, list[str]]:
    """Every set of strange texts; the sets whose data file is absent are left out."""
    found: dict[str, list[str]] = {}
    clinc, bitext = data_dir / "clinc150" / "train.jsonl.gz", data_dir / "bitext_customer_support" / "train.csv"
    if clinc.is_file():
        with gzip.open(clinc, "rt", encoding="utf-8") as stream:
            rows = [json.loads(line) for line in stream]
        far = [row for row in rows if row["domain"] in FAR_DOMAINS]
        found["far: CLINC150 travel and oos"] = [row["text"] for row in far if row["intent"] not in FAR_EXCLUDED]
        found["near: CLINC150 travel notices"] = [row["text"] for row in far if row["intent"] == "travel_notification"]
    if bitext.is_file():
        with bitext.open(encoding="utf-8", newline="") as stream:
            found["shop: Bitext orders and deliveries"] = [
                row["utterance"] for row in csv.DictReader(stream) if row["intent"] in SHOP_INTENTS
            ]
    for group, topics in near_requests().items():
        found[f"near: written, {group} topics"] = [text for texts in topics.values() for text in texts]
    return {name: texts for name, texts in found.items() if texts}


def false_positive_rate(ours: Floats, strange: Floats, recall: float = RECALL) -> float:
    """Share of strangers at or above the score that `recall` of ours reach."""
    return float((strange >= np.quantile(ours, 1.0 - recall)).mean())


def measure_out_of_scope(
    read: Reads,
    calibration: Calibration,
    neighbours: Neighbours,
    ours: Sequence[str],
    strange: Mapping[str, Sequence[str]],
    extra: Mapping[str, Callable[[Rows, Rows], Floats]] | None = None,
) -> dict[str, Any]:
    """Every score against every set of strangers, and what the shipped thresholds do with each.

    `ours` are texts of our intents that training did not see. `extra` adds scores of (logits, embeddings), higher
    for ours. Returns `rows`; `scores`, by score and set AUROC and false-positive rate at 95% recall of ours; `shipped`,
    by set the share refused (with its 95% interval) and the share that would be answered.
    """
    seen = {name: read(texts) for name, texts in {"ours": ours, **strange}.items()}
    nearest = {name: neighbours.nearest(embeddings) for name, (_, embeddings) in seen.items()}
    scores: dict[str, dict[str, Floats]] = {}
    for name, score in SCORES.items():
        scores[name] = {one: score(logits, nearest[one]) for one, (logits, _) in seen.items()}
    for name, other in (extra or {}).items():
        scores[name] = {one: other(logits, embeddings) for one, (logits, embeddings) in seen.items()}
    shipped = {one: calibration.in_scope_score(logits, nearest[one]) for one, (logits, _) in seen.items()}
    scores["shipped combination"] = shipped
    table = {
        name: {
            one: {
                "auroc": area_under_roc(values["ours"], values[one]),
                "fpr95": false_positive_rate(values["ours"], values[one]),
            }
            for one in strange
        }
        for name, values in scores.items()
    }
    policy = {one: _policy(calibration, seen[one][0], shipped[one]) for one in seen}
    return {"rows": {name: len(logits) for name, (logits, _) in seen.items()}, "scores": table, "shipped": policy}


def _policy(calibration: Calibration, logits: Rows, scope: Floats) -> dict[str, float]:
    refused = scope < calibration.in_scope_minimum
    answered = ~refused & (calibration.probabilities(logits).max(axis=1) >= calibration.answer_confidence)
    low, high = wilson_interval(int(refused.sum()), len(refused))
    return {
        "refused": float(refused.mean()),
        "refused_low": low,
        "refused_high": high,
        "answered": float(answered.mean()),
    }


def out_of_scope_table(figures: Mapping[str, Any]) -> str:
    """The figures of `measure_out_of_scope` as Markdown: AUROC / FPR at 95% recall, then the shipped policy."""
    sets = [name for name in figures["rows"] if name != "ours"]
    lines = ["| score | " + " | ".join(f"{name} ({figures['rows'][name]})" for name in sets) + " |"]
    lines.append("|---|" + "---|" * len(sets))
    for score, row in figures["scores"].items():
        cells = [f"{row[name]['auroc']:.4f} / {row[name]['fpr95']:.3f}" for name in sets]
        lines.append(f"| {score} | " + " | ".join(cells) + " |")
    for what in ("refused", "answered"):
        cells = [f"{figures['shipped'][name][what]:.3f}" for name in sets]
        ours = figures["shipped"]["ours"][what]
        lines.append(f"| {what} at the shipped thresholds (ours: {ours:.3f}) | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
