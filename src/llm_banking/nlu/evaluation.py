"""Scoring a labelled file with the model that serves."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llm_banking.kit.errors import LlmBankingError
from llm_banking.nlu.metrics import classification_report, softmax
from llm_banking.nlu.reader import Reader
from llm_banking.nlu.taxonomy import LABELS, SUPPORT_INTENTS


class RowsInvalidError(LlmBankingError):
    """A labelled file cannot be used; the message names the line and the remedy."""

    code = "DATA_INVALID"


def load_rows(path: Path) -> tuple[list[str], list[str]]:
    """Texts and labels of a CSV or JSONL file with `text` and `category` or `intent`. Raises RowsInvalidError."""
    if not path.is_file():
        raise RowsInvalidError(f"{path} is not a file. Name a CSV or JSONL file with text and category columns.")
    texts: list[str] = []
    labels: list[str] = []
    with path.open(encoding="utf-8", newline="") as stream:
        if path.suffix == ".csv":
            numbered = [(number, dict(row)) for number, row in enumerate(csv.DictReader(stream), start=2)]
        else:
            numbered = [(number, json_row(path, number, line)) for number, line in enumerate(stream, start=1)]
    for number, row in numbered:
        text, label = row.get("text"), row.get("category", row.get("intent"))
        if not isinstance(text, str) or not isinstance(label, str):
            raise RowsInvalidError(f"{path}: row {number}: 'text' and 'category' (or 'intent') are needed.")
        if label not in LABELS:
            raise RowsInvalidError(f"{path}: row {number}: '{label}' is no label. See `llm-banking nlu labels`.")
        texts.append(text)
        labels.append(label)
    if not texts:
        raise RowsInvalidError(f"{path} holds no rows.")
    return texts, labels


def json_row(path: Path, number: int, line: str) -> dict[str, Any]:
    """One line of a JSONL file as an object. Raises RowsInvalidError naming the line."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise RowsInvalidError(f"{path}: line {number} is not JSON: {error}.") from None
    if not isinstance(row, dict):
        raise RowsInvalidError(f"{path}: line {number} is not a JSON object.")
    return row


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
    scores = reader.logits(texts)[:, : len(names)] / reader.artifact.temperature
    gold = np.array([index[label] for label in labels])
    report = classification_report(gold, softmax(scores), names)
    return {**report, "model_version": reader.artifact.version}
