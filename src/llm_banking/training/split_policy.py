"""Learning where a message is cut into requests, from single requests and from pairs of them joined by template."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import yaml
from sklearn.linear_model import LogisticRegression

from llm_banking.nlu.clauses import candidate_clauses
from llm_banking.nlu.requests import COURTESIES, Boundary, Examined, SplitPolicy, boundaries, read_requests
from llm_banking.nlu.span_rows import NLUPP, SPAN_FILES, nlupp_part
from llm_banking.nlu.taxonomy import BY_NAME, CONVERSATIONAL, OUT_OF_SCOPE
from llm_banking.training.datasets import require
from llm_banking.training.joined import RELATED, join_texts

Examine = Callable[[str], Examined]

FALSE_SPLITS = 0.0125
"""The cut threshold is the lowest that leaves this share of single requests or fewer cut."""
CLAUSE_CONFIDENCE = 0.35
"""Below this the model does not know what a clause asks for, so that nothing can be said for it."""
NEAR = 8
"""A boundary this many characters from a joint is at it: words that lead into a clause are left out of it."""
UNSEEN_WEIGHT = 3.0
WRITTEN_WEIGHT = 6.0
SURE_OF_UNSEEN = 0.6
REGULARISATION = 0.3
NLUPP_TWO_REQUESTS = frozenset({"nlupp-b-1-28", "nlupp-b-3-6", "nlupp-b-5-31", "nlupp-b-2-31"})
"""Rows of NLU++ that are two requests of ours; nearly all its several labels are parts of one."""


def development_messages() -> list[tuple[str, int]]:
    """The written messages that may be learnt from, as (text, number of requests): the even places of the proof's sets.

    The odd places are what the proof judges by.
    """
    found: list[tuple[str, int]] = []
    for name, requests in (("two_requests.yml", 2), ("single_requests.yml", 1)):
        source = resources.files("llm_banking.proof") / "data" / name
        found += [
            (row["text"], requests) for row in yaml.safe_load(source.read_text(encoding="utf-8"))["messages"][::2]
        ]
    return found


def unlabelled_requests(data_dir: Path) -> list[str]:
    """Single requests that no intent was trained on: NLU++ without its held folds. Raises DataMissingError."""
    path = require(data_dir, SPAN_FILES[NLUPP])
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        row["text"] for row in rows if nlupp_part(row["fold"]) != "held" and row.get("id") not in NLUPP_TWO_REQUESTS
    ]


def fit_split_policy(
    examine: Examine,
    rows: Sequence[tuple[str, str]],
    written: Sequence[tuple[str, int]] = (),
    unseen: Sequence[str] = (),
    *,
    seed: int = 0,
    pairs: int = 2000,
    most_singles: int = 2000,
    progress: Callable[[int, int], None] | None = None,
) -> SplitPolicy:
    """Fit the policy of a model on rows of (text, label) that hold one request each, and on pairs of them.

    `pairs` pairs are made, and of the rows that could be cut `most_singles` are drawn. `unseen` are texts of one
    request that the model was not trained on: they are paired too, and weigh more, because the model is surer of what
    it has seen. `written` adds messages by hand as (text, number of requests). The same input gives the same policy.
    Raises ValueError where there is nothing to tell apart.
    """
    rng = random.Random(seed)  # noqa: S311 - a sample, not a secret
    ours = [row for row in rows if row[1] != OUT_OF_SCOPE and row[1] not in COURTESIES]
    cuttable = [text for text, _ in ours if len(candidate_clauses(text)) > 1]
    singles = rng.sample(cuttable, min(most_singles, len(cuttable)))
    strange = [text for text in unseen if len(candidate_clauses(text)) > 1]
    material = [_Material(text, (), 1.0) for text in singles]
    material += [_Material(text, (at,), 1.0) for text, at in (join(rng, ours) for _ in range(pairs))]
    material += [_Material(text, (), UNSEEN_WEIGHT) for text in strange]
    examine = cache(examine)
    labelled = _labelled(unseen, examine)
    if labelled:
        joined = (join(rng, labelled) for _ in range(len(labelled)))
        material += [_Material(text, (at,), UNSEEN_WEIGHT) for text, at in joined]
    blank = SplitPolicy(1.0, CLAUSE_CONFIDENCE)
    material += [_Material(text, _cuts_by_hand(text, requests), WRITTEN_WEIGHT) for text, requests in written]
    learner = _Learner([], [], [])
    for done, one in enumerate(material, start=1):
        learner.add(boundaries(examine(one.text), blank), one)
        if progress is not None:
            progress(done, len(material))
    policy = SplitPolicy(0.5, CLAUSE_CONFIDENCE, learner.weights())
    samples = [(singles, len(cuttable) / len(ours))]
    if strange:
        samples.append((strange, len(strange) / len(unseen)))
    return replace(policy, minimum=_threshold(policy, samples, examine))


@dataclass(frozen=True, slots=True)
class _Material:
    """A text, where it is to be cut (None: unknown, so not learnt from), and how much it weighs."""

    text: str
    cuts: tuple[int, ...] | None
    weight: float


@dataclass(frozen=True, slots=True)
class _Learner:
    """Rows of a logistic regression."""

    features: list[dict[str, float]]
    gold: list[bool]
    weight: list[float]

    def add(self, found: Sequence[Boundary], material: _Material) -> None:
        for boundary in found if material.cuts is not None else ():
            self.features.append(dict(boundary.features))
            self.gold.append(any(abs(boundary.at - at) <= NEAR for at in material.cuts or ()))
            self.weight.append(material.weight)

    def weights(self) -> dict[str, float]:
        """Few weights, most of them exactly zero and left out (L1)."""
        if len(set(self.gold)) < 2:
            raise ValueError(
                "no boundary to learn from: the texts hold none, or the model reads the same on both sides"
            )
        names = sorted({name for row in self.features for name in row})
        table = np.array([[row.get(name, 0.0) for name in names] for row in self.features])
        model = LogisticRegression(
            C=REGULARISATION, l1_ratio=1.0, solver="liblinear", max_iter=2000, fit_intercept=False, random_state=0
        )
        model.fit(table, np.array(self.gold), sample_weight=np.array(self.weight))
        return {name: float(one) for name, one in zip(names, model.coef_[0], strict=True) if one}


def _cuts_by_hand(text: str, requests: int) -> tuple[int, ...] | None:
    """Where a written message is cut, as far as its number of requests tells."""
    starts = tuple(clause.start for clause in candidate_clauses(text)[1:])
    if requests == 1:
        return ()
    return starts if len(starts) == requests - 1 else None


def _labelled(texts: Sequence[str], examine: Examine) -> list[tuple[str, str]]:
    """Texts with what the model reads in them, where it is sure enough."""
    readings = [examine(text).whole for text in texts]
    return [
        (one.text, one.intent)
        for one in readings
        if one.in_scope and one.confidence >= SURE_OF_UNSEEN and one.intent not in CONVERSATIONAL
    ]


def join(rng: random.Random, rows: Sequence[tuple[str, str]]) -> tuple[str, int]:
    """Two rows of different labels joined by a template, and where the second starts. Raises ValueError without two."""
    one = rng.choice(rows)
    others = [row for row in rows if row[1] != one[1]]
    if not others:
        raise ValueError("rows of two different labels are needed")
    related = [row for row in others if BY_NAME[row[1]].category == BY_NAME[one[1]].category]
    two = rng.choice(related if related and rng.random() < RELATED else others)
    joined = join_texts(rng, one[0], two[0])
    return joined.text, joined.spans[1][0]


def _threshold(policy: SplitPolicy, samples: Sequence[tuple[Sequence[str], float]], examine: Examine) -> float:
    """The lowest of a grid of thresholds at which FALSE_SPLITS of the single requests, or fewer, are cut.

    Each sample is of those texts that could be cut, with the share that these are of all; each must hold.
    """
    for minimum in np.arange(0.2, 0.96, 0.02):
        tried = replace(policy, minimum=round(float(minimum), 2))
        cut = [
            share * float(np.mean([len(read_requests(examine(text), tried)) > 1 for text in texts]))
            for texts, share in samples
        ]
        if max(cut) <= FALSE_SPLITS:
            return tried.minimum
    return 0.96
