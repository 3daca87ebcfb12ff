"""The single steps of calibration: each fits one thing on the rows it is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression

from llm_banking.nlu.doubt import (
    INTENTS,
    OPERATIONAL,
    SUPPORT,
    Calibration,
    PredictionSets,
    ScopeTerm,
    SetMethod,
    conformal_quantile,
    strangeness,
)
from llm_banking.nlu.metrics import Floats, Ints, softmax
from llm_banking.nlu.scope import MAX_BANK_BYTES, SCORES, Neighbours

Flags = NDArray[np.bool_]

ANSWERED_ACCURACY = 0.97
"""The share of the answers given that is to be right."""
IN_SCOPE_RECALL = 0.99
"""The share of our texts that the in-scope threshold lets through."""
SET_COVERAGE = 0.98
"""The share of our texts whose prediction set is to hold the right intent."""

LAYER_FORMS = ("one temperature", "temperature per layer", "temperature per layer and offset")
SetChoice = tuple[SetMethod, float, int]
"""Method, penalty and free ranks of a kind of prediction set."""


@dataclass(frozen=True, slots=True)
class CalibrationData:
    """Held-out rows: raw logits (rows, labels), cosine with the nearest prototype (rows,), gold label indices (rows,).

    Rows whose gold label is the reject label are the strangers; `sources` says where each row came from, and every
    source of strangers weighs the same in the fit, however many rows it has. Where the logits come from several
    cross-fitted models, `nearest` must come from each model's own prototypes.
    """

    logits: Floats
    nearest: Floats
    gold: Ints
    sources: tuple[str, ...]

    @property
    def ours(self) -> Flags:
        """Which rows are ours."""
        return np.asarray(self.gold < INTENTS.stop)

    def take(self, rows: NDArray[Any]) -> CalibrationData:
        """The rows of an index or a mask, in its order."""
        kept = np.arange(len(self.gold))[rows]
        return CalibrationData(
            self.logits[kept], self.nearest[kept], self.gold[kept], tuple(self.sources[i] for i in kept)
        )


def fit_neighbours(embeddings: Floats, gold: Ints, *, per_intent: int = 6, seed: int = 0) -> Neighbours:
    """Prototypes of the intents: up to `per_intent` k-means centres of each one's training embeddings.

    Rows of the reject label are left out. The bank keeps to MAX_BANK_BYTES, by fewer prototypes if need be.
    """
    intents = [int(one) for one in np.unique(gold) if one < INTENTS.stop]
    most = max(1, min(per_intent, MAX_BANK_BYTES // (embeddings.shape[1] * len(intents))))
    centres = []
    for intent in intents:
        rows = np.unique(embeddings[gold == intent], axis=0)
        centres.append(KMeans(min(most, len(rows)), n_init=2, random_state=seed).fit(rows).cluster_centers_)
    return Neighbours.of(np.concatenate(centres))


def negative_log_likelihood(probabilities: Floats, gold: Ints) -> float:
    """Mean over the rows, in nats."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(gold)), gold], 1e-12)).mean())


def fit_layers(logits: Floats, gold: Ints, form: str) -> tuple[float, float, float]:
    """(support temperature, operational temperature, operational offset) of the least negative log-likelihood.

    `logits` are those of the intents alone, (rows, intents); `form` is one of LAYER_FORMS and frees one, two or all
    three of the numbers (Guo et al. 2017). The loss is convex in the inverse temperatures and the offset.
    """
    free = LAYER_FORMS.index(form) + 1
    rows = np.arange(len(gold))

    def unpack(parameters: Floats) -> tuple[float, float, float]:
        offset = float(parameters[2]) if free > 2 else 0.0
        return 1.0 / float(parameters[0]), 1.0 / float(parameters[min(free, 2) - 1]), offset

    def loss(parameters: Floats) -> tuple[float, Floats]:
        probabilities = softmax(scale_layers(logits, unpack(parameters)))
        slope = probabilities.copy()
        slope[rows, gold] -= 1.0
        support = float((slope[:, SUPPORT] * logits[:, SUPPORT]).sum())
        operational = float((slope[:, OPERATIONAL] * logits[:, OPERATIONAL]).sum())
        parts = [support, operational, float(slope[:, OPERATIONAL].sum())][:free]
        gradient = np.array([support + operational] if free == 1 else parts) / len(gold)
        return negative_log_likelihood(probabilities, gold), gradient

    bounds = [(0.02, 50.0), (0.02, 50.0), (-5.0, 5.0)][:free]
    start = np.array([1.0, 1.0, 0.0][:free])
    options = {"ftol": 1e-12, "gtol": 1e-7}
    return unpack(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x)


def scale_layers(logits: Floats, layers: tuple[float, float, float]) -> Floats:
    """The intents' logits, (rows, intents), under what `fit_layers` found."""
    scaled = np.array(logits, dtype=np.float64)
    scaled[:, SUPPORT] /= layers[0]
    scaled[:, OPERATIONAL] = scaled[:, OPERATIONAL] / layers[1] + layers[2]
    return scaled


