from __future__ import annotations

import random

import numpy as np
import pytest

from llm_banking.nlu.artifact import EMBEDDING_SIZE
from llm_banking.nlu.clauses import candidate_clauses
from llm_banking.nlu.reader import Candidate, Reading
from llm_banking.nlu.requests import Examined, read_requests
from llm_banking.nlu.taxonomy import LABELS
from llm_banking.training.split_policy import fit_split_policy, join

THINGS = {"card": "card_arrival", "pin": "change_pin", "rate": "exchange_rate", "machine": "atm_support"}
ROWS = [
    *(
        (f"please {verb} my {thing} number {n}", intent)
        for thing, intent in THINGS.items()
        for verb in ("show", "check")
        for n in range(3)
    ),
    *((f"I looked for the {thing} and it was gone {n}", intent) for thing, intent in THINGS.items() for n in range(6)),
    ("boil an egg and eat it", "out_of_scope"),
    ("hello", "greeting"),
]


def read(text: str) -> Reading:
    """Knows a thing by its name; of a text without one it knows nothing, and is unsure of several."""
    found = [intent for thing, intent in THINGS.items() if thing in text]
    intent, confidence = (found[0], 0.9 / len(found)) if found else ("atm_support", 0.45)
    embedding = np.zeros(EMBEDDING_SIZE, dtype=np.float32)
    embedding[[LABELS.index(one) for one in found] or [0]] = 1.0
    return Reading(
        text=text,
        intent=intent,
        confidence=confidence,
        in_scope=True,
        in_scope_score=0.99,
        alternatives=tuple(Candidate(one, confidence) for one in found) or (Candidate(intent, confidence),),
        options=(intent,),
        slots=(),
        pii=(),
        model_version="by name",
        embedding=embedding / np.linalg.norm(embedding),
    )


def examine(text: str) -> Examined:
    return Examined(read(text), candidate_clauses(text), lambda start, end: read(text[start:end]))


def test_a_policy_tells_pairs_from_single_requests_and_is_the_same_again() -> None:
    policy = fit_split_policy(examine, ROWS, [("show my card and check my pin", 2)], ["my card and my rate"], pairs=120)
    assert policy == fit_split_policy(
        examine, ROWS, [("show my card and check my pin", 2)], ["my card and my rate"], pairs=120
    )
    assert all(len(read_requests(examine(text), policy)) == 1 for text, label in ROWS if label in THINGS.values())
    rng = random.Random(9)  # noqa: S311 - a sample, not a secret
    ours = [row for row in ROWS if row[1] in THINGS.values() and row[0].startswith("please")]
    pairs = [join(rng, ours)[0] for _ in range(60)]
    found = sum(len(read_requests(examine(text), policy)) == 2 for text in pairs)
    assert found >= 40
    assert policy.weights
    assert all(policy.weights.values()), "a weight of zero is left out"


def test_a_reader_that_knows_nothing_cuts_nothing() -> None:
    def unseen(text: str) -> Reading:
        return read(text.replace("card", "x").replace("pin", "x").replace("rate", "x").replace("machine", "x"))

    def blind(text: str) -> Examined:
        return Examined(unseen(text), candidate_clauses(text), lambda start, end: unseen(text[start:end]))

    with pytest.raises(ValueError, match="no boundary"):
        fit_split_policy(blind, ROWS, pairs=20)


def test_joined_rows_are_of_two_labels_and_the_second_is_where_it_says() -> None:
    rng = random.Random(3)  # noqa: S311 - a sample, not a secret
    for _ in range(100):
        text, at = join(rng, ROWS[:-2])
        assert 0 < at < len(text)
        one, two = (read(part).intent for part in (text[:at], text[at:]))
        assert one != two
