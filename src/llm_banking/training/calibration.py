"""Every threshold of understanding, fitted on rows that training did not see.

The rows are given as arrays: what the model says about held-out texts, or what cross-fitted models said about all of
them. Each choice (form of the temperature, scores in the combination, kind of prediction set) is made by
cross-validation within those rows, and the figures returned beside the calibration are cross-validated too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_banking.nlu.doubt import INTENTS, MAX_OPTIONS, OPERATIONAL, SUPPORT, Calibration, SetMethod
from llm_banking.nlu.metrics import Floats, Ints, area_under_roc, expected_calibration_error, softmax
from llm_banking.nlu.scope import SCORES
from llm_banking.training.calibration_fits import (
    IN_SCOPE_RECALL,
    LAYER_FORMS,
    SET_COVERAGE,
    CalibrationData,
    SetChoice,
    fit_layers,
    fit_once,
    fit_scope,
    fit_sets,
    fit_vector,
    negative_log_likelihood,
    scale_layers,
)

FOLDS = 5

SCOPE_CHOICES: tuple[tuple[str, ...], ...] = (
    ("reject_odds", "top_log_odds", "nearest"),
    ("reject_odds", "nearest"),
    ("reject_odds", "top_log_odds"),
    ("reject_odds",),
    ("reject_margin", "energy", "nearest"),
    ("reject_margin",),
)
"""Combinations that compete; of those within SCOPE_TIE of the best AUROC the first is taken.

The strangers among calibration rows are mostly of kinds that training has seen, and nearly every combination tells
those apart. Where whole topics and intents were left out of training, the first one listed did best.
"""
SCOPE_TIE = 0.0005
SET_CHOICES: tuple[SetChoice, ...] = (
    (SetMethod.LAC, 0.0, 0),
    (SetMethod.APS, 0.0, 0),
    (SetMethod.RAPS, 0.01, 2),
    (SetMethod.RAPS, 0.1, 2),
)


def fit_calibration(
    data: CalibrationData, *, coverage: float = SET_COVERAGE, recall: float = IN_SCOPE_RECALL, seed: int = 0
) -> tuple[Calibration, dict[str, Any]]:
    """Fit every threshold, and say how well that way of fitting does on rows it did not see.

    The metrics are cross-validated within `data`: what each choice scored, and calibration error, answers, refusals
    and set sizes of the choice made. Raises ValueError when there are fewer than FOLDS rows of ours.
    """
    if int(data.ours.sum()) < FOLDS:
        raise ValueError(f"calibration needs at least {FOLDS} rows of our intents; {int(data.ours.sum())} were given")
    folds = _folds(data, seed)
    forms = _compare_forms(data, folds)
    form = min(LAYER_FORMS, key=lambda name: forms[name]["nll"])
    scopes = _compare_scopes(data, folds)
    best = max(scopes.values())
    names = next(names for names in SCOPE_CHOICES if scopes[" + ".join(names)] >= best - SCOPE_TIE)
    sets = _compare_sets(data, folds, form, coverage)
    choice = min(SET_CHOICES, key=lambda one: sets[_title(one)]["size"])

    def fit(rows: CalibrationData) -> Calibration:
        return fit_once(rows, form, names, choice, coverage, recall)

    metrics = {
        "rows": {"ours": int(data.ours.sum()), "strangers": int((~data.ours).sum())},
        "folds": FOLDS,
        "temperature_forms": forms,
        "temperature_form": form,
        "scope_auroc": scopes,
        "scope_choice": " + ".join(names),
        "set_methods": sets,
        "set_method": _title(choice),
        "cross_validated": _cross_validated(data, folds, fit),
    }
    return fit(data), metrics


def _title(choice: SetChoice) -> str:
    method, penalty, free = choice
    return f"{method.value}, penalty {penalty:g} beyond {free}" if penalty else method.value


def _folds(data: CalibrationData, seed: int) -> Ints:
    """A fold for every row, dealt out in turn among the shuffled rows of each label."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(data.gold))
    order = order[np.argsort(data.gold[order], kind="stable")]
    folds = np.empty(len(order), dtype=np.int64)
    folds[order] = np.arange(len(order)) % FOLDS
    return folds


def _compare_forms(data: CalibrationData, folds: Ints) -> dict[str, dict[str, float]]:
    """Cross-validated likelihood and calibration error of every form of the temperature, vector scaling beside them."""
    logits, gold, fold = data.logits[data.ours][:, INTENTS], data.gold[data.ours], folds[data.ours]
    found: dict[str, Floats] = {name: np.empty(logits.shape) for name in (*LAYER_FORMS, "vector scaling")}
    for one in range(FOLDS):
        train, test = fold != one, fold == one
        for form in LAYER_FORMS:
            layers = fit_layers(logits[train], gold[train], form)
            found[form][test] = softmax(scale_layers(logits[test], layers))
        factor, offset = fit_vector(logits[train], gold[train], layers)
        found["vector scaling"][test] = softmax(logits[test] * factor + offset)
    return {
        name: {"nll": negative_log_likelihood(p, gold), **_calibration_errors(p, gold)} for name, p in found.items()
    }