def fit_vector(logits: Floats, gold: Ints, start: tuple[float, float, float], weight: float = 0.02) -> tuple[Any, Any]:
    """Vector scaling: a factor and an offset for each intent, drawn towards the layers' by `weight`.

    Only a yardstick for the layers' three numbers: it is compared, and never shipped.
    """
    size = logits.shape[1]
    factor, offset = np.full(size, 1 / start[0]), np.zeros(size)
    factor[OPERATIONAL], offset[OPERATIONAL] = 1 / start[1], start[2]
    hot = np.zeros_like(logits, dtype=np.float64)
    hot[np.arange(len(gold)), gold] = 1.0

    def loss(change: Floats) -> tuple[float, Floats]:
        probabilities = softmax(logits * (factor + change[:size]) + offset + change[size:])
        slope = (probabilities - hot) / len(gold)
        gradient = np.concatenate([(slope * logits).sum(axis=0), slope.sum(axis=0)]) + 2 * weight * change
        return negative_log_likelihood(probabilities, gold) + weight * float(change @ change), gradient

    change = minimize(loss, np.zeros(2 * size), jac=True, method="L-BFGS-B").x
    return factor + change[:size], offset + change[size:]


def answer_threshold(confidence: Floats, right: Flags, passed: Flags) -> float:
    """The lowest confidence from which ANSWERED_ACCURACY of the answers are right; 1.0 where there is none.

    A row that did not pass the in-scope threshold is not answered. A wrong answer about money costs more than a
    question, so nothing is traded for answering more.
    """
    sure, good = confidence[passed], right[passed]
    order = np.argsort(-sure, kind="stable")
    running = np.cumsum(good[order]) / np.arange(1, len(order) + 1)
    ends_a_tie = np.append(np.diff(sure[order]) != 0, True)[: len(order)]
    keeps = np.flatnonzero((running >= ANSWERED_ACCURACY) & ends_a_tie)
    return float(sure[order][keeps[-1]]) if len(keeps) else 1.0


def fit_scope(data: CalibrationData, names: Sequence[str]) -> tuple[float, tuple[ScopeTerm, ...]]:
    """Bias and terms of a logistic regression of 'ours' on the named scores; without strangers, of equal weights."""
    ours = data.ours
    columns, terms = [], []
    for name in names:
        values = SCORES[name](data.logits, data.nearest)
        mean, spread = float(values[ours].mean()), float(max(values[ours].std(), 1e-6))
        columns.append((values - mean) / spread)
        terms.append(ScopeTerm(name, 1.0, mean, spread))
    if ours.all():
        return 3.0, tuple(terms)
    features = np.stack(columns, axis=1)
    fitted = LogisticRegression(C=1.0, max_iter=1000).fit(features, ours, sample_weight=_balance(data))
    weights = np.maximum(fitted.coef_[0], 0.0)
    return float(fitted.intercept_[0]), tuple(
        ScopeTerm(term.score, float(weight), term.mean, term.spread)
        for term, weight in zip(terms, weights, strict=True)
    )


def _balance(data: CalibrationData) -> Floats:
    """Row weights: one for each of ours, and as much again for the strangers, each source of them alike."""
    strange = sorted({source for source, mine in zip(data.sources, data.ours, strict=True) if not mine})
    sources = np.array(data.sources)
    weights = np.where(data.ours, 1.0 / data.ours.sum(), 0.0)
    for source in strange:
        rows = ~data.ours & (sources == source)
        weights[rows] = 1.0 / rows.sum() / len(strange)
    balanced: Floats = weights * data.ours.sum()
    return balanced


def fit_sets(probabilities: Floats, gold: Ints, coverage: float, choice: SetChoice) -> PredictionSets:
    """Quantiles per layer of the right intent, so that the coverage holds in each layer (Vovk's Mondrian form)."""
    method, penalty, free_ranks = choice
    strange = strangeness(probabilities, method, penalty, free_ranks)[np.arange(len(gold)), gold]
    support, operational = (
        conformal_quantile(strange[(gold >= layer.start) & (gold < layer.stop)], coverage)
        for layer in (SUPPORT, OPERATIONAL)
    )
    return PredictionSets(method, coverage, support, operational, penalty, free_ranks)


def fit_once(
    data: CalibrationData,
    form: str,
    names: Sequence[str],
    choice: SetChoice,
    coverage: float,
    recall: float,
) -> Calibration:
    """The whole calibration from all the rows given, with every choice made."""
    ours = data.take(data.ours)
    layers = fit_layers(ours.logits[:, INTENTS], ours.gold, form)
    probabilities = softmax(scale_layers(ours.logits[:, INTENTS], layers))
    bias, terms = fit_scope(data, names)
    fitted = Calibration(
        support_temperature=round(layers[0], 6),
        operational_temperature=round(layers[1], 6),
        operational_offset=round(layers[2], 6),
        answer_confidence=0.0,
        in_scope_minimum=0.0,
        scope_bias=bias,
        scope_terms=terms,
        sets=fit_sets(probabilities, ours.gold, coverage, choice),
    )
    scope = fitted.in_scope_score(ours.logits, ours.nearest)
    minimum = float(np.quantile(scope, 1.0 - recall))
    threshold = answer_threshold(probabilities.max(axis=1), probabilities.argmax(axis=1) == ours.gold, scope >= minimum)
    return replace(fitted, in_scope_minimum=minimum, answer_confidence=threshold)
