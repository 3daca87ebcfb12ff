from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llm_banking.nlu.evaluation import RowsInvalidError
from llm_banking.nlu.files import predict_file
from llm_banking.nlu.reader import Reader


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "in.jsonl"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def test_each_line_gets_its_reading_and_keeps_its_keys(reader: Reader, source: Path, target: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": 7, "text": "What is my account balance?", "channel": {"kind": "web"}},
        {"text": "Where is my card? 💳", "category": "card_arrival"},
    ]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert predict_file(reader, source, target) == 2
    written = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert written == [{**row, **reader.read(row["text"]).as_dict()} for row in rows]
    assert written[0]["id"] == 7
    assert written[0]["channel"] == {"kind": "web"}
    assert written[1]["category"] == "card_arrival"
    assert set(target.parent.iterdir()) == {source, target}


GOOD = '{"text": "What is my account balance?"}\n'


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        ("not json\n", "not JSON"),
        ("\n", "not JSON"),
        ('"a string"\n', "not a JSON object"),
        ('{"words": "hi"}\n', "no text"),
        ('{"text": null}\n', "no text"),
        ('{"text": "  "}\n', "empty"),
        ('{"text": "\\ud83d"}\n', "surrogate"),
        ('{"text": "hi", "note": "\\ud83d"}\n', ""),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_left_behind(
    reader: Reader, source: Path, target: Path, bad: str, what: str
) -> None:
    source.write_text(GOOD + GOOD + bad, encoding="utf-8")
    with pytest.raises(RowsInvalidError, match=rf"in\.jsonl.*\b3\b.*{what}"):
        predict_file(reader, source, target)
    assert list(target.parent.iterdir()) == [source]


def test_an_earlier_result_survives_a_failed_run(reader: Reader, source: Path, target: Path) -> None:
    target.write_text("earlier", encoding="utf-8")
    source.write_text(GOOD + "{\n", encoding="utf-8")
    with pytest.raises(RowsInvalidError):
        predict_file(reader, source, target)
    assert target.read_text(encoding="utf-8") == "earlier"


def test_a_source_that_is_not_there_is_refused(reader: Reader, source: Path, target: Path) -> None:
    with pytest.raises(RowsInvalidError, match="is not a file"):
        predict_file(reader, source, target)
    assert not target.exists()


def test_a_file_may_be_read_into_its_own_place(reader: Reader, source: Path) -> None:
    source.write_text(GOOD, encoding="utf-8")
    assert predict_file(reader, source, source) == 1
    assert json.loads(source.read_text(encoding="utf-8"))["intent"] == "check_balance"
