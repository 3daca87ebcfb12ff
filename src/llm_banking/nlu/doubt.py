"""How far a reading may be trusted: calibrated confidence, 'ours or not', and the intents that may be meant.

Three questions about one text, each with its own numbers, all fitted on rows held out of training:

1. How likely is each intent, given that the text is ours? Temperature scaling (Guo et al. 2017), one temperature per
   layer and an offset between the layers.
2. Is it ours? A logistic combination of scores of the logits and of the embedding. Every score is oriented so that
   higher means "more ours".
3. Which intents may be meant? Split-conformal prediction sets (Vovk et al. 2005): the set holds the right intent for
   the stated share of texts like those calibrated on, whatever the model.

What the assistant does with the answers is the dialogue's business (`dialogue.commands`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_banking.kit.errors import LlmBankingError
from llm_banking.nlu.metrics import Floats, softmax
from llm_banking.nlu.scope import SCORES
from llm_banking.nlu.taxonomy import OPERATIONAL_INTENTS, SUPPORT_INTENTS

SUPPORT = slice(0, len(SUPPORT_INTENTS))
OPERATIONAL = slice(len(SUPPORT_INTENTS), len(SUPPORT_INTENTS) + len(OPERATIONAL_INTENTS))
INTENTS = slice(0, len(SUPPORT_INTENTS) + len(OPERATIONAL_INTENTS))
MAX_OPTIONS = 4
"""A clarifying question offers no more than this; a larger set means that too little was said."""

EVERYTHING = 1e6
"""A strangeness that no intent reaches."""

Rows = NDArray[np.floating[Any]]


class CalibrationInvalidError(LlmBankingError):
    """The manifest's calibration cannot be used; the message names the entry and the remedy."""

    code = "INTENT_CLASSIFICATION_FAILED"


class SetMethod(StrEnum):
    """How strange an intent is to a text. LAC: Sadinle et al. 2019; APS: Romano et al. 2020; RAPS: Angelopoulos 2021.

    APS and RAPS are used without randomisation, in calibration as in use, so that one text always gives one set.
    """

    LAC = "lac"
    APS = "aps"
    RAPS = "raps"


@dataclass(frozen=True, slots=True)
class ScopeTerm:
    """One score's part in the combination: weight x (score - mean) / spread."""

    score: str
    weight: float
    mean: float
    spread: float


@dataclass(frozen=True, slots=True)
class PredictionSets:
    """What makes a set: the strangeness up to which an intent is in it, for each layer of the intent."""

    method: SetMethod
    coverage: float
    support_quantile: float
    operational_quantile: float
    penalty: float = 0.0
    free_ranks: int = 0

    def inside(self, probabilities: Rows) -> NDArray[np.bool_]:
        """Which intents are in the set of each row: (rows, intents)."""
        limit = np.empty(probabilities.shape[-1])
        limit[SUPPORT], limit[OPERATIONAL] = self.support_quantile, self.operational_quantile
        found: NDArray[np.bool_] = strangeness(probabilities, self.method, self.penalty, self.free_ranks) <= limit
        return found


@dataclass(frozen=True, slots=True)
class Calibration:
    """Every threshold of understanding; lives in the manifest under `calibration`."""

    support_temperature: float
    operational_temperature: float
    operational_offset: float
    answer_confidence: float
    in_scope_minimum: float
    scope_bias: float
    scope_terms: tuple[ScopeTerm, ...]
    sets: PredictionSets

    def scaled(self, logits: Rows) -> Floats:
        """Calibrated logits of the intents, the reject label left out: (..., labels) to (..., intents)."""
        logits = np.asarray(logits, dtype=np.float64)
        support = logits[..., SUPPORT] / self.support_temperature
        operational = logits[..., OPERATIONAL] / self.operational_temperature + self.operational_offset
        return np.concatenate([support, operational], axis=-1)

    def probabilities(self, logits: Rows) -> Floats:
        """Probability of each intent given that the text is ours: (..., labels) to (..., intents)."""
        return softmax(self.scaled(logits))

    def in_scope_score(self, logits: Rows, nearest: Floats) -> Floats:
        """How much each row looks like ours, between 0 and 1: (rows,).

        `logits` is (rows, labels) as the model gives them, `nearest` what `Neighbours.nearest` gives, (rows,).
        """
        total = np.full(len(logits), self.scope_bias)
        for term in self.scope_terms:
            values = SCORES[term.score](logits, nearest)
            total += term.weight * (values - term.mean) / term.spread
        result: Floats = 1.0 / (1.0 + np.exp(-np.clip(total, -700.0, 700.0)))
        return result

    def prediction_set(self, probabilities: Rows) -> tuple[int, ...]:
        """Indices of the intents that may be meant by one text, likeliest first; may be empty."""
        (members,) = np.nonzero(self.sets.inside(np.atleast_2d(probabilities))[0])
        return tuple(int(i) for i in members[np.argsort(-np.asarray(probabilities)[members], kind="stable")])

    def to_manifest(self) -> dict[str, Any]:
        """Plain values for the manifest; `from_manifest` reads them back unchanged."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in _NUMBERS}
        plain["scope_terms"] = [{name: getattr(term, name) for name in _TERM} for term in self.scope_terms]
        plain["sets"] = {name: getattr(self.sets, name) for name in (*_SETS, "free_ranks")}
        plain["sets"]["method"] = self.sets.method.value
        return plain

    @classmethod
    def from_manifest(cls, entry: Any) -> Calibration:
        """Read and check a manifest's `calibration`. Raises CalibrationInvalidError."""
        table = _table(entry, "calibration")
        numbers = {name: _number(table, name, *limits) for name, limits in _NUMBERS.items()}
        terms = table.get("scope_terms")
        if not isinstance(terms, list) or not terms:
            raise _invalid("scope_terms", "needs at least one term")
        return cls(**numbers, scope_terms=tuple(_term(one) for one in terms), sets=_sets(table.get("sets")))


