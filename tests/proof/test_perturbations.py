"""Every perturbation does what its name and strength say."""

from __future__ import annotations

import random
import re
import unicodedata

import pytest

from llm_banking.proof.perturbation_texts import LOOKALIKES
from llm_banking.proof.perturbations import PERTURBATIONS, RAMBLE_CHARACTERS, Perturbation, typos

TEXTS = [
    "Please tell me why the transfer to my savings account is late, it was $1,200.50 on Monday!",
    "what's the balance of my credit card",
    "I don't know who took 40 pounds out of my account. Thank you for looking into it.",
] * 40


def named(name: str, strength: str | None = None) -> Perturbation:
    return next(one for one in PERTURBATIONS if one.name == name and strength in {None, one.strength})


@pytest.mark.parametrize("one", PERTURBATIONS, ids=lambda one: f"{one.name}, {one.strength}")
def test_same_seed_same_text_and_another_seed_another(one: Perturbation) -> None:
    assert one.texts(TEXTS, 1) == one.texts(TEXTS, 1)
    fixed = {"no punctuation", "upper case", "lower case", "full-width letters", "chat abbreviations"}
    assert (one.texts(TEXTS, 1) == one.texts(TEXTS, 2)) == (one.name in fixed)
    assert one.texts(TEXTS, 1) != TEXTS
    assert all(text.strip() for text in one.texts(TEXTS, 1))


def test_names_and_strengths_are_unique() -> None:
    assert len({(one.name, one.strength) for one in PERTURBATIONS}) == len(PERTURBATIONS)


@pytest.mark.parametrize("share", [0.1, 0.2])
def test_typos_come_at_their_rate_each_one_slip(share: float) -> None:
    rng = random.Random(3)  # noqa: S311 - no secret
    words = changed = 0
    text = "the quick brown horse jumps above seven lazy sleepy hounds"
    for _ in range(400):
        spoiled = typos(share)(text, rng)
        pairs = list(zip(text.split(), spoiled.split(), strict=True))
        words += len(pairs)
        changed += sum(a != b for a, b in pairs)
        assert all(abs(len(a) - len(b)) <= 1 for a, b in pairs)
    # A swap of two equal letters changes nothing, so a little is lost.
    assert 0.93 * share <= changed / words <= share + 1e-9


def test_look_alike_letters_come_at_their_share() -> None:
    for strength, share in (("10% of letters", 0.1), ("30% of letters", 0.3)):
        spoiled = named("look-alike letters", strength).texts(TEXTS, 5)
        could = sum(letter in LOOKALIKES for text in TEXTS for letter in text)
        did = sum(a != b for text, other in zip(TEXTS, spoiled, strict=True) for a, b in zip(text, other, strict=True))
        assert did / could == pytest.approx(share, abs=0.02)


def test_no_punctuation_keeps_words_and_numbers() -> None:
    assert named("no punctuation").texts(["What's $1,200.50, Zoe?"], 0) == ["Whats $1.200.50 Zoe"]


def test_full_width_folds_back() -> None:
    spoiled = named("full-width letters").texts(TEXTS, 0)
    assert [unicodedata.normalize("NFKC", text) for text in spoiled] == TEXTS
    assert spoiled[1] != TEXTS[1]


def test_wrapping_keeps_the_request_and_spares_small_talk() -> None:
    for one in PERTURBATIONS:
        assert one.applies("check_balance")
        assert one.applies("greeting") != one.wraps
        if one.wraps and "no punctuation" not in one.name:
            assert all(a in b for a, b in zip(TEXTS, one.texts(TEXTS, 2), strict=True))


def test_a_ramble_has_its_length() -> None:
    lengths = [len(text) for text in named("ramble around", "2,000 characters").texts(TEXTS, 2)]
    assert all(RAMBLE_CHARACTERS - 120 <= length <= RAMBLE_CHARACTERS + 120 for length in lengths)


def test_abbreviations() -> None:
    assert named("chat abbreviations").texts(["Please check your credit card account"], 0) == ["pls check ur cc acct"]


def test_zero_width_characters_are_invisible() -> None:
    for text, spoiled in zip(TEXTS, named("zero-width characters").texts(TEXTS, 2), strict=True):
        assert re.sub("[\u200b-\u200d\u2060\ufeff\u00ad]", "", spoiled) == text
