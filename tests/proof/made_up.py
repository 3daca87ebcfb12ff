"""A results file with made-up figures in every section, for what renders and draws."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from llm_banking.nlu.taxonomy import OPERATIONAL_INTENTS, SUPPORT_INTENTS
from llm_banking.proof.scores import (
    Judged,
    abstention,
    latency,
    layer_figures,
    reliability,
    risk_coverage,
    share,
    worst_pairs,
)

THRESHOLD = 0.7


def made_up_judged(labels: tuple[str, ...], rows: int, seed: int) -> Judged:
    """Rows of the labels in turn, nine in ten read rightly."""
    rng = np.random.default_rng(seed)
    meant = [labels[place % len(labels)] for place in range(rows)]
    read_as = [one if rng.random() < 0.9 else labels[int(rng.integers(len(labels)))] for one in meant]
    return Judged(tuple(meant), tuple(read_as), rng.random(rows), rng.random(rows) < 0.98)


def _official() -> dict[str, Any]:
    judged = made_up_judged(SUPPORT_INTENTS, 770, 1)
    figures = {**share(judged.right), "macro_f1": 0.9, "ece": 0.0123}
    intent = {"precision": 0.9, "recall": 0.8, "f1": 0.85, "rows": 10.0}
    return {
        "inside_77": {**figures, "per_intent": dict.fromkeys(SUPPORT_INTENTS, intent)},
        "all_labels": figures,
        "reliability": reliability(judged.confidence, judged.right),
        "abstention": abstention(judged, THRESHOLD),
        "risk_coverage": risk_coverage(judged),
        "worst_pairs": worst_pairs(judged),
    }


def _spans() -> dict[str, Any]:
    score = {"gold": 50, "predicted": 48, "precision": 0.9, "recall": 0.88, "f1": 0.891, "f2": 0.884}
    kinds = ("AMOUNT", "DATE")
    table = dict.fromkeys((*kinds, "micro", "any"), score)
    value = {kind: {"gold": 40, "found": 39, "accuracy": 0.925, "accuracy_of_found": 0.95} for kind in kinds}
    figures = {
        "rows": 90,
        "exact": table,
        "overlap": table,
        "value_accuracy": value,
        "value_accuracy_ahead": value,
    }
    marked = {"PERSON": score, "IBAN": {**score, "gold": 0}}
    personal = {"rows": 60, "exact": marked, "overlap": marked}
    return {
        "part": "held",
        "slots": {"nlupp": figures, "overall": figures},
        "personal_data": {"multidogo_finance": personal},
        "absent": {},
    }


def _robustness() -> dict[str, Any]:
    row = {"rows": 500, "clean_accuracy": 0.94, "accuracy": 0.93, "lost_points": 1.0, "low": 0.2, "high": 1.8}
    changes = (("typos", "1 in 10 words"), ("upper case", "every letter"))
    return {
        "rows": 500,
        "of": 900,
        "table": [{"perturbation": name, "strength": strength, **row} for name, strength in changes],
    }


def _requests() -> dict[str, Any]:
    found = {"share": 0.86, "low": 0.8, "high": 0.9}
    two = {"rows": 210, "exact_set": found, "ordered": found, "count": found}
    return {
        "seed": 1,
        "two_requests": {"written, held half": two, "all held": two},
        "single_requests": {"held-out rows": {"rows": 900, "cut": 9, "share": 0.01, "low": 0.005, "high": 0.02}},
    }


def _scope() -> dict[str, Any]:
    policy = {"refused": 0.9, "refused_low": 0.85, "refused_high": 0.95, "answered": 0.02}
    return {
        "rows": {"ours": 900, "far": 400},
        "scores": {"energy": {"far": {"auroc": 0.99, "fpr95": 0.03}}},
        "shipped": {"ours": policy, "far": policy},
    }


def _open_set() -> dict[str, Any]:
    spread = {"mean": 0.8, "sd": 0.01}
    figures = {"known_f1": spread, "unknown_f1": spread, "accuracy": spread, "auroc": {"combined": spread}}
    return {"settings": {}, "known_percent": {"25": {"draws": 10, **figures, "published": {"known_f1": 0.784}}}}


def made_up_results() -> dict[str, Any]:
    """Every section measured; a fresh copy each time."""
    judged = made_up_judged(OPERATIONAL_INTENTS, 940, 2)
    rng = np.random.default_rng(4)
    timed = {"p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 3.0, "cpu_p50_ms": 0.9}
    half = {"covered": 0.951, "spread": 0.01}
    document = {
        "machine": {
            "cpu": "an imagined processor",
            "cores": 2,
            "system": "Linux x86_64",
            "python": "3.11",
            "onnxruntime": "1.0",
            "load_before": 0.1,
        },
        "measured": "2026-01-02T03:04:05+00:00",
        "rehearsal": False,
        "seconds": 99.0,
        "model": {
            "version": "nlu-imagined",
            "created": "2026-01-01T00:00:00+00:00",
            "bytes": 22_900_000,
            "licence": "Apache-2.0",
            "sources": [{"name": "A set", "licence": "CC-BY-4.0", "by": "somebody"}],
            "rows": {"train": 16000, "calibration": 900},
            "recipe": {"seed": 20, "learning_rate": 0.0001},
            "calibration": {"answer_confidence": 0.71, "sets": {"coverage": 0.95}, "scope_terms": [{"weight": 2.0}]},
            "metrics": {"int8": {"rows": 900, "fp32_accuracy": 0.941, "int8_accuracy": 0.94}},
            "training": {"seconds": 1200, "threads": 2, "peak_rss_mib": 4096},
        },
        "speed": {
            "read_ms": latency([float(one) for one in rng.lognormal(0.7, 0.3, 500)]),
            "cpu_ms": 1.9,
            "batch": {"texts": 500, "texts_per_s": 700.0, "cores": 2},
            "model_bytes": 22_900_000,
            "resident_mib": 95.0,
        },
        "official": _official(),
        "operational": layer_figures(judged, OPERATIONAL_INTENTS, THRESHOLD),
        "sets": {
            "official": {"target": 0.95, **share(np.arange(1000) < 948, "covered"), "mean_size": 1.2, "sizes": []},
            "held_out": {
                "target": 0.95,
                "rows": 900,
                "splits": 50,
                "mean_size": 1.2,
                **dict.fromkeys(("all", "support", "operational"), half),
            },
        },
        "robustness": _robustness(),
        "leave_intents_out": _open_set(),
        "reading_speed": {"others": {"rasa_diet": "left out: rasa is not installed", "this": timed}},
        "out_of_scope": _scope(),
        "spans": _spans(),
        "requests": _requests(),
    }
    return copy.deepcopy(document)
