from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from llm_banking.nlu.doubt import Calibration, PredictionSets, ScopeTerm, SetMethod
from llm_banking.nlu.scope import Neighbours
from llm_banking.nlu.taxonomy import LABELS
from llm_banking.proof.leave_intents_out import DrawsMissingError, draws_table, summarise_draws
from llm_banking.proof.out_of_scope import (
    false_positive_rate,
    measure_out_of_scope,
    near_requests,
    out_of_scope_table,
    strangers,
)
from llm_banking.training.datasets import canonical, read_own_examples

CALIBRATION = Calibration(
    support_temperature=1.0,
    operational_temperature=1.0,
    operational_offset=0.0,
    answer_confidence=0.6,
    in_scope_minimum=0.5,
    scope_bias=0.0,
    scope_terms=(ScopeTerm("reject_odds", 1.0, 0.0, 1.0),),
    sets=PredictionSets(SetMethod.LAC, 0.9, 0.9, 0.9),
)


def words(text: str) -> frozenset[str]:
    return frozenset(canonical(text).split())


def test_there_are_enough_near_requests_and_none_is_close_to_a_training_example() -> None:
    texts = [text for topics in near_requests().values() for group in topics.values() for text in group]
    assert len(texts) >= 150
    assert len({canonical(text) for text in texts}) == len(texts)
    taught = {words(text) for group in read_own_examples().values() for text in group}
    close = [
        text for text in texts if any(len(words(text) & other) > 0.6 * len(words(text) | other) for other in taught)
    ]
    assert close == []


def test_the_false_positive_rate_by_hand() -> None:
    ours = np.arange(100.0)
    assert false_positive_rate(ours, np.array([0.0, 4.0, 6.0, 50.0])) == 0.5
    assert false_positive_rate(ours, np.array([-1.0])) == 0.0


def read(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """A model for the test: a text is 'sure', 'torn' or 'strange', and its embedding points that way."""
    logits = np.zeros((len(texts), len(LABELS)))
    embeddings = np.zeros((len(texts), 3))
    for row, text in enumerate(texts):
        kind = ("sure", "torn", "strange").index(text.split()[0])
        logits[row, {0: [3], 1: [3, 4], 2: [-1]}[kind]] = 12.0
        embeddings[row, kind] = 1.0
    return logits, embeddings


def test_each_score_and_the_shipped_policy_are_measured() -> None:
    figures = measure_out_of_scope(
        read,
        CALIBRATION,
        Neighbours.of(np.array([[1.0, 0.2, 0.0], [0.2, 1.0, 0.0]])),
        ["sure 1", "sure 2", "sure 3", "torn 4"],
        {"easy": ["strange 5", "strange 6"], "hard": ["strange 7", "sure 8"]},
        {"backwards": lambda logits, _embeddings: logits[:, -1].astype(np.float64)},
    )
    assert figures["rows"] == {"ours": 4, "easy": 2, "hard": 2}
    for name in ("reject_odds", "nearest", "shipped combination"):
        assert figures["scores"][name]["easy"] == {"auroc": 1.0, "fpr95": 0.0}
        assert figures["scores"][name]["hard"]["fpr95"] == 0.5
    assert figures["scores"]["backwards"]["easy"] == {"auroc": 0.0, "fpr95": 1.0}
    shipped = figures["shipped"]
    assert (shipped["ours"]["refused"], shipped["ours"]["answered"]) == (0.0, 0.75)
    assert (shipped["easy"]["refused"], shipped["hard"]["answered"]) == (1.0, 0.5)
    assert shipped["hard"]["refused_low"] < 0.5 < shipped["hard"]["refused_high"]
    table = out_of_scope_table(figures)
    assert "| easy (2) | hard (2) |" in table
    assert "| refused at the shipped thresholds (ours: 0.000) | 1.000 | 0.500 |" in table


def test_strangers_are_taken_from_the_files_that_are_there(tmp_path: Path) -> None:
    assert [name for name in strangers(tmp_path) if not name.startswith("near: written")] == []
    rows = [("travel", "book_hotel", "a"), ("travel", "exchange_rate", "b"), ("travel", "travel_notification", "c")]
    rows += [("oos", "oos", "d"), ("kitchen_and_dining", "recipe", "e")]
    (tmp_path / "clinc150").mkdir()
    with gzip.open(tmp_path / "clinc150" / "train.jsonl.gz", "wt", encoding="utf-8") as stream:
        for domain, intent, text in rows:
            stream.write(json.dumps({"text": text, "intent": intent, "domain": domain}) + "\n")
    (tmp_path / "bitext_customer_support").mkdir()
    with (tmp_path / "bitext_customer_support" / "train.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["utterance", "intent"], ["f", "track_order"], ["g", "get_refund"]])
    found = strangers(tmp_path)
    assert found["far: CLINC150 travel and oos"] == ["a", "d"]
    assert found["near: CLINC150 travel notices"] == ["c"]
    assert found["shop: Bitext orders and deliveries"] == ["f"]


def draw(share: float, number: int, f1: float, settings: str = "same") -> dict[str, object]:
    figures = {"known_f1": f1, "unknown_f1": f1 / 2, "accuracy": f1, "auroc": {"combined": 0.9, "energy": 0.8}}
    return {"share": share, "draw": number, "settings": settings, **figures}


def test_draws_are_summarised_beside_the_published_figures(tmp_path: Path) -> None:
    for number, f1 in enumerate((0.8, 0.9)):
        (tmp_path / f"known-25-draw-{number:02d}.json").write_text(json.dumps(draw(0.25, number, f1)))
    (tmp_path / "known-75-draw-00.json").write_text(json.dumps(draw(0.75, 0, 0.5)))
    summary = summarise_draws(tmp_path)
    row = summary["known_percent"]["25"]
    assert row["known_f1"] == pytest.approx({"mean": 0.85, "sd": 0.0707107})
    assert summary["known_percent"]["75"]["known_f1"]["sd"] == 0.0
    assert "| 25% | 2 | 85.0 ± 7.1 (78.4) | 42.5 ± 3.5 (89.9) | 85.0 ± 7.1 | 0.900 ± 0.000 |" in draws_table(summary)


def test_no_draws_and_mixed_draws_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DrawsMissingError, match="no draws"):
        summarise_draws(tmp_path)
    (tmp_path / "known-25-draw-00.json").write_text(json.dumps(draw(0.25, 0, 0.8)))
    (tmp_path / "known-25-draw-01.json").write_text(json.dumps(draw(0.25, 1, 0.8, "other")))
    with pytest.raises(DrawsMissingError, match="mixes"):
        summarise_draws(tmp_path)
