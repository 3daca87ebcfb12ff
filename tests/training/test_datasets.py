from __future__ import annotations

import gzip
import hashlib
import random
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from llm_banking.nlu.taxonomy import CLINC_TO_INTENT, LABELS, OUT_OF_SCOPE, SUPPORT_INTENTS
from llm_banking.training.datasets import (
    CLINC_NEVER_REJECTED,
    CLINC_UNSEEN_DOMAINS,
    HELD_OUT_OPERATIONAL_ROWS,
    HELD_OUT_REJECT_SHARE,
    HELD_OUT_SUPPORT_ROWS,
    OWN_EXAMPLES,
    Corpus,
    DataInvalidError,
    DataMissingError,
    Example,
    _split,
    canonical,
    load_corpus,
    read_banking77,
    read_own_examples,
    require,
)
from tests.training.conftest import BANKING77, CLINC, CONTRADICTED, write_banking77, write_clinc


@pytest.fixture(scope="module")
def corpus(tiny_data: Path) -> Corpus:
    return load_corpus(tiny_data)


def everything(corpus: Corpus) -> list[Example]:
    return [*corpus.train, *corpus.calibration]


@pytest.mark.parametrize(
    ("name", "source"), [("banking77/train.csv", "PolyAI-LDN"), ("clinc150/train.jsonl.gz", "clinc/oos-eval")]
)
def test_a_missing_file_says_where_to_get_it_and_where_to_put_it(tmp_path: Path, name: str, source: str) -> None:
    with pytest.raises(DataMissingError) as caught:
        require(tmp_path, name)
    assert str(tmp_path / name) in caught.value.message
    assert source in caught.value.message
    assert "LLM_BANKING_DATA_DIR" in caught.value.message


def test_a_corpus_needs_both_data_sets(tmp_path: Path) -> None:
    with pytest.raises(DataMissingError, match="banking77"):
        load_corpus(tmp_path)
    write_banking77(tmp_path / "banking77" / "train.csv", [("a", "change_pin")])
    with pytest.raises(DataMissingError, match="clinc150"):
        load_corpus(tmp_path)


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ([("good", "change_pin"), ("bad", "change_pins")], 3),
        ([("good\nover two lines", "change_pin"), ("bad", "check_balance")], 4),
        ([("bad", "")], 2),
    ],
)
def test_an_unknown_category_is_named_by_its_line(tmp_path: Path, rows: list[tuple[str, str]], line: int) -> None:
    write_banking77(tmp_path / "train.csv", rows)
    with pytest.raises(DataInvalidError, match=rf"train\.csv: line {line}: "):
        read_banking77(tmp_path / "train.csv")


@pytest.mark.parametrize("header", ["", "words,category", "text,label", "text"])
def test_missing_columns_are_named(tmp_path: Path, header: str) -> None:
    (tmp_path / "train.csv").write_text(f"{header}\nhi,change_pin\n" if header else "", encoding="utf-8")
    with pytest.raises(DataInvalidError, match=r"train\.csv: line 1: .*'text' and 'category'"):
        read_banking77(tmp_path / "train.csv")


def test_texts_keep_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    text = 'Where, "exactly",\nis it?'
    write_banking77(tmp_path / "train.csv", [(text, "card_arrival")])
    assert read_banking77(tmp_path / "train.csv") == [Example(text, "card_arrival", "banking77")]


@pytest.mark.parametrize("line", ["{", "[]", '{"text": "hi"}', '{"text": 5, "intent": "balance", "domain": "banking"}'])
def test_a_broken_clinc_row_is_named_by_its_line(tmp_path: Path, line: str) -> None:
    write_banking77(tmp_path / "banking77" / "train.csv", [("a", "change_pin")])
    write_clinc(tmp_path / "clinc150" / "train.jsonl.gz", CLINC[:1])
    with gzip.open(tmp_path / "clinc150" / "train.jsonl.gz", "at", encoding="utf-8") as stream:
        stream.write(line + "\n")
    with pytest.raises(DataInvalidError, match=r"train\.jsonl\.gz: line 2"):
        load_corpus(tmp_path)


def test_clinc_classes_become_our_intents(corpus: Corpus) -> None:
    labels = {canonical(row.text): row.label for row in everything(corpus) if row.source == "clinc150"}
    expected = {canonical(text): CLINC_TO_INTENT[intent] for text, intent, _ in CLINC if intent in CLINC_TO_INTENT}
    del expected["still no card in the mailbox"]
    assert labels == expected


def test_classes_close_to_ours_are_neither_taught_nor_rejected(corpus: Corpus) -> None:
    near = {text for text, intent, _ in CLINC if intent in CLINC_NEVER_REJECTED}
    assert len(near) == 6
    assert near.isdisjoint(row.text.rstrip("?.") for row in (*everything(corpus), *corpus.unseen_out_of_scope))


def test_other_domains_are_taught_as_not_ours_and_two_stay_unseen(corpus: Corpus) -> None:
    taught = {row.text.rstrip("?.") for row in everything(corpus) if row.label == OUT_OF_SCOPE and row.source != "own"}
    unseen = {row.text for row in corpus.unseen_out_of_scope}
    assert taught == {text for text, _, domain in CLINC if domain in {"kitchen_and_dining", "auto_and_commute"}}
    assert unseen == {text for text, intent, _ in CLINC if intent in {"book_flight", "oos"}}
    sources = {row.source for row in everything(corpus)}
    assert sources.isdisjoint({f"clinc150:{domain}" for domain in CLINC_UNSEEN_DOMAINS})
    assert {row.label for row in corpus.unseen_out_of_scope} == {OUT_OF_SCOPE}


