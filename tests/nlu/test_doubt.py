from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_banking.nlu.doubt import (
    EVERYTHING,
    INTENTS,
    OPERATIONAL,
    SUPPORT,
    Calibration,
    CalibrationInvalidError,
    PredictionSets,
    ScopeTerm,
    SetMethod,
    conformal_quantile,
    strangeness,
)
from llm_banking.nlu.taxonomy import LABELS

CALIBRATION = Calibration(
    support_temperature=0.8,
    operational_temperature=1.25,
    operational_offset=-0.1,
    answer_confidence=0.7,
    in_scope_minimum=0.4,
    scope_bias=1.5,
    scope_terms=(ScopeTerm("reject_odds", 2.0, 8.0, 2.5), ScopeTerm("nearest", 1.0, 0.9, 0.05)),
    sets=PredictionSets(SetMethod.LAC, 0.98, 0.9, 0.95),
)


def spread(**shares: float) -> np.ndarray:
    """Probabilities of the intents: the named positions' shares, the rest spread over all others."""
    found = np.full(INTENTS.stop, (1 - sum(shares.values())) / (INTENTS.stop - len(shares)))
    for name, share in shares.items():
        found[int(name[1:])] = share
    return found


def test_the_layers_tile_the_labels() -> None:
    assert SUPPORT.stop == OPERATIONAL.start
    assert OPERATIONAL.stop == INTENTS.stop == len(LABELS) - 1


def test_a_manifest_gives_back_what_was_written() -> None:
    written = json.loads(json.dumps(CALIBRATION.to_manifest()))
    assert Calibration.from_manifest(written) == CALIBRATION


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("support_temperature",), 0.0),
        (("operational_temperature",), "warm"),
        (("operational_offset",), float("nan")),
        (("answer_confidence",), 1.5),
        (("in_scope_minimum",), True),
        (("scope_bias",), None),
        (("scope_terms",), []),
        (("scope_terms", 0, "score"), "horoscope"),
        (("scope_terms", 0, "spread"), 0.0),
        (("sets",), None),
        (("sets", "method"), "guess"),
        (("sets", "free_ranks"), -1),
        (("sets", "support_quantile"), float("inf")),
        (("sets", "coverage"), 2),
    ],
)
def test_a_bad_entry_is_named_with_the_remedy(path: tuple[Any, ...], value: object) -> None:
    entry = CALIBRATION.to_manifest()
    place: Any = entry
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    name = next(step for step in reversed(path) if isinstance(step, str))
    with pytest.raises(CalibrationInvalidError, match="train nlu") as caught:
        Calibration.from_manifest(entry)
    assert f"'{name}'" in caught.value.message or "'scope_terms'" in caught.value.message


@pytest.mark.parametrize("name", [*CALIBRATION.to_manifest(), "all of it"])
def test_a_missing_entry_is_refused(name: str) -> None:
    entry: Any = CALIBRATION.to_manifest()
    if name == "all of it":
        entry = None
    else:
        del entry[name]
    with pytest.raises(CalibrationInvalidError):
        Calibration.from_manifest(entry)


def test_each_layer_has_its_own_temperature() -> None:
    logits = np.zeros((1, len(LABELS)))
    logits[0, [0, SUPPORT.stop]] = 4.0
    scaled = CALIBRATION.scaled(logits)
    assert scaled.shape == (1, INTENTS.stop)
    assert scaled[0, 0] == pytest.approx(4.0 / 0.8)
    assert scaled[0, SUPPORT.stop] == pytest.approx(4.0 / 1.25 - 0.1)
    assert CALIBRATION.probabilities(logits).sum() == pytest.approx(1.0)


def test_the_reject_label_takes_no_part_in_the_confidence() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(3, len(LABELS)))
    other = logits.copy()
    other[:, -1] += 50.0
    np.testing.assert_array_equal(CALIBRATION.probabilities(logits), CALIBRATION.probabilities(other))


def test_the_in_scope_score_rises_with_every_term() -> None:
    logits = np.zeros((3, len(LABELS)))
    logits[:, 0] = [6.0, 9.0, 6.0]
    found = CALIBRATION.in_scope_score(logits, np.array([0.85, 0.85, 0.95]))
    assert found[1] > found[0]
    assert found[2] > found[0]
    assert ((found > 0) & (found < 1)).all()


def test_an_extreme_score_is_no_overflow() -> None:
    logits = np.zeros((2, len(LABELS)))
    logits[:, -1] = [1e6, -1e6]
    np.testing.assert_allclose(CALIBRATION.in_scope_score(logits, np.array([0.9, 0.9])), [0.0, 1.0], atol=1e-200)


def test_each_layer_has_its_own_quantile() -> None:
    probabilities = spread(i0=0.08, i77=0.08, i1=0.4, i78=0.4)
    assert CALIBRATION.prediction_set(probabilities) == (1, 78, 77)


def test_strangeness_by_hand() -> None:
    probabilities = np.array([[0.2, 0.5, 0.3]])
    np.testing.assert_allclose(strangeness(probabilities, SetMethod.LAC), [[0.8, 0.5, 0.7]])
    np.testing.assert_allclose(strangeness(probabilities, SetMethod.APS), [[1.0, 0.5, 0.8]])
    np.testing.assert_allclose(strangeness(probabilities, SetMethod.RAPS, 0.1, 1), [[1.2, 0.5, 0.9]])


def test_the_quantile_by_hand() -> None:
    strange = np.arange(1.0, 10.0)
    assert conformal_quantile(strange, 0.9) == 9.0
    assert conformal_quantile(strange, 0.5) == 5.0
    assert conformal_quantile(strange, 0.95) == EVERYTHING
    assert conformal_quantile(np.array([]), 0.5) == EVERYTHING


@pytest.mark.parametrize("method", list(SetMethod))
def test_a_set_covers_the_promised_share_of_fresh_rows(method: SetMethod) -> None:
    """Also of a model that is wrong about its own odds: here its probabilities are far too sharp."""
    rng = np.random.default_rng(5)
    logits = rng.normal(0.0, 1.5, size=(20_000, 12))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gold = (rng.random((20_000, 1)) > honest.cumsum(axis=1)).sum(axis=1).clip(max=11)
    sharp = np.exp(3 * logits) / np.exp(3 * logits).sum(axis=1, keepdims=True)
    strange = strangeness(sharp, method, 0.05, 2)
    limit = conformal_quantile(strange[np.arange(10_000), gold[:10_000]], 0.9)
    inside = strange[10_000:] <= limit
    assert inside[np.arange(10_000), gold[10_000:]].mean() == pytest.approx(0.9, abs=0.01)
    assert inside.sum(axis=1).mean() < 11


@given(st.integers(0, 2**32 - 1), st.sampled_from(list(SetMethod)), st.floats(0.05, 1.2), st.floats(0.0, 0.3))
def test_a_likelier_intent_is_never_left_out_for_a_less_likely_one(
    seed: int, method: SetMethod, limit: float, more: float
) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(INTENTS.stop, 0.05))

    def found(quantile: float) -> tuple[int, ...]:
        sets = PredictionSets(method, 0.9, quantile, quantile, 0.01, 1)
        return replace(CALIBRATION, sets=sets).prediction_set(probabilities)

    members = found(limit)
    assert list(probabilities[list(members)]) == sorted(probabilities, reverse=True)[: len(members)]
    assert set(members) <= set(found(limit + more))