def _calibration_errors(probabilities: Floats, gold: Ints) -> dict[str, float]:
    """ECE over all rows, over each layer's, and over the support layer's when its intents compete alone."""
    found = {}
    support, operational = gold < SUPPORT.stop, gold >= OPERATIONAL.start
    for name, rows in (("ece", support | operational), ("ece_support", support), ("ece_operational", operational)):
        if rows.any():
            found[name] = _ece(probabilities[rows], gold[rows])
    if support.any():
        alone = probabilities[support][:, SUPPORT]
        found["ece_support_alone"] = _ece(alone / alone.sum(axis=1, keepdims=True), gold[support])
    return found


def _ece(probabilities: Floats, gold: Ints) -> float:
    return expected_calibration_error(probabilities.max(axis=1), probabilities.argmax(axis=1) == gold)


def _compare_scopes(data: CalibrationData, folds: Ints) -> dict[str, float]:
    """Cross-validated AUROC of every combination, as the mean over the sources of strangers; 0.5 without strangers."""
    sources = np.array(data.sources)
    table = {}
    for names in SCOPE_CHOICES:
        score = np.empty(len(folds))
        for one in range(FOLDS):
            test = folds == one
            bias, terms = fit_scope(data.take(~test), names)
            held = data.take(test)
            values = [t.weight * (SCORES[t.score](held.logits, held.nearest) - t.mean) / t.spread for t in terms]
            score[test] = bias + np.sum(values, axis=0)
        strange = [score[~data.ours & (sources == name)] for name in np.unique(sources[~data.ours])]
        found = [area_under_roc(score[data.ours], one) for one in strange]
        table[" + ".join(names)] = float(np.mean(found)) if found else 0.5
    return table


def _compare_sets(data: CalibrationData, folds: Ints, form: str, coverage: float) -> dict[str, dict[str, float]]:
    """Cross-validated coverage and mean size of every kind of prediction set."""
    logits, gold, fold = data.logits[data.ours][:, INTENTS], data.gold[data.ours], folds[data.ours]
    covered = {choice: np.empty(len(gold)) for choice in SET_CHOICES}
    sizes = {choice: np.empty(len(gold)) for choice in SET_CHOICES}
    for one in range(FOLDS):
        train, test = fold != one, fold == one
        layers = fit_layers(logits[train], gold[train], form)
        fitted, held = (softmax(scale_layers(logits[rows], layers)) for rows in (train, test))
        for choice in SET_CHOICES:
            inside = fit_sets(fitted, gold[train], coverage, choice).inside(held)
            covered[choice][test] = inside[np.arange(len(inside)), gold[test]]
            sizes[choice][test] = inside.sum(axis=1)
    return {
        _title(one): {"coverage": float(covered[one].mean()), "size": float(sizes[one].mean())} for one in SET_CHOICES
    }


def _cross_validated(
    data: CalibrationData, folds: Ints, fit: Callable[[CalibrationData], Calibration]
) -> dict[str, Any]:
    """Fit on the other folds, look at each: the pooled figures."""
    rows, gold, ours = len(data.gold), data.gold, data.ours
    probabilities = np.empty((rows, INTENTS.stop))
    inside = np.empty((rows, INTENTS.stop), dtype=bool)
    passed, answered = np.empty(rows, dtype=bool), np.empty(rows, dtype=bool)
    for one in range(FOLDS):
        test = folds == one
        fitted, held = fit(data.take(~test)), data.take(test)
        probabilities[test] = fitted.probabilities(held.logits)
        inside[test] = fitted.sets.inside(probabilities[test])
        passed[test] = fitted.in_scope_score(held.logits, held.nearest) >= fitted.in_scope_minimum
        answered[test] = passed[test] & (probabilities[test].max(axis=1) >= fitted.answer_confidence)
    right = probabilities.argmax(axis=1) == gold
    covers = inside[np.arange(rows), np.minimum(gold, INTENTS.stop - 1)]
    sizes = inside.sum(axis=1)
    offered = (sizes >= 1) & (sizes <= MAX_OPTIONS)
    figures: dict[str, Any] = _calibration_errors(probabilities[ours], gold[ours])
    support, operational = gold < SUPPORT.stop, ours & (gold >= OPERATIONAL.start)
    for name, group in (("all", ours), ("support", support), ("operational", operational)):
        asked = group & passed & ~answered
        figures[name] = {
            "rows": int(group.sum()),
            "asked": int(asked.sum()),
            "accuracy": _share(right, group),
            "passed": _share(passed, group),
            "answered": _share(answered, group),
            "answered_right": _share(right, group & answered),
            "set_coverage": _share(covers, group),
            "set_size": _share(sizes, group),
            "set_empty": _share(sizes == 0, group),
            "asked_offered": _share(offered, asked),
            "asked_covered": _share(covers, asked),
        }
    for name in np.unique(np.array(data.sources)[~ours]):
        group = ~ours & (np.array(data.sources) == name)
        figures[f"strangers, {name}"] = {
            "rows": int(group.sum()),
            "refused": _share(~passed, group),
            "answered": _share(answered, group),
        }
    return figures


def _share(what: NDArray[Any], group: NDArray[np.bool_]) -> float | None:
    """Mean over the rows of the group; None for an empty group."""
    return float(what[group].mean()) if group.any() else None
