from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from llm_banking.nlu.reader import Reader
from llm_banking.proof.reading_speed import BATCHES, Model, batches, cache

TEXTS = [
    f"{ask} my {thing} {when}"
    for ask, thing, when in product(
        ("where is", "cancel", "please freeze", "i lost", "show me", "what about"),
        ("card", "transfer", "account", "cash", "loan", "refund", "payment"),
        ("now", "today", "please", "tomorrow"),
    )
]


@pytest.fixture(scope="module")
def model(reader: Reader) -> Model:
    """The shipped graph by itself."""
    return Model(reader.artifact.folder)


def test_the_graph_by_itself_answers_as_the_reader(model: Model, reader: Reader) -> None:
    outputs = [model.run([model.ids(text)])[0][0] for text in TEXTS[:10]]
    assert np.array(outputs).tobytes() == reader.outputs(TEXTS[:10])[0].tobytes()


def test_a_neighbour_in_the_run_changes_the_answer(model: Model) -> None:
    """The reason why texts run alone. Should this fail, batches are worth another measurement."""
    rows = [ids for text in TEXTS if len(ids := model.ids(text)) == len(model.ids(TEXTS[0]))][:4]
    together = model.run(rows)[0]
    alone = np.concatenate([model.run([row])[0] for row in rows])
    assert len(rows) == 4
    assert np.abs(together - alone).max() > 0.001


def test_batches_are_compared_with_each_text_alone(model: Model) -> None:
    found = batches(model, TEXTS)
    assert found["texts"] >= BATCHES[-1]
    assert found["of_1"]["ratio"] == 1.0
    assert found["of_1"]["logit_moved_max"] == 0.0
    assert all(found[f"of_{size}"]["logit_moved_max"] > 0 for size in BATCHES[1:])


def test_a_hit_is_told_from_a_run(model: Model) -> None:
    found = cache(model, TEXTS[:20])
    assert found["short_enough"] == 1.0
    assert found["hit"]["ratio"] < 0.5 < found["miss"]["ratio"]
