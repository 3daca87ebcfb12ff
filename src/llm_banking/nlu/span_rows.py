"""Texts with marked spans: how four public sets are read, what each of them marks, and how each is divided.

A part of every set is held: no training reads it. Groups that share wording (a fold, a dialogue, a conversation, a
template) are never cut in two.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from llm_banking.nlu.evaluation import RowsInvalidError
from llm_banking.nlu.spans import Span

Part = Literal["train", "dev", "held"]

NLUPP, SGD, MULTIDOGO, PRESIDIO = "nlupp", "sgd_banks", "multidogo_finance", "presidio_research"
SPAN_FILES = {
    NLUPP: "nlupp/banking_folds0-9.jsonl",
    SGD: "sgd_banks/user_turns_train.jsonl",
    MULTIDOGO: "multidogo_finance/pii_spans_train.jsonl.gz",
    PRESIDIO: "presidio_research/generated_large.jsonl",
}
"""Where each set lies below the data folder."""

UNSURE = "?"
"""Type of a span that the source marks in a way that cannot be mapped: nothing is taught or judged there."""

_NUMBERS = frozenset({"CARD", "ACCOUNT", "SSN", "PHONE"})
TYPED: dict[str, frozenset[str]] = {
    NLUPP: frozenset({"PERSON", "ORGANIZATION", "AMOUNT", "DATE", "TIME", "PERIOD"}) | _NUMBERS,
    SGD: frozenset({"PERSON", "AMOUNT"}) | _NUMBERS,
    MULTIDOGO: frozenset({"PERSON", "ADDRESS", "CARD", "ACCOUNT", "SSN"}),
    PRESIDIO: frozenset({"PERSON", "ORGANIZATION", "ADDRESS", "LOCATION", "CARD", "SSN", "PHONE", "ACCOUNT"}),
}
"""Types that a source marks wherever they occur, or that never occur in it: what it leaves unmarked is none of these.

Any other type may stand unmarked in the source. NLU++ and SGD hold no long number in their training parts.
"""

NLUPP_TYPES = {
    "amount_of_money": "AMOUNT",
    "date": "DATE",
    "date_from": "DATE",
    "date_to": "DATE",
    "date_period": "PERIOD",
    "time": "TIME",
    "time_from": "TIME",
    "time_to": "TIME",
    "person_name": "PERSON",
    "company_name": "ORGANIZATION",
    "time_period": UNSURE,
}
"""NLU++ slots by our type; `number` (without context) and `shopping_category` are not covered."""
_SGD_TYPES = {"amount": "AMOUNT", "recipient_account_name": "PERSON"}
_MULTIDOGO_TYPES = {
    "PERSON_NAME": "PERSON",
    "ADDRESS": "ADDRESS",
    "CARD_NUMBER": "CARD",
    "ACCOUNT_NUMBER": "ACCOUNT",
    "SSN_OR_LAST4": "SSN",
}
PRESIDIO_TYPES = {
    "PERSON": "PERSON",
    "ORGANIZATION": "ORGANIZATION",
    "ADDRESS": "ADDRESS",
    "LOCATION": "LOCATION",
    "CREDIT_CARD": "CARD",
    "PHONE_NUMBER": "PHONE",
    "US_SSN": "SSN",
    "DATE_TIME": "DATE",
    "EMAIL_ADDRESS": "EMAIL",
    "IBAN_CODE": "IBAN",
}
"""presidio-research types by ours; TITLE, PREFIX, DOMAIN_NAME, IP_ADDRESS and US_DRIVER_LICENSE are not covered."""


@dataclass(frozen=True, slots=True)
class SpanExample:
    """One text with its marked spans, in order.

    `typed` says which types the source marks wherever they occur. `names` holds the source's own name of each span and
    `values` its value, both in the order of `spans`; a value is None where the source gives none.
    """

    text: str
    spans: tuple[Span, ...]
    source: str
    typed: frozenset[str]
    names: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()


def _bucket(key: object) -> int:
    """0 to 4, the same on every machine."""
    return int.from_bytes(hashlib.sha256(str(key).encode()).digest(), "big") % 5


def _by_bucket(key: object) -> Part:
    parts: tuple[Part, ...] = ("held", "dev", "train", "train", "train")
    return parts[_bucket(key)]


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects of a JSONL file, packed or not, with their line numbers. Raises RowsInvalidError."""
    number = 0
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as stream:
        try:
            for number, line in enumerate(stream, start=1):
                row = json.loads(line)
                if not isinstance(row, dict) or not isinstance(row.get("text"), str):
                    raise RowsInvalidError(f"{path}: line {number}: a JSON object with a text is needed.")
                yield number, row
        except (ValueError, OSError, EOFError):
            raise RowsInvalidError(f"{path}: line {max(number, 1)} cannot be read; get the file again.") from None


