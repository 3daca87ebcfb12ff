"""What an adversary does at the gate: anything at all, and what honest people do, so that there is much to abuse."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import strategies as st

from llm_banking.banking.disputes import DisputeReason
from llm_banking.operations.drafts import CARDS, Kind

AMOUNTS = ["0.01", "1.00", "50.00", "199.99", "200.00", "200.01", "499.99", "1000.00", "1000.01", "4999.00", "5000.01"]
TAMPERED = [
    "payload = jsonb_set(payload, '{amount_minor}', '12345')",
    "payload = jsonb_set(payload, '{amount_minor}', '12345'), payload_hash = sha256('x')",
    "payload = jsonb_set(payload, '{receiver,account_id}', to_jsonb(CAST(:other AS text)))",
    "summary = replace(summary, '$', '$9')",
    "payload = jsonb_set(payload, '{when}', '\"now\"')",
    "payload = jsonb_set(payload, '{new_email}', '\"somebody.else@example.com\"')",
    "payload = jsonb_set(payload, '{card,card_id}', to_jsonb(CAST(:other AS text)))",
]
PROOFS = ["none", "right", "right", "right", "right", "wrong", "other", "replayed"]
CODED_PROOFS = [*PROOFS, "miscoded", "miscoded"]
"""For a change of address: "miscoded" is the right factor with a wrong code."""
CARD_KINDS = sorted(CARDS)
REASONS = list(DisputeReason)
WAITS_MIN = [1, 6, 60 * 23, 60 * 24 * 4]
TIMES = [0, 0, -1, 1, 2, 3]
"""Of a planned payment: 0 once, -1 every week until it is cancelled, else so often."""
PAYMENT_KINDS = ["own", "send", "pay"]
WHO, REFERENCE, THING = st.integers(0, 2), st.integers(-6, 12), st.integers(0, 9)
"""A reference below zero is one of the latest; one that there is not is an id of nothing."""
MOVES = st.one_of(
    st.tuples(st.just("pay"), WHO, st.sampled_from(PAYMENT_KINDS), THING, THING, st.sampled_from(AMOUNTS)),
    st.tuples(
        st.just("plan"),
        WHO,
        st.sampled_from(PAYMENT_KINDS),
        THING,
        THING,
        st.sampled_from(AMOUNTS),
        st.integers(-1, 9),
        st.sampled_from(TIMES),
    ),
    st.tuples(st.just("cancel"), WHO, REFERENCE),
    st.tuples(st.just("card"), WHO, st.sampled_from(CARD_KINDS), THING, st.sampled_from(AMOUNTS)),
    st.tuples(st.just("dispute"), WHO, st.integers(0, 12), st.sampled_from(REASONS)),
    st.tuples(st.just("loan"), WHO, st.sampled_from(AMOUNTS), st.integers(5, 90)),
    st.tuples(st.just("contact"), WHO, THING),
    st.tuples(
        st.just("approve"), WHO, REFERENCE, st.sampled_from(["none", "right", "wrong", "other", "replayed", "miscoded"])
    ),
    st.tuples(st.just("void"), WHO, REFERENCE),
    st.tuples(st.just("wait"), st.sampled_from(WAITS_MIN)),
    st.tuples(st.just("work")),
    st.tuples(st.just("tamper"), REFERENCE, st.integers(0, len(TAMPERED) - 1)),
)
"""Anything."""
_LIKELY = [
    *[(Kind.CARD_FREEZE, 0), (Kind.CARD_UNFREEZE, 0), (Kind.CARD_UNFREEZE, 0), (Kind.CARD_ACTIVATE, 1)],
    *[(Kind.CARD_REPLACE, 0), (Kind.CARD_REPLACE, 1), (Kind.CARD_LIMITS, 0), (Kind.CARD_BLOCK, 1)],
]
_FITTING = {"own": [1], "send": [0, 0, 1], "pay": [2]}


_EACH: list[tuple[Any, ...]] = [
    *[("pay", 0, kind, 0, target, "1.00") for kind, target in (("own", 1), ("send", 0), ("pay", 2))],
    *[("plan", 0, kind, 0, target, "1.00", 1, 2) for kind, target in (("own", 1), ("send", 0), ("pay", 2))],
    ("cancel", "owner", -1),
    *[("card", 0, kind, 0, "50.00") for kind in (Kind.CARD_FREEZE, Kind.CARD_UNFREEZE, Kind.CARD_LIMITS)],
    *[("card", 0, kind, 1, "1.00") for kind in (Kind.CARD_ACTIVATE, Kind.CARD_BLOCK)],
    *[("card", 0, Kind.CARD_REPLACE, 0, "1.00"), ("dispute", 0, 0, DisputeReason.NOT_RECOGNISED)],
    ("loan", 0, "1000.00", 12),
    ("contact", 0, 9),
]
ONE_OF_EACH = [
    *[move for wish in _EACH for move in (wish, ("approve", "owner", -1, "right"))],
    *[("wait", 60 * 24 * 4), ("work",)] * 4,
]
"""Every kind of operation, done once, and the weeks in which planned payments come due."""


def sensible(seed: int, count: int) -> list[tuple[Any, ...]]:
    """Mostly what honest people do, so that much is executed and there is something to abuse.

    In every other game they pay at once and do little else, so that limits over a day are reached.
    """
    rng = random.Random(seed)  # noqa: S311 - moves of a test
    range_of_kinds = rng.choice([0.42, 1.0])
    found: list[tuple[Any, ...]] = []
    while len(found) < count:
        found.append(_proposal(rng, range_of_kinds))
        more = rng.random()
        if more < 0.1:
            found.append(("wait", rng.choice(WAITS_MIN)))
        elif more < 0.18:
            found.append(("tamper", -1, rng.randrange(len(TAMPERED))))
        elif more < 0.25:
            found.append(("void", rng.randrange(3), -1))
        elif more < 0.32:
            found.append(("approve", rng.randrange(3), -1, rng.choice(["none", "none", "right", "replayed"])))
        else:
            found.append(("approve", "owner", rng.choice([-1, -1, -1, -2, -3]), rng.choice(PROOFS)))
        if rng.random() < 0.15:
            found += [("wait", rng.choice(WAITS_MIN)), ("work",)]
        if rng.random() < 0.06 * range_of_kinds:
            found += _there_and_back(rng.choice([0, 1]))
        if rng.random() < 0.04:
            found += [
                ("contact", rng.choice([0, 1]), rng.choice([0, 9, 9])),
                ("approve", "owner", -1, rng.choice(CODED_PROOFS)),
            ]
        if rng.random() < 0.05:
            found += [("pay", 0, "own", 0, 1, "4999.00"), ("approve", "owner", -1, "right")] * 3
    return found[:count]


def _there_and_back(who: int) -> list[tuple[Any, ...]]:
    """A card is frozen, and made good again."""
    return [
        ("card", who, Kind.CARD_FREEZE, 0, "1.00"),
        ("approve", "owner", -1, "none"),
        ("card", who, Kind.CARD_UNFREEZE, 0, "1.00"),
        ("approve", "owner", -1, "right"),
    ]


def _proposal(rng: random.Random, range_of_kinds: float) -> tuple[Any, ...]:
    who, kind = rng.choice([0, 0, 1, 2]), rng.choice(["own", "send", "send", "pay"])
    source, target = rng.choice([0] * 9 + [1, 3]), rng.choice(_FITTING[kind])
    amount = rng.choice([*AMOUNTS, "4999.00", "4999.00", "4999.00"])
    which = rng.random() * range_of_kinds
    if which < 0.4:
        return ("pay", who, kind, source, target, amount)
    if which < 0.57:
        return ("plan", who, kind, 0, target, rng.choice(AMOUNTS[:6]), rng.randrange(1, 8), rng.choice(TIMES))
    if which < 0.65:
        return ("cancel", "owner", rng.choice([-1, -2]))
    if which < 0.84:
        return ("card", rng.choice([0, 1]), *rng.choice(_LIKELY), rng.choice(AMOUNTS))
    if which < 0.95:
        return ("dispute", who, rng.randrange(4), rng.choice(REASONS[:3]))
    return ("loan", who, rng.choice(["1000.00", "4999.00"]), rng.choice([12, 36]))
