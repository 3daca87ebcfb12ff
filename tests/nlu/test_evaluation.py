from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from llm_banking.nlu.evaluation import RowsInvalidError, evaluate_rows, load_rows
from llm_banking.nlu.reader import Reader
from llm_banking.nlu.taxonomy import LABELS, OUT_OF_SCOPE

TEXTS = ["What is my account balance?", "My card has not arrived", "Freeze my account", "Tell me a joke"]


def write(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def test_a_csv_is_read_with_quotes_commas_and_line_breaks(tmp_path: Path) -> None:
    path = write(
        tmp_path, "rows.csv", 'text,category\n"Where, ""exactly"",\nis it?",card_arrival\nfreeze it,freeze_account\n'
    )
    assert load_rows(path) == (['Where, "exactly",\nis it?', "freeze it"], ["card_arrival", "freeze_account"])


@pytest.mark.parametrize("key", ["category", "intent"])
def test_a_jsonl_is_read_with_either_name_of_the_label(tmp_path: Path, key: str) -> None:
    rows = [{"text": "freeze ü", key: "freeze_account", "id": 1}, {"text": "no", key: OUT_OF_SCOPE}]
    path = write(tmp_path, "rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert load_rows(path) == (["freeze ü", "no"], ["freeze_account", OUT_OF_SCOPE])


GOOD = '{"text": "hi", "intent": "greeting"}\n'


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("rows.csv", "text,category\nhi,greeting\nhi,greetings\n", r"\b3\b.*'greetings' is no label"),
        ("rows.csv", "text,category\nhi,greeting\nhi\n", r"\b3\b.*needed"),
        ("rows.csv", "words,category\nhi,greeting\n", r"\b2\b.*'text'"),
        ("rows.csv", "text,label\nhi,greeting\n", r"\b2\b.*'category'"),
        ("rows.csv", 'text,category\n"two\nlines",greeting\nhi,greetings\n', r"\b4\b.*no label"),
        ("rows.jsonl", GOOD + "{\n", r"\b2\b.*not JSON"),
        ("rows.jsonl", GOOD + "\n" + GOOD, r"\b2\b.*not JSON"),
        ("rows.jsonl", GOOD + "[]\n", r"\b2\b.*not a JSON object"),
        ("rows.jsonl", GOOD + '{"intent": "greeting"}\n', r"\b2\b.*'text'"),
        ("rows.jsonl", GOOD + '{"text": 5, "intent": "greeting"}\n', r"\b2\b.*'text'"),
        ("rows.jsonl", GOOD + '{"text": "hi"}\n', r"\b2\b.*'intent'"),
        ("rows.jsonl", GOOD + '{"text": "hi", "category": null}\n', r"\b2\b.*'category'"),
        ("rows.jsonl", GOOD + '{"text": "hi", "intent": "Greeting"}\n', r"\b2\b.*'Greeting' is no label"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, name: str, content: str, place: str) -> None:
    with pytest.raises(RowsInvalidError, match=rf"{re.escape(name)}: .*{place}"):
        load_rows(write(tmp_path, name, content))


@pytest.mark.parametrize("content", ["", "text,category\n"])
def test_a_file_without_rows_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(RowsInvalidError, match="no rows"):
        load_rows(write(tmp_path, "rows.csv", content))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RowsInvalidError, match=r"nowhere\.csv is not a file"):
        load_rows(tmp_path / "nowhere.csv")
    with pytest.raises(RowsInvalidError, match="is not a file"):
        load_rows(tmp_path)


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b'text,category\n"caf\xe9",greeting\n')
    with pytest.raises(RowsInvalidError, match=name):
        load_rows(tmp_path / name)


def test_a_row_that_the_model_cannot_read_is_refused(reader: Reader, tmp_path: Path) -> None:
    path = write(tmp_path, "rows.jsonl", GOOD + '{"text": "\\ud800", "intent": "greeting"}\n')
    with pytest.raises(RowsInvalidError, match=r"(row|line|[Tt]ext) 2\b"):
        evaluate_rows(reader, *load_rows(path), restrict_to_support=False)


def test_a_restricted_evaluation_refuses_labels_outside_the_77(reader: Reader) -> None:
    with pytest.raises(RowsInvalidError, match="check_balance"):
        evaluate_rows(reader, TEXTS[:2], ["check_balance", "card_arrival"], restrict_to_support=True)


def test_an_unrestricted_evaluation_scores_what_the_reader_says(reader: Reader) -> None:
    """Gold is what the raw scores prefer, the reject label included, but for one row that is wrong on purpose."""
    gold = [LABELS[index] for index in reader.outputs(TEXTS)[0].argmax(axis=1)]
    assert evaluate_rows(reader, TEXTS, gold, restrict_to_support=False)["accuracy"] == 1.0
    gold[0] = "change_pin"
    report = evaluate_rows(reader, TEXTS, gold, restrict_to_support=False)
    assert report["accuracy"] == 0.75
    assert report["rows"] == 4
    assert report["model_version"] == reader.artifact.version
    assert report["per_intent"]["change_pin"]["recall"] == 0.0


def test_a_restricted_evaluation_lets_only_the_77_compete(reader: Reader) -> None:
    """A balance question has no support label; restricted, the best of the 77 counts as right."""
    best = LABELS[int(np.argmax(reader.outputs(TEXTS[:1])[0][0, :77]))]
    assert evaluate_rows(reader, TEXTS[:1], [best], restrict_to_support=True)["accuracy"] == 1.0
    assert evaluate_rows(reader, TEXTS[:1], [best], restrict_to_support=False)["accuracy"] == 0.0