@dataclass(frozen=True, slots=True)
class _Mark:
    """A span as the source gives it."""

    start: int
    end: int
    type: str
    name: str
    value: Any = None


def _example(path: Path, number: int, text: str, source: str, marks: list[_Mark]) -> SpanExample:
    """Marks checked against the text and put in order; of two that overlap the longer stays."""
    kept: list[_Mark] = []
    for mark in sorted(marks, key=lambda one: (one.start - one.end, one.start)):
        if not 0 <= mark.start < mark.end <= len(text):
            raise RowsInvalidError(
                f"{path}: line {number}: the span {mark.start} to {mark.end} does not lie in the text; get the file "
                "again."
            )
        if all(mark.end <= other.start or other.end <= mark.start for other in kept):
            kept.append(mark)
    kept.sort(key=lambda one: one.start)
    return SpanExample(
        text,
        tuple(Span(one.start, one.end, one.type) for one in kept),
        source,
        TYPED[source],
        tuple(one.name for one in kept),
        tuple(one.value for one in kept),
    )


def nlupp_part(fold: int) -> Part:
    """Which part a fold of NLU++ belongs to: 8 and 9 are held, 7 is for choosing."""
    return "held" if fold >= 8 else "dev" if fold == 7 else "train"


def _read_nlupp(path: Path, part: Part) -> Iterator[SpanExample]:
    for number, row in _rows(path):
        if part != nlupp_part(row["fold"]):
            continue
        marks = [
            _Mark(one["span"][0], one["span"][1], NLUPP_TYPES[name], name, one.get("value", one.get("values")))
            for name, one in row["slots"].items()
            if name in NLUPP_TYPES
        ]
        yield _example(path, number, row["text"], NLUPP, marks)


def _read_sgd(path: Path, part: Part) -> Iterator[SpanExample]:
    for number, row in _rows(path):
        if _by_bucket(row["dialogue_id"]) == part:
            marks = [
                _Mark(one["start"], one["end"], _SGD_TYPES[one["slot"]], one["slot"], one["text"])
                for one in row["spans"]
                if one["slot"] in _SGD_TYPES
            ]
            yield _example(path, number, row["text"], SGD, marks)


def _read_multidogo(path: Path, part: Part) -> Iterator[SpanExample]:
    for number, row in _rows(path):
        conversation = row["id"].rsplit("-", 1)[0]
        if _by_bucket(conversation) == part:
            marks = [
                _Mark(one["start"], one["end"], _MULTIDOGO_TYPES[one["type"]], one["type"])
                for one in row["spans"]
                if one["type"] in _MULTIDOGO_TYPES
            ]
            yield _example(path, number, row["text"], MULTIDOGO, marks)


def _read_presidio(path: Path, part: Part) -> Iterator[SpanExample]:
    for number, row in _rows(path):
        if _by_bucket(row["template_id"]) == part:
            marks = [
                _Mark(one["start"], one["end"], PRESIDIO_TYPES[one["type"]], one["type"])
                for one in row["spans"]
                if one["type"] in PRESIDIO_TYPES
            ]
            yield _example(path, number, row["text"], PRESIDIO, marks)


_READERS: dict[str, Callable[[Path, Part], Iterator[SpanExample]]] = {
    NLUPP: _read_nlupp,
    SGD: _read_sgd,
    MULTIDOGO: _read_multidogo,
    PRESIDIO: _read_presidio,
}


def read_span_rows(path: Path, source: str, part: Part) -> list[SpanExample]:
    """The rows of one part of one set, in file order.

    NLU++ is divided by fold (8 and 9 held, 7 dev), SGD by dialogue, MultiDoGO by conversation and presidio-research by
    template (SHA-256 modulo 5: 0 held, 1 dev). SGD by file order would not do: no row of its last fifth has a span.
    Raises RowsInvalidError.
    """
    try:
        return list(_READERS[source](path, part))
    except (KeyError, TypeError, AttributeError) as error:
        raise RowsInvalidError(f"{path}: a row lacks a field of {source} ({error}); get the file again.") from None