def test_a_row_that_occurs_twice_is_kept_once(corpus: Corpus) -> None:
    keys = Counter(canonical(row.text) for row in everything(corpus))
    assert keys["rate for pounds"] == 1
    assert max(keys.values()) == 1


def test_a_row_with_two_labels_is_dropped_within_and_across_data_sets(corpus: Corpus) -> None:
    keys = {canonical(row.text) for row in everything(corpus)}
    assert canonical(CONTRADICTED) not in keys
    assert "still no card in the mailbox" not in keys
    assert "tracking for the debit card i ordered" in keys


def test_every_source_arrives_whole(corpus: Corpus) -> None:
    sources = Counter(row.source for row in everything(corpus))
    assert sources["banking77"] == sum(len(texts) for texts in BANKING77.values()) - 1
    assert sources["own"] == len({canonical(text) for texts in read_own_examples().values() for text in texts})


def test_the_split_holds_out_so_many_of_each_label_and_is_the_same_each_time(corpus: Corpus, tiny_data: Path) -> None:
    train, held = ({canonical(row.text) for row in rows} for rows in (corpus.train, corpus.calibration))
    assert train.isdisjoint(held)
    eligible: Counter[str] = Counter()
    for row in everything(corpus):
        if row.label not in SUPPORT_INTENTS or row.source == "banking77":
            eligible[row.label] += 1
    out = Counter(row.label for row in corpus.calibration)
    for label, rows in eligible.items():
        if label == OUT_OF_SCOPE:
            wanted = round(rows * HELD_OUT_REJECT_SHARE)
        else:
            wanted = HELD_OUT_SUPPORT_ROWS if label in SUPPORT_INTENTS else HELD_OUT_OPERATIONAL_ROWS
        assert out[label] == min(wanted, rows // 2), label
    assert load_corpus(tiny_data) == corpus
    assert load_corpus(tiny_data, seed=1).calibration != corpus.calibration


def test_our_own_support_rows_are_never_what_a_model_is_judged_by(corpus: Corpus) -> None:
    held = {(row.label in SUPPORT_INTENTS, row.source) for row in corpus.calibration}
    assert (True, "banking77") in held
    assert (True, "own") not in held
    assert any(row.source == "own" and row.label in SUPPORT_INTENTS for row in corpus.train)


def test_a_split_does_not_depend_on_the_order_of_the_groups() -> None:
    rows = [Example(f"{label} {number}", label, "own") for label in ("pay_bill", "thanks") for number in range(30)]
    forward, backward = (_split(given, random.Random(0)) for given in (rows, rows[30:] + rows[:30]))  # noqa: S311
    assert [len(part) for part in forward] == [30, 30]
    assert forward == backward


def test_a_shrunken_corpus_has_at_most_so_many_rows_for_each_label(tiny_data: Path, corpus: Corpus) -> None:
    small = load_corpus(tiny_data, rows_per_label=3)
    counts = Counter(row.label for row in everything(small))
    assert set(counts) == {row.label for row in everything(corpus)}
    assert max(counts.values()) == 3


def test_the_corpus_names_its_files_by_their_hashes(corpus: Corpus, tiny_data: Path) -> None:
    for name in ("banking77/train.csv", "clinc150/train.jsonl.gz"):
        assert corpus.sha256[name] == hashlib.sha256((tiny_data / name).read_bytes()).hexdigest()
    assert set(corpus.sha256) == {"banking77/train.csv", "clinc150/train.jsonl.gz", *OWN_EXAMPLES}


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("Where's my card?", "where s MY card", True),
        ("  pay\tthe  bill ", "pay the bill!", True),
        ("STRASSE", "straße", True),
        ("pay 5", "pay 6", False),
    ],
)
def test_case_and_punctuation_do_not_make_another_row(left: str, right: str, *, same: bool) -> None:
    assert (canonical(left) == canonical(right)) is same


def test_our_own_examples_are_of_known_labels_and_none_is_empty() -> None:
    examples = read_own_examples()
    assert set(examples) <= set(LABELS)
    assert OUT_OF_SCOPE in examples
    for label, texts in examples.items():
        assert texts, label
        assert all(isinstance(text, str) and canonical(text) for text in texts), label


def test_our_own_examples_hold_no_text_under_two_labels() -> None:
    where: dict[str, set[str]] = defaultdict(set)
    for label, texts in read_own_examples().items():
        for text in texts:
            where[canonical(text)].add(label)
    assert {text: labels for text, labels in where.items() if len(labels) > 1} == {}


def test_half_of_the_unpunctuated_rows_are_given_an_end_and_banking77_is_left_alone(corpus: Corpus) -> None:
    """Otherwise the typist would give the layer away."""
    clinc = [row.text for row in everything(corpus) if row.source.startswith("clinc150")]
    ended = [text for text in clinc if text[-1] in "?."]
    assert 0.3 < len(ended) / len(clinc) < 0.7
    assert all(text.endswith("?") for text in ended if text.startswith(("how ", "is ", "what ", "does ")))
    originals = {text for texts in BANKING77.values() for text in texts}
    assert {row.text for row in everything(corpus) if row.source == "banking77"} <= originals | {"Rate for POUNDS?"}
