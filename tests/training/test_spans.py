"""What the token head learns from. Sentences and names are made up here."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from tokenizers import BertWordPieceTokenizer, Tokenizer

from llm_banking.nlu.span_rows import UNSURE, SpanExample
from llm_banking.nlu.spans import SPAN_TYPES, TAGS, Span, Word
from llm_banking.training.datasets import DataInvalidError, DataMissingError
from llm_banking.training.spans import (
    Pools,
    aligned,
    allowed_tags,
    load_pools,
    load_span_examples,
    own_examples,
    training_examples,
    varied,
)

ALL = frozenset(SPAN_TYPES)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "pay", "an", "##a", "lima", "'", "s", "rent", "20"]
    made = BertWordPieceTokenizer({word: at for at, word in enumerate(vocabulary)}, lowercase=True)
    made.enable_truncation(16)
    return Tokenizer.from_str(made.to_str())


def example(text: str, *marks: tuple[str, str], typed: frozenset[str] = ALL) -> SpanExample:
    spans = tuple(Span(text.index(part), text.index(part) + len(part), kind) for part, kind in marks)
    return SpanExample(text, spans, "own", typed)


def may(text: str, *marks: tuple[str, str], typed: frozenset[str] = ALL) -> list[set[str]]:
    words = [Word(at, at + 1, text.index(word), text.index(word) + len(word)) for at, word in enumerate(text.split())]
    table = allowed_tags(example(text, *marks, typed=typed), words)
    return [{TAGS[tag] for tag in np.flatnonzero(row)} for row in table]


def test_marked_words_have_their_tag_and_the_rest_is_outside() -> None:
    assert may("pay ana lima rent", ("ana lima", "PERSON")) == [{"O"}, {"B-PERSON"}, {"I-PERSON"}, {"O"}]


def test_what_a_source_does_not_mark_is_not_taught_as_outside() -> None:
    without = ALL - {"ADDRESS"}
    assert may("pay ana rent", ("ana", "PERSON"), typed=without) == [
        {"O", "B-ADDRESS", "I-ADDRESS"},
        {"B-PERSON"},
        {"O", "B-ADDRESS", "I-ADDRESS"},
    ]


def test_unsure_spans_and_cut_words_teach_nothing() -> None:
    assert may("pay ana rent", ("ana", UNSURE))[1] == set(TAGS)
    assert may("payana rent", ("ana", "PERSON"))[0] == set(TAGS)


def test_types_without_a_tag_are_outside() -> None:
    assert may("pay ana rent", ("ana", "EMAIL"))[1] == {"O"}


def test_words_are_aligned_with_their_pieces(tokenizer: Tokenizer) -> None:
    (row,) = aligned([example("Pay Ana's rent", ("Ana", "PERSON"))], tokenizer)
    assert [(one.first, one.last) for one in row.words] == [(1, 2), (2, 4), (4, 5), (5, 6), (6, 7)]
    tags = [TAGS[int(np.flatnonzero(one)[0])] for one in row.allowed]
    assert tags == ["O", "B-PERSON", "O", "O", "O"]


def test_a_text_without_words_is_left_out(tokenizer: Tokenizer) -> None:
    assert aligned([example(" "), example("pay")], tokenizer)[0].words[0].end == 3


def test_a_variation_keeps_its_marks_on_the_right_characters() -> None:
    pools = Pools(dict.fromkeys(SPAN_TYPES, ("bo berg", "cy")), ())
    source = example("please transfer 25 dollars to ana today", ("25 dollars", "AMOUNT"), ("ana", "PERSON"))
    seen = set()
    for seed in range(60):
        new = varied(source, pools, random.Random(seed))  # noqa: S311 - no secret
        amount, person = (new.text[one.start : one.end] for one in new.spans)
        assert [one.type for one in new.spans] == ["AMOUNT", "PERSON"]
        assert amount.endswith(" dollars")
        assert len(amount) == len("25 dollars")
        assert set(person.split()) <= {"ana", "bo", "berg", "cy"}
        seen.add(new.text)
    assert len(seen) > 30


def test_pools_hold_marked_text_once_and_own_merchants() -> None:
    pools = load_pools(
        [example("pay Ana  Lima", ("Ana  Lima", "PERSON")), example("to ana lima", ("ana lima", "PERSON"))]
    )
    assert pools.fillers["PERSON"] == ("ana lima",)
    assert "Netflix" in pools.fillers["ORGANIZATION"]


def test_every_blank_of_the_templates_is_filled_and_marked() -> None:
    pools = load_pools([example("pay ana lima", ("ana lima", "PERSON"))])
    made = own_examples(pools, len(pools.templates), random.Random(0))  # noqa: S311 - no secret
    for one, template in zip(made, pools.templates, strict=True):
        assert "{" not in one.text
        assert len(one.spans) == template.count("{")
        assert {span.type for span in one.spans} <= ALL
        assert all(one.text[span.start : span.end].strip() for span in one.spans)


def test_the_same_seed_gives_the_same_examples() -> None:
    sources = [example("pay ana 20 dollars now", ("ana", "PERSON")), example("no spans here")]
    first, again = (training_examples(sources, [], own=50, seed=3) for _ in range(2))
    assert first == again
    assert first != training_examples(sources, [], own=50, seed=4)


def test_a_wording_without_spans_stands_once() -> None:
    sources = [example("hi there")] * 5
    assert training_examples(sources, [], own=0, seed=0) == [example("hi there")]


def test_a_missing_set_says_what_to_get(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match="nlupp"):
        load_span_examples(tmp_path, "train")


def test_a_broken_set_is_named(tmp_path: Path) -> None:
    (tmp_path / "nlupp").mkdir()
    (tmp_path / "nlupp" / "banking_folds0-9.jsonl").write_text("nonsense\n", encoding="utf-8")
    with pytest.raises(DataInvalidError, match="line 1"):
        load_span_examples(tmp_path, "train")
