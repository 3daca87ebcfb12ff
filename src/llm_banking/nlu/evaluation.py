"""Scoring a labelled file with the model that serves."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llm_banking.kit.errors import LlmBankingError
from llm_banking.nlu.metrics import classification_report, softmax
from llm_banking.nlu.reader import Reader, TextInvalidError, check_text
from llm_banking.nlu.taxonomy import LABELS, SUPPORT_INTENTS


class RowsInvalidError(LlmBankingError):
    """A labelled file cannot be used; the message names the line and the remedy."""

    code = "DATA_INVALID"


def load_rows(path: Path) -> tuple[list[str], list[str]]:
    """Texts and labels of a CSV or JSONL file with `text` and `category` or `intent`. Raises RowsInvalidError."""
    if path.is_dir() or not path.exists():
        raise RowsInvalidError(f"{path} is not a file. Name a CSV or JSONL file with text and category columns.")
    texts: list[str] = []
    labels: list[str] = []
    for number, row in _csv_rows(path) if path.suffix == ".csv" else json_rows(path):
        text, label = row.get("text"), row.get("category", row.get("intent"))
        if not isinstance(text, str) or not isinstance(label, str):
            raise RowsInvalidError(f"{path}: line {number}: 'text' and 'category' (or 'intent') are needed.")
        if label not in LABELS:
            raise RowsInvalidError(f"{path}: line {number}: '{label}' is no label. See `llm-banking nlu labels`.")
        _check_row_text(path, number, text)
        texts.append(text)
        labels.append(label)
    if not texts:
        raise RowsInvalidError(f"{path} holds no rows.")
    return texts, labels


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of a CSV file with the number of the line on which each ends."""
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        try:
            for row in reader:
                yield reader.line_num, dict(row)
        except UnicodeDecodeError:
            raise RowsInvalidError(f"{path} is not UTF-8. Save it as UTF-8.") from None
        except csv.Error as error:
            raise RowsInvalidError(f"{path}: line {reader.line_num} is not CSV: {error}.") from None


def json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects of a JSONL file with their line numbers. Raises RowsInvalidError naming the line."""
    number = 0
    with path.open(encoding="utf-8") as stream:
        try:
            for number, line in enumerate(stream, start=1):
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise RowsInvalidError(f"{path}: line {number} is not a JSON object.")
                yield number, row
        except UnicodeDecodeError:
            raise RowsInvalidError(f"{path} is not UTF-8. Save it as UTF-8.") from None
        except ValueError as error:
            raise RowsInvalidError(f"{path}: line {number} is not JSON: {error}.") from None


def _check_row_text(path: Path, number: int, text: str) -> None:
    try:
        check_text(text)
    except TextInvalidError as error:
        raise RowsInvalidError(f"{path}: line {number}: {error.message}") from None


def evaluate_rows(
    reader: Reader, texts: Sequence[str], labels: Sequence[str], *, restrict_to_support: bool
) -> dict[str, Any]:
    """Accuracy, macro-F1, ECE and the per-intent table.

    Restricted, the 77 support intents compete alone; otherwise every label does, the reject label included.
    Raises RowsInvalidError when a restricted file holds another label.
    """
    names = list(SUPPORT_INTENTS if restrict_to_support else LABELS)
    index = {name: position for position, name in enumerate(names)}
    strangers = sorted(set(labels) - set(names))
    if strangers:
        raise RowsInvalidError(f"The file holds labels outside the 77: {', '.join(strangers[:3])}. Drop --restrict.")
    calibration = reader.artifact.calibration
    logits, _ = reader.outputs(texts)
    reject = logits[:, -1:] / calibration.support_temperature
    scores = np.concatenate([calibration.scaled(logits), reject], axis=1)
    gold = np.array([index[label] for label in labels])
    report = classification_report(gold, softmax(scores[:, : len(names)]), names)
    return {**report, "model_version": reader.artifact.version}