_ANY = (-math.inf, math.inf)
_POSITIVE = (1e-9, math.inf)
_SHARE = (0.0, 1.0)
_NUMBERS: dict[str, tuple[float, float]] = {
    "support_temperature": _POSITIVE,
    "operational_temperature": _POSITIVE,
    "operational_offset": _ANY,
    "answer_confidence": _SHARE,
    "in_scope_minimum": _SHARE,
    "scope_bias": _ANY,
}
_TERM = {"score": None, "weight": _ANY, "mean": _ANY, "spread": _POSITIVE}
_SETS: dict[str, tuple[float, float]] = {
    "coverage": _SHARE,
    "support_quantile": _ANY,
    "operational_quantile": _ANY,
    "penalty": (0.0, math.inf),
}


def _invalid(name: str, what: str) -> CalibrationInvalidError:
    return CalibrationInvalidError(
        f"The manifest's calibration entry '{name}' {what}. Reinstall the package, or write the model folder again "
        "with `llm-banking train nlu`."
    )


def _table(entry: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(entry, Mapping):
        raise _invalid(name, "is missing or is no table")
    return entry


def _number(table: Mapping[str, Any], name: str, low: float, high: float) -> float:
    value = table.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _invalid(name, "is missing or is no number")
    if not math.isfinite(value) or not low <= value <= high:
        raise _invalid(name, f"is {value}, which is no usable value")
    return float(value)


def _term(entry: Any) -> ScopeTerm:
    table = _table(entry, "scope_terms")
    if table.get("score") not in SCORES:
        raise _invalid("scope_terms", f"names the score {table.get('score')!r}; known are {', '.join(SCORES)}")
    numbers = {name: _number(table, name, *limits) for name, limits in _TERM.items() if limits is not None}
    return ScopeTerm(score=str(table["score"]), **numbers)


def _sets(entry: Any) -> PredictionSets:
    table = _table(entry, "sets")
    numbers = {name: _number(table, name, *limits) for name, limits in _SETS.items()}
    free_ranks, method = table.get("free_ranks"), table.get("method")
    if isinstance(free_ranks, bool) or not isinstance(free_ranks, int) or free_ranks < 0:
        raise _invalid("free_ranks", "is no whole number from 0")
    if method not in set(SetMethod):
        raise _invalid("method", f"is {method!r}; known are {', '.join(SetMethod)}")
    return PredictionSets(method=SetMethod(method), free_ranks=free_ranks, **numbers)


def strangeness(probabilities: Rows, method: SetMethod, penalty: float = 0.0, free_ranks: int = 0) -> Floats:
    """Nonconformity of every label to every row, (rows, labels): the lower, the sooner the label is in the set.

    LAC is 1 - p. APS is the probability of the label and all likelier ones; RAPS adds `penalty` for every rank
    beyond `free_ranks`.
    """
    shares: Floats = np.asarray(probabilities, dtype=np.float64)
    if method is SetMethod.LAC:
        return 1.0 - shares
    order = np.argsort(-shares, axis=-1, kind="stable")
    mass = np.take_along_axis(shares, order, axis=-1).cumsum(axis=-1)
    if method is SetMethod.RAPS:
        ranks = np.arange(1, shares.shape[-1] + 1)
        mass = mass + penalty * np.maximum(ranks - free_ranks, 0)
    result = np.empty_like(mass)
    np.put_along_axis(result, order, mass, axis=-1)
    return result


def conformal_quantile(strange: Floats, coverage: float) -> float:
    """The strangeness that covers a share `coverage` of fresh rows: the ceil((n + 1) coverage)-th smallest of n.

    EVERYTHING, so that every label is in the set, where the rows are too few to promise that much.
    """
    rank = math.ceil((len(strange) + 1) * coverage)
    return float(np.sort(strange)[rank - 1]) if rank <= len(strange) else EVERYTHING


UNFITTED = Calibration(
    support_temperature=1.0,
    operational_temperature=1.0,
    operational_offset=0.0,
    answer_confidence=0.0,
    in_scope_minimum=0.0,
    scope_bias=0.0,
    scope_terms=(ScopeTerm("reject_odds", 1.0, 0.0, 1.0),),
    sets=PredictionSets(SetMethod.LAC, 0.5, 0.5, 0.5),
)
"""Raw scores as they are: what a model's folder says of itself until its calibration is fitted."""
