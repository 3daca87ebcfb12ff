"""The parts of the report that judge more than the intent: strangers, slots, personal data, several requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from llm_banking.nlu.doubt import Calibration
from llm_banking.nlu.personal_data import PersonalData
from llm_banking.nlu.reader import Reader
from llm_banking.nlu.scope import Neighbours
from llm_banking.nlu.slots import Prefer, Slot
from llm_banking.proof.out_of_scope import Reads, measure_out_of_scope, strangers
from llm_banking.proof.requests import ReadRequests, evaluate_requests
from llm_banking.proof.spans import ReadText, evaluate_spans


@dataclass(frozen=True, slots=True)
class Senses:
    """What a model reads beside the intent."""

    outputs: Reads
    spans: ReadText
    calibration: Calibration
    neighbours: Neighbours
    requests: ReadRequests


def senses_of(reader: Reader) -> Senses:
    """What the reader's model can do."""

    def spans(text: str, today: date, prefer: Prefer | None) -> tuple[tuple[Slot, ...], tuple[PersonalData, ...]]:
        if not any(one.isprintable() and not one.isspace() for one in text):
            return (), ()
        reading = reader.read(text, today=today, prefer=prefer)
        return reading.slots, reading.pii

    return Senses(
        outputs=reader.outputs,
        spans=spans,
        calibration=reader.artifact.calibration,
        neighbours=reader.artifact.neighbours,
        requests=lambda text: reader.read(text).requests,
    )


def further_sections(
    senses: Senses, ours: Sequence[tuple[str, str]], data_dir: Path
) -> Mapping[str, Callable[[], dict[str, Any]]]:
    """Sections by name; `ours` are held-out rows of our intents. A section that cannot be measured says why."""
    return {
        "out_of_scope": lambda: out_of_scope(senses, [text for text, _ in ours], data_dir),
        "spans": lambda: spans(senses, data_dir),
        "requests": lambda: requests(senses, ours, data_dir),
    }


def out_of_scope(senses: Senses, ours: Sequence[str], data_dir: Path) -> dict[str, Any]:
    """The scores that tell ours from strangers, and what the shipped thresholds do with each."""
    if not ours:
        return {"left_out": "there are no held-out rows"}
    return measure_out_of_scope(senses.outputs, senses.calibration, senses.neighbours, ours, strangers(data_dir))


def spans(senses: Senses, data_dir: Path) -> dict[str, Any]:
    """Slots and personal data on the parts of four sets that no training reads; `absent` says which sets are not here.

    Raises RowsInvalidError.
    """
    figures = evaluate_spans(data_dir, senses.spans)
    figures["absent"] = figures.pop("left_out")
    if not figures["slots"] and not figures["personal_data"]:
        return {"left_out": "none of the sets with marked spans is in the data folder"}
    return figures


def requests(senses: Senses, ours: Sequence[tuple[str, str]], data_dir: Path) -> dict[str, Any]:
    """Two requests in one message, and single requests that are cut in two."""
    if not ours:
        return {"left_out": "there are no held-out rows"}
    return evaluate_requests(senses.requests, ours, data_dir)
