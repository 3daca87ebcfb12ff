"""Reading the span sets. The rows are written here in the shape of the sets."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from llm_banking.nlu.evaluation import RowsInvalidError
from llm_banking.nlu.span_rows import (
    MULTIDOGO,
    NLUPP,
    PRESIDIO,
    SGD,
    SPAN_FILES,
    UNSURE,
    Part,
    SpanExample,
    read_span_rows,
)
from llm_banking.nlu.spans import Span

PARTS: tuple[Part, ...] = ("train", "dev", "held")


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(lines.encode()) if path.suffix == ".gz" else lines.encode())
    return path


def every(path: Path, source: str) -> list[SpanExample]:
    return [row for part in PARTS for row in read_span_rows(path, source, part)]


def nlupp(fold: int, text: str = "pay ana 5 euros", slots: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"fold": fold, "text": text, "slots": slots or {}}


def test_nlupp_is_divided_by_fold(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [nlupp(fold, f"text {fold}") for fold in range(10)])
    texts = {part: [row.text[-1] for row in read_span_rows(path, NLUPP, part)] for part in PARTS}
    assert texts == {"train": list("0123456"), "dev": ["7"], "held": ["8", "9"]}


def test_nlupp_slots_become_types_with_values(tmp_path: Path) -> None:
    slots = {
        "person_name": {"text": "ana", "span": [4, 7], "value": "ana"},
        "amount_of_money": {"text": "5 euros", "span": [8, 15], "value": {"amount": 5.0, "currency": "EUR"}},
        "number": {"text": "5", "span": [8, 9], "value": 5},
    }
    (row,) = every(write(tmp_path / "rows.jsonl", [nlupp(0, slots=slots)]), NLUPP)
    assert row.spans == (Span(4, 7, "PERSON"), Span(8, 15, "AMOUNT"))
    assert row.names == ("person_name", "amount_of_money")
    assert row.values == ("ana", {"amount": 5.0, "currency": "EUR"})


def test_hours_are_marked_unsure(tmp_path: Path) -> None:
    slots = {"time_period": {"text": "5 euros", "span": [8, 15], "values": {"type": "ambiguous"}}}
    (row,) = every(write(tmp_path / "rows.jsonl", [nlupp(0, slots=slots)]), NLUPP)
    assert row.spans == (Span(8, 15, UNSURE),)


@pytest.mark.parametrize("source", [SGD, MULTIDOGO, PRESIDIO])
def test_groups_are_never_cut_in_two(tmp_path: Path, source: str) -> None:
    rows = [
        {"id": f"c-{group}-{turn}.0", "dialogue_id": f"d{group}", "template_id": group, "text": f"{group}", "spans": []}
        for turn in range(3)
        for group in range(60)
    ]
    path = write(tmp_path / "rows.jsonl.gz", rows)
    groups = {part: {row.text for row in read_span_rows(path, source, part)} for part in PARTS}
    assert groups["train"] | groups["dev"] | groups["held"] == {str(group) for group in range(60)}
    assert sum(len(found) for found in groups.values()) == 60
    assert min(len(found) for found in groups.values()) >= 3


def test_other_marks_of_a_set_are_left_out(tmp_path: Path) -> None:
    marks = [
        {"start": 0, "end": 3, "type": "TITLE", "text": "mrs"},
        {"start": 4, "end": 7, "type": "PERSON", "text": "ana"},
        {"start": 8, "end": 13, "type": "CREDIT_CARD", "text": "41111"},
    ]
    (row,) = every(
        write(tmp_path / "rows.jsonl", [{"text": "mrs ana 41111", "template_id": 1, "spans": marks}]), PRESIDIO
    )
    assert [one.type for one in row.spans] == ["PERSON", "CARD"]


def test_of_overlapping_marks_the_longer_stays(tmp_path: Path) -> None:
    marks = [
        {"start": 4, "end": 7, "type": "PERSON", "text": "ana"},
        {"start": 4, "end": 12, "type": "ORGANIZATION", "text": "ana corp"},
    ]
    row = {"text": "pay ana corp", "template_id": 1, "spans": marks}
    (found,) = every(write(tmp_path / "rows.jsonl", [row]), PRESIDIO)
    assert found.spans == (Span(4, 12, "ORGANIZATION"),)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{not json\n", "line 1 cannot be read"),
        ('{"text": 3}\n', "line 1: a JSON object with a text is needed"),
        ('{"text": "a"}\n', "lacks a field of presidio_research"),
        (
            '{"text": "ab", "template_id": 1, "spans": [{"start": 1, "end": 9, "type": "PERSON"}]}\n',
            "line 1: the span 1 to 9 does not lie in the text",
        ),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(RowsInvalidError, match=says):
        every(path, PRESIDIO)


def test_a_file_that_is_not_packed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_text("plain", encoding="utf-8")
    with pytest.raises(RowsInvalidError, match="cannot be read; get the file again"):
        every(path, MULTIDOGO)


@pytest.mark.data
@pytest.mark.parametrize("source", SPAN_FILES)
def test_the_real_sets_are_read_and_every_part_has_spans(source: str) -> None:
    from tests.conftest import DATA_DIR  # noqa: PLC0415 - only where there is a data folder

    sizes = []
    for part in PARTS:
        rows = read_span_rows(DATA_DIR / SPAN_FILES[source], source, part)
        sizes.append(sum(len(row.spans) for row in rows))
        assert all(row.text[one.start : one.end].strip() for row in rows for one in row.spans)
    assert sizes[0] > sizes[1] > 0
    assert sizes[2] > 50
