from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_banking.nlu.doubt import EVERYTHING, INTENTS, OPERATIONAL, SUPPORT, Calibration, SetMethod
from llm_banking.nlu.metrics import softmax
from llm_banking.nlu.scope import MAX_BANK_BYTES
from llm_banking.nlu.taxonomy import LABELS
from llm_banking.training.calibration import fit_calibration
from llm_banking.training.calibration_fits import (
    ANSWERED_ACCURACY,
    LAYER_FORMS,
    CalibrationData,
    answer_threshold,
    fit_layers,
    fit_neighbours,
    fit_scope,
    fit_sets,
    negative_log_likelihood,
    scale_layers,
)

REJECT = len(LABELS) - 1


def drawn(probabilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    below = rng.random((len(probabilities), 1)) > probabilities.cumsum(axis=1)
    return below.sum(axis=1).clip(max=probabilities.shape[1] - 1)


def made(rows: int = 3000, strangers: int = 300, seed: int = 0, sharp: float = 1.0) -> CalibrationData:
    """A model that knows its odds, told `sharp` times too loudly; strangers lean to the reject label."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0.0, 1.0, size=(rows + strangers, len(LABELS)))
    logits[np.arange(rows + strangers), rng.integers(0, INTENTS.stop, rows + strangers)] += 9.0
    gold = np.concatenate([drawn(softmax(logits[:rows, INTENTS]), rng), np.full(strangers, REJECT)])
    logits[rows:, REJECT] += 8.0
    nearest = np.concatenate([rng.normal(0.9, 0.03, rows), rng.normal(0.8, 0.05, strangers)])
    half = strangers // 2
    sources = ("ours",) * rows + ("far",) * half + ("near",) * (strangers - half)
    return CalibrationData(logits * sharp, nearest, gold, sources)


@pytest.mark.parametrize("wanted", [(0.4, 0.4, 0.0), (2.0, 0.7, 0.0), (1.3, 0.6, 1.1)])
def test_the_layers_that_were_applied_are_recovered(wanted: tuple[float, float, float]) -> None:
    rng = np.random.default_rng(1)
    honest = rng.normal(0.0, 1.0, size=(4_000, INTENTS.stop))
    honest[np.arange(4_000), rng.integers(0, INTENTS.stop, 4_000)] += 6.0
    gold = drawn(softmax(honest), rng)
    told = honest.copy()
    told[:, SUPPORT] *= wanted[0]
    told[:, OPERATIONAL] = (told[:, OPERATIONAL] - wanted[2]) * wanted[1]
    found = fit_layers(told, gold, LAYER_FORMS[2])
    assert found[:2] == pytest.approx(wanted[:2], rel=0.1)
    assert found[2] == pytest.approx(wanted[2], abs=0.4)
    assert negative_log_likelihood(softmax(scale_layers(told, found)), gold) <= negative_log_likelihood(
        softmax(honest), gold
    )
    np.testing.assert_allclose(scale_layers(told, wanted), honest)


def test_the_simpler_forms_tie_their_numbers() -> None:
    data = made(400, 0)
    one = fit_layers(data.logits[:, INTENTS], data.gold, LAYER_FORMS[0])
    two = fit_layers(data.logits[:, INTENTS], data.gold, LAYER_FORMS[1])
    assert one[0] == one[1]
    assert one[2] == two[2] == 0.0


@given(st.lists(st.tuples(st.integers(0, 20).map(lambda n: n / 20), st.booleans()), min_size=1, max_size=80))
def test_the_answer_threshold_is_the_lowest_that_keeps_its_promise(rows: list[tuple[float, bool]]) -> None:
    """Few distinct confidences, so that ties abound."""
    confidence, right = np.array([one for one, _ in rows]), np.array([one for _, one in rows])
    keeps = [one for one in set(confidence.tolist()) if right[confidence >= one].mean() >= ANSWERED_ACCURACY]
    assert answer_threshold(confidence, right, np.ones(len(rows), dtype=bool)) == min(keeps, default=1.0)


def test_what_does_not_pass_the_in_scope_gate_has_no_say() -> None:
    confidence, right = np.linspace(0.01, 1.0, 100), np.ones(100, dtype=bool)
    right[-20:] = False
    passed = np.arange(100) < 80
    assert answer_threshold(confidence, right, passed) == pytest.approx(0.01)
    assert answer_threshold(confidence, right, np.ones(100, dtype=bool)) == 1.0
    assert answer_threshold(confidence, right, np.zeros(100, dtype=bool)) == 1.0


def test_a_source_of_strangers_weighs_the_same_however_many_rows_it_has() -> None:
    data = made(500, 200)
    far = np.flatnonzero([source == "far" for source in data.sources])
    more = data.take(np.concatenate([np.arange(700), far, far]))
    bias, terms = fit_scope(data, ("reject_odds", "nearest"))
    same_bias, same = fit_scope(more, ("reject_odds", "nearest"))
    assert same_bias == pytest.approx(bias, abs=1e-3)
    assert [term.weight for term in same] == pytest.approx([term.weight for term in terms], abs=1e-3)
    assert all(term.weight > 0 for term in terms)


def test_too_few_rows_of_a_layer_put_every_intent_of_it_in_the_set() -> None:
    data = made(2000, 0)
    support = data.take(data.gold < SUPPORT.stop)
    sets = fit_sets(softmax(support.logits[:, INTENTS]), support.gold, 0.95, (SetMethod.LAC, 0.0, 0))
    assert sets.operational_quantile == EVERYTHING
    assert sets.inside(softmax(data.logits[:, INTENTS]))[:, OPERATIONAL].all()
    assert sets.support_quantile < 1.0


def test_the_bank_keeps_to_its_size_and_leaves_strangers_out() -> None:
    rng = np.random.default_rng(4)
    gold = np.repeat(np.arange(len(LABELS)), 12)
    centres = rng.normal(size=(len(LABELS), 384))
    rows = centres[gold] + rng.normal(0.0, 0.1, size=(len(gold), 384))
    bank = fit_neighbours(rows, gold)
    assert bank.bank.nbytes <= MAX_BANK_BYTES
    assert len(bank.bank) == 6 * INTENTS.stop
    assert bank.nearest(rows[gold < REJECT]).min() > 0.9
    assert bank.nearest(centres[[REJECT]]).max() < 0.5


def test_the_whole_fit_keeps_its_promises_on_fresh_rows() -> None:
    calibration, metrics = fit_calibration(made(seed=5, sharp=2.5), coverage=0.95, recall=0.98)
    assert Calibration.from_manifest(json.loads(json.dumps(calibration.to_manifest()))) == calibration
    assert json.loads(json.dumps(metrics)) == metrics
    fresh = made(seed=6, sharp=2.5)
    ours, strange = fresh.take(fresh.ours), fresh.take(~fresh.ours)
    probabilities = calibration.probabilities(ours.logits)
    rows = np.arange(len(ours.gold))
    assert calibration.support_temperature == pytest.approx(2.5, rel=0.1)
    assert probabilities.max(axis=1).mean() == pytest.approx(
        (probabilities.argmax(axis=1) == ours.gold).mean(), abs=0.02
    )
    assert calibration.sets.inside(probabilities)[rows, ours.gold].mean() == pytest.approx(0.95, abs=0.015)
    passed = calibration.in_scope_score(ours.logits, ours.nearest) >= calibration.in_scope_minimum
    assert passed.mean() == pytest.approx(0.98, abs=0.012)
    refused = calibration.in_scope_score(strange.logits, strange.nearest) < calibration.in_scope_minimum
    assert refused.mean() > 0.5
    held = metrics["cross_validated"]
    assert held["all"]["set_coverage"] == pytest.approx(0.95, abs=0.02)
    assert metrics["temperature_forms"]["one temperature"]["ece"] < 0.03


def test_a_tiny_corpus_without_strangers_is_fitted_and_no_corpus_is_refused() -> None:
    calibration, metrics = fit_calibration(made(12, 0))
    assert Calibration.from_manifest(calibration.to_manifest()) == calibration
    assert set(metrics["scope_auroc"].values()) == {0.5}
    with pytest.raises(ValueError, match="at least 5 rows"):
        fit_calibration(made(3, 10))
