"""Training text spoiled: how often, how much, and never beyond use."""

from __future__ import annotations

import time
from difflib import SequenceMatcher
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from llm_banking.training.augment import WORDS_PER_SLIP, _slips, augment

TEXT = "Could you tell me why the transfer to my savings account has not arrived yet?"


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - no secret


@settings(deadline=None)
@given(st.text(max_size=120), st.integers(0, 10_000), st.floats(0, 2))
def test_any_text_survives(text: str, seed: int, strength: float) -> None:
    spoiled = augment(text, seeded(seed), strength)
    assert spoiled == augment(text, seeded(seed), strength)
    assert bool(spoiled) or len(text) <= 1


def test_no_strength_no_change() -> None:
    assert all(augment(TEXT, seeded(seed), 0) == TEXT for seed in range(50))


def test_a_share_of_rows_stays_clean_and_more_strength_leaves_fewer() -> None:
    def changed(strength: float) -> float:
        return sum(augment(TEXT, seeded(seed), strength) != TEXT for seed in range(2000)) / 2000

    assert 0.15 < changed(0.3) < changed(1.0) < 0.9
    assert changed(1.0) > 0.5


def test_slips_come_about_once_in_nine_words() -> None:
    text = "every morning seven sleepy horses wander along the muddy river " * 5
    rng = seeded(1)
    places = 0
    for _ in range(200):
        matcher = SequenceMatcher(None, text, _slips(text, rng, WORDS_PER_SLIP * 5), autojunk=False)
        changes = [begin for tag, begin, *_ in matcher.get_opcodes() if tag != "equal"]
        places += sum(after - before > 3 for before, after in pairwise([-9, *changes]))
    words_per_slip = 200 * len(text.split()) / places
    assert 6 < words_per_slip < 13


def test_wrapping_can_be_left_out() -> None:
    def longest(wrap: bool) -> int:
        return max(len(augment("yes", seeded(seed), 1.0, wrap=wrap)) for seed in range(500))

    assert longest(wrap=False) <= 7
    assert longest(wrap=True) > 9


def test_it_costs_nothing_beside_a_training_step() -> None:
    rng = seeded(0)
    start = time.perf_counter()
    for _ in range(2000):
        augment(TEXT, rng)
    assert (time.perf_counter() - start) / 2000 < 0.0005
