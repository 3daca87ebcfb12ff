"""The word list holds what is used, and none of what is only misspelt."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from llm_banking.nlu.words import words
from llm_banking.training.datasets import load_corpus
from llm_banking.training.wordlist import count_words, write_words

KNOWN = {"card", "cards", "cart", "bank", "my", "the", "banker", "zebra"}


def test_counts_without_misspellings_and_with_neighbours() -> None:
    texts = ["my card, the CARD"] * 20 + ["my crad"] * 2 + ["cards"] * 2 + ["once"]
    counts = count_words(texts, KNOWN)
    assert counts["card"] == 40
    assert counts["cards"] == 2
    assert "crad" not in counts
    assert "once" not in counts
    assert counts["cart"] == 0, "a right word that would pass for a slip"
    assert "zebra" not in counts


def test_written_commonest_first(tmp_path: Path) -> None:
    written = write_words(["my my card card card"], KNOWN, tmp_path / "words.txt")
    lines = (tmp_path / "words.txt").read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["card 3", "my 2"]
    assert written == len(lines)


def test_the_shipped_list_is_sane() -> None:
    assert words()["card"] > words()["cheque"] > 0
    assert "acount" not in words()
    assert all(count >= 0 and word == word.lower() for word, count in words().items())


@pytest.mark.data
def test_the_shipped_list_is_that_of_the_training_rows() -> None:
    """Word for word it is so on the day of a release; a few rows more or less may not make another list."""
    corpus = load_corpus(Path(os.environ.get("LLM_BANKING_DATA_DIR", "data")))
    counts = count_words((row.text for row in corpus.train), set())
    shipped = {word for word, count in words().items() if count > 10}
    counted = {word for word, count in counts.items() if count > 10}
    assert len(shipped & counted) >= 0.9 * len(shipped | counted)
