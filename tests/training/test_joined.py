from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from llm_banking.training.joined import join_among, join_texts

WORDS = st.text(st.sampled_from("abcIX '?!., "), min_size=1, max_size=30).filter(lambda text: text.strip(".?! "))


@given(WORDS, WORDS, st.integers())
def test_both_texts_stand_where_the_spans_say(one: str, two: str, seed: int) -> None:
    joined = join_texts(random.Random(seed), one, two)  # noqa: S311 - a template, not a secret
    (start, middle), (second, end) = joined.spans
    assert 0 <= start < middle < second < end <= len(joined.text)
    first, last = joined.text[start:middle], joined.text[second:end]
    assert first.casefold().rstrip(".?! ") == one.strip().casefold().rstrip(".?! ")
    assert last.casefold() == two.strip().casefold()


@given(st.lists(WORDS, min_size=1, max_size=4), st.integers())
def test_every_text_of_a_longer_message_stands_where_its_span_says(texts: list[str], seed: int) -> None:
    joined = join_among(random.Random(seed), texts)  # noqa: S311 - an order, not a secret
    inside = sorted(joined.spans)
    assert all(before[1] < after[0] for before, after in pairwise(inside))
    assert (inside[0][0], inside[-1][1]) == (0, len(joined.text))
    for (start, end), text in zip(joined.spans, texts, strict=True):
        assert joined.text[start:end].rstrip(".?! ") == text.strip().rstrip(".?! ")


def test_the_order_and_what_stands_between_vary() -> None:
    rng = random.Random(1)  # noqa: S311 - an order, not a secret
    found = {join_among(rng, ["pay rent.", "how are you?"]).text for _ in range(300)}
    assert {"pay rent. how are you", "how are you pay rent", "pay rent.\nhow are you?"} <= found


def test_every_way_of_joining_is_used() -> None:
    rng = random.Random(1)  # noqa: S311 - a template, not a secret
    found = {join_texts(rng, "pay the rent?", "I need cash").text for _ in range(400)}
    assert {"pay the rent and I need cash", "pay the rent? I need cash", "pay the rent?\nI need cash"} <= found
    assert "Hi! Pay the rent and I need cash. Thanks" in found
