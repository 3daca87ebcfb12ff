"""The evaluation of spans judges readers that we make right or wrong on purpose. The rows are written here."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from llm_banking.nlu.personal_data import PersonalData
from llm_banking.nlu.slots import Prefer, Slot, find_slots
from llm_banking.proof.spans import evaluate_spans, spelled_amount

MARCH_20 = {"year": 2022, "month": 3, "day": 20}
MARCH_22 = {"year": 2022, "month": 3, "day": 22}
ROWS = [
    {
        "fold": 8,
        "text": "show it from the 20th to the 22nd of March",
        "slots": {
            "date_from": {"span": [17, 21], "value": MARCH_20},
            "date_to": {"span": [29, 42], "value": MARCH_22},
        },
    },
    {
        "fold": 9,
        "text": "did i pay acme 5 euros since the 20th of March",
        "slots": {
            "company_name": {"span": [10, 14], "value": "acme"},
            "amount_of_money": {"span": [15, 22], "value": {"amount": 5.0, "currency": "EUR"}},
            "date_from": {"span": [33, 46], "value": MARCH_20},
        },
    },
    {
        "fold": 8,
        "text": "it takes 3 hours",
        "slots": {"time_period": {"span": [9, 16], "values": {"type": "ambiguous"}}},
    },
    {"fold": 0, "text": "a training row for bo", "slots": {"person_name": {"span": [19, 21], "value": "bo"}}},
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "nlupp").mkdir()
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (tmp_path / "nlupp" / "banking_folds0-9.jsonl").write_text(lines, encoding="utf-8")
    return tmp_path


def slot(text: str, name: str, part: str, value: Any) -> Slot:
    start = text.index(part)
    return Slot(name, value, part, start, start + len(part))


def perfect(text: str, today: date, prefer: Prefer | None) -> tuple[Sequence[Slot], Sequence[PersonalData]]:
    if "acme" in text:
        return [
            slot(text, "payee", "acme", "acme"),
            slot(text, "amount", "5 euros", {"amount": "5.00", "currency": "EUR"}),
            slot(text, "period", "since the 20th of March", {"from": "2022-03-20", "to": "2022-11-21"}),
        ], ()
    if "show" in text:
        value = {"from": "2022-03-20", "to": "2022-03-22"}
        return [slot(text, "period", "from the 20th to the 22nd of March", value)], ()
    return (), ()


def blind(text: str, today: date, prefer: Prefer | None) -> tuple[Sequence[Slot], Sequence[PersonalData]]:
    return (), ()


def by_rule(text: str, today: date, prefer: Prefer | None) -> tuple[Sequence[Slot], Sequence[PersonalData]]:
    return find_slots(text, today=today, prefer=prefer), ()


def test_a_perfect_reader_scores_one(data: Path) -> None:
    figures = evaluate_spans(data, perfect)["slots"]["nlupp"]
    assert figures["rows"] == 3
    assert figures["exact"]["micro"] == figures["overlap"]["micro"]
    assert (figures["exact"]["micro"]["gold"], figures["exact"]["micro"]["f1"]) == (4, 1.0)
    for kind in ("AMOUNT", "DATE", "PERIOD", "ORGANIZATION"):
        assert figures["value_accuracy"][kind]["accuracy"] == 1.0


def test_a_blind_reader_scores_zero_and_its_misses_count(data: Path) -> None:
    figures = evaluate_spans(data, blind)["slots"]["nlupp"]
    assert figures["exact"]["micro"]["f1"] == 0.0
    assert figures["value_accuracy"]["AMOUNT"] == {"gold": 1, "found": 0, "accuracy": 0.0, "accuracy_of_found": None}
    assert figures["value_accuracy"]["TIME"]["accuracy"] is None


def test_a_wrong_value_on_the_right_span_is_wrong(data: Path) -> None:
    def wrong(text: str, today: date, prefer: Prefer | None) -> tuple[Sequence[Slot], Sequence[PersonalData]]:
        slots, _ = perfect(text, today, prefer)
        return [
            Slot(one.name, {"amount": "6.00", "currency": "EUR"}, one.text, one.start, one.end)
            if one.name == "amount"
            else one
            for one in slots
        ], ()

    figures = evaluate_spans(data, wrong)["slots"]["nlupp"]
    assert figures["exact"]["AMOUNT"]["f1"] == 1.0
    assert figures["value_accuracy"]["AMOUNT"]["accuracy_of_found"] == 0.0


def test_a_spurious_slot_costs_precision_but_relations_and_hours_do_not(data: Path) -> None:
    def noisy(text: str, today: date, prefer: Prefer | None) -> tuple[Sequence[Slot], Sequence[PersonalData]]:
        slots = list(perfect(text, today, prefer)[0])
        if "hours" in text:
            slots += [slot(text, "time", "3 hours", "03:00"), slot(text, "payee", "it", "it")]
        else:
            slots.append(Slot("payee", "my mom", "my mom", 0, 4))
        return slots, ()

    micro = evaluate_spans(data, noisy)["slots"]["nlupp"]["exact"]["micro"]
    assert (micro["predicted"], micro["precision"]) == (5, 0.8)


def test_open_dates_are_judged_in_both_directions(data: Path) -> None:
    asked: list[Prefer | None] = []

    def noting(text: str, today: date, prefer: Prefer | None) -> tuple[Sequence[Slot], Sequence[PersonalData]]:
        asked.append(prefer)
        return by_rule(text, today, prefer)

    evaluate_spans(data, noting)
    assert {None, "future"} == set(asked)


def test_personal_data_is_scored_by_type(tmp_path: Path) -> None:
    rows = [
        {
            "id": f"c{number}-1-0.0",
            "text": "ana 4411",
            "spans": [
                {"start": 0, "end": 3, "type": "PERSON_NAME", "text": "ana"},
                {"start": 4, "end": 8, "type": "CARD_NUMBER", "text": "4411"},
            ],
        }
        for number in range(40)
    ]
    (tmp_path / "multidogo_finance").mkdir()
    packed = gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())
    (tmp_path / "multidogo_finance" / "pii_spans_train.jsonl.gz").write_bytes(packed)

    def read(text: str, today: date, prefer: Prefer | None) -> tuple[Sequence[Slot], Sequence[PersonalData]]:
        return (), (PersonalData("PERSON", 0, 3, 0.9), PersonalData("SSN", 4, 8, 0.5), PersonalData("DATE", 0, 1, 0.1))

    figures = evaluate_spans(tmp_path, read)
    table = figures["personal_data"]["multidogo_finance"]["exact"]
    assert table["PERSON"]["f2"] == 1.0
    assert table["CARD"]["f2"] == 0.0
    assert table["any"]["f2"] == 1.0
    assert set(figures["left_out"]) == {"nlupp", "sgd_banks", "presidio_research"}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("$1,630", 1630),
        ("860 bucks", 860),
        ("one thousand six hundred and twenty bucks", 1620),
        ("three hundred and ten bucks", 310),
        ("forty-five dollars", 45),
        ("money", None),
    ],
)
def test_amounts_in_words_are_read_apart_from_our_own_reader(text: str, number: int | None) -> None:
    assert spelled_amount(text) == (None if number is None else Decimal(number))
