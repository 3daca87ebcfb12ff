from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from llm_banking.nlu.doubt import INTENTS, OPERATIONAL, PredictionSets, SetMethod
from llm_banking.nlu.metrics import Floats, Ints, softmax
from llm_banking.proof.sets import SPLITS, cross_fitted, set_figures

SETS = PredictionSets(SetMethod.LAC, 0.9, support_quantile=0.5, operational_quantile=0.5)


def made_up(rows: int, seed: int = 0) -> tuple[Floats, Ints]:
    """Probabilities of all intents, and intents drawn from exactly those probabilities."""
    rng = np.random.default_rng(seed)
    probabilities = softmax(rng.normal(0, 3, (rows, INTENTS.stop)))
    gold = np.array([rng.choice(INTENTS.stop, p=row) for row in probabilities])
    return probabilities, gold


def test_what_is_in_a_set_is_counted() -> None:
    probabilities = np.full((3, INTENTS.stop), 0.0)
    probabilities[0, [0, 1]] = 0.6, 0.4
    probabilities[1, [0, 1]] = 0.5, 0.5
    probabilities[2, [0, 1, 2]] = 0.4, 0.3, 0.3
    found = set_figures(SETS, probabilities, np.array([0, 1, 0]))
    assert found["covered"] == pytest.approx(2 / 3)
    assert found["sizes"] == [1, 1, 1, 0, 0, 0]
    assert found["mean_size"] == 1.0
    assert found["target"] == 0.9


def test_large_sets_are_counted_together() -> None:
    everything = replace(SETS, support_quantile=1.0, operational_quantile=1.0)
    probabilities, gold = made_up(5)
    found = set_figures(everything, probabilities, gold)
    assert found["sizes"][-1] == 5
    assert found["covered"] == 1.0


@pytest.mark.parametrize("method", list(SetMethod))
def test_cross_fitted_sets_keep_their_promise_whatever_the_shipped_quantiles(method: SetMethod) -> None:
    probabilities, gold = made_up(3000)
    wrong = replace(SETS, method=method, support_quantile=0.0, operational_quantile=0.0)
    assert set_figures(wrong, probabilities, gold)["covered"] < 0.5
    found = cross_fitted(wrong, probabilities, gold)
    for name in ("all", "support", "operational"):
        assert found[name]["covered"] == pytest.approx(0.9, abs=0.02)
        assert 0.0 < found[name]["spread"] < 0.05
    assert found["splits"] == SPLITS
    assert found == cross_fitted(wrong, probabilities, gold)


def test_a_layer_without_rows_cannot_be_judged() -> None:
    probabilities, gold = made_up(50)
    support_only = gold < OPERATIONAL.start
    with pytest.raises(ValueError, match="two rows"):
        cross_fitted(SETS, probabilities[support_only], gold[support_only])
