"""How well slots and personal data are read: span F1, value accuracy and F2 on texts that no training has seen.

How the sets' own marks are compared with ours:

- NLU++ marks the two ends of a range; ours is one period, so a row with both ends counts as one period from the first
  to the last character. One end alone ("since November") may be answered by a date or a period.
- A word that only links a time to its sentence ("on", "since", "from the") may stand inside or outside its span.
- A merchant that is paid may be answered as payee. Relations ("my landlord") are marked by neither set and not judged.
- NLU++ `number` and `shopping_category` and everything that SGD gives as a category are not covered; hours and minutes
  ("last 3 hours") are not judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from llm_banking.nlu.personal_data import PersonalData
from llm_banking.nlu.slots import Prefer, Slot, lexicon
from llm_banking.nlu.span_metrics import SpanScore, span_table, touch
from llm_banking.nlu.span_rows import (
    MULTIDOGO,
    NLUPP,
    PRESIDIO,
    PRESIDIO_TYPES,
    SGD,
    SPAN_FILES,
    UNSURE,
    Part,
    SpanExample,
    read_span_rows,
)
from llm_banking.nlu.spans import Span

ReadText = Callable[[str, date, Prefer | None], tuple[Sequence[Slot], Sequence[PersonalData]]]
"""A text, the customer's date and where open dates are looked for; the slots and the personal data of the text."""

NLUPP_TODAY = date(2022, 3, 15)
"""The day that the values of NLU++ are counted from."""
SLOT_TYPES = {
    NLUPP: ("AMOUNT", "DATE", "PERIOD", "TIME", "PERSON", "ORGANIZATION"),
    SGD: ("AMOUNT", "PERSON"),
}
PERSONAL_TYPES = {
    MULTIDOGO: ("PERSON", "ADDRESS", "CARD", "ACCOUNT", "SSN"),
    PRESIDIO: tuple(dict.fromkeys(PRESIDIO_TYPES.values())),
}
_OUR_SLOTS = {
    "amount": "AMOUNT",
    "date": "DATE",
    "period": "PERIOD",
    "recurrence": "PERIOD",
    "time": "TIME",
    "payee": "PERSON",
    "person": "PERSON",
    "merchant": "ORGANIZATION",
}
_ALSO = {("period", "DATE"), ("payee", "ORGANIZATION")}
"""Slots that may answer a mark of another type on the same characters."""
_LINKS = lexicon.word_set("on in at by for from since until till between before after to of the up during")
_WHEN = frozenset({"DATE", "PERIOD", "TIME"})


@dataclass(frozen=True, slots=True)
class Marked:
    """A marked slot and the value that it should have; None where the set gives none that can be compared."""

    span: Span
    value: Any


def evaluate_spans(data_dir: Path, read: ReadText, part: Part = "held") -> dict[str, Any]:
    """Figures for each set that is there: {"slots": {...}, "personal_data": {...}, "left_out": {...}}.

    `slots` has span tables and value accuracy by set and, under "overall", over both; a type is judged only where the
    set marks it. Open dates are judged twice, read by the text's own tense ("value_accuracy") and always ahead as NLU++
    was marked ("value_accuracy_ahead"). Raises RowsInvalidError on a file that cannot be read.
    """
    there = {source: data_dir / name for source, name in SPAN_FILES.items() if (data_dir / name).is_file()}
    left_out = {
        source: f"{name} is not in the data folder" for source, name in SPAN_FILES.items() if source not in there
    }
    rows = {source: read_span_rows(path, source, part) for source, path in there.items()}
    slots = {source: slot_figures(rows[source], read, SLOT_TYPES[source]) for source in SLOT_TYPES if source in rows}
    if slots:
        both = [row for source in slots for row in rows[source]]
        slots["overall"] = slot_figures(both, read, SLOT_TYPES[NLUPP])
    personal = {
        source: personal_figures(rows[source], read, PERSONAL_TYPES[source])
        for source in PERSONAL_TYPES
        if source in rows
    }
    return {"part": part, "slots": slots, "personal_data": personal, "left_out": left_out}


def slot_figures(rows: Sequence[SpanExample], read: ReadText, types: Sequence[str]) -> dict[str, Any]:
    """Span tables (exact and overlapping) and value accuracy by type."""
    gold: list[list[Span]] = []
    said: list[list[Span]] = []
    values = {name: {kind: _Tally() for kind in types} for name in ("value_accuracy", "value_accuracy_ahead")}
    for row in rows:
        marked = marked_slots(row)
        gold.append([one.span for one in marked])
        slots = read(row.text, NLUPP_TODAY, None)[0]
        said.append([span for span in _said(row, slots, marked) if span.type in SLOT_TYPES[row.source]])
        ahead = read(row.text, NLUPP_TODAY, "future")[0] if marked else ()
        for name, read_slots in (("value_accuracy", slots), ("value_accuracy_ahead", ahead)):
            for one in marked:
                if one.value is not None and one.span.type in types:
                    values[name][one.span.type].add(_judge(one, read_slots))
    return {
        "rows": len(rows),
        "exact": _as_dict(span_table(gold, said, types)),
        "overlap": _as_dict(span_table(gold, said, types, overlap=True)),
        **{name: {kind: tally.as_dict() for kind, tally in table.items()} for name, table in values.items()},
    }


def _as_dict(table: Mapping[str, SpanScore]) -> dict[str, dict[str, float]]:
    return {kind: score.as_dict() for kind, score in table.items()}


@dataclass(slots=True)
class _Tally:
    """Marked values, those whose span was found at all, and those read rightly."""

    gold: int = 0
    found: int = 0
    right: int = 0

    def add(self, judged: tuple[bool, bool]) -> None:
        self.gold += 1
        self.found += judged[0]
        self.right += judged[1]

    def as_dict(self) -> dict[str, float | None]:
        """`accuracy` counts a value whose span was missed as wrong; `accuracy_of_found` leaves it out."""
        return {
            "gold": self.gold,
            "found": self.found,
            "accuracy": self.right / self.gold if self.gold else None,
            "accuracy_of_found": self.right / self.found if self.found else None,
        }


def marked_slots(row: SpanExample) -> list[Marked]:
    """The marks of a row in our terms, with the values that we should read."""
    marked: list[Marked] = []
    named = list(zip(row.spans, row.names, row.values, strict=True))
    ends = {name: (span, value) for span, name, value in named if name in ("date_from", "date_to")}
    for span, name, value in named:
        if name in ("date_from", "date_to") and len(ends) == 2:
            if name == "date_from":
                last, until = ends["date_to"]
                whole = Span(min(span.start, last.start), max(span.end, last.end), "PERIOD")
                marked.append(Marked(_bare(row.text, whole), _both(_day(value), _day(until))))
        elif span.type == UNSURE:
            marked.append(Marked(span, None))
        else:
            kind = _bare(row.text, span) if span.type in _WHEN else span
            marked.append(Marked(kind, _value(row, span, value)))
    return marked


def _both(first: str | None, last: str | None) -> dict[str, str] | None:
    return {"from": first, "to": last} if first and last else None


def _value(row: SpanExample, span: Span, value: Any) -> Any:
    if span.type in ("PERSON", "ORGANIZATION"):
        return row.text[span.start : span.end].casefold()
    if span.type == "AMOUNT":
        return spelled_amount(value) if isinstance(value, str) else Decimal(str(value["amount"]))
    known = value if isinstance(value, dict) else {}
    if span.type == "TIME" and "hour" in known:
        return f"{known['hour']:02}:{known.get('minute', 0):02}"
    if span.type == "PERIOD" and known.get("type") == "absolute":
        return _both(_day(known.get("from")), _day(known.get("to")))
    return _day(known) if span.type == "DATE" else None


def _day(value: Any) -> str | None:
    if not isinstance(value, dict) or not {"year", "month", "day"} <= value.keys():
        return None
    return date(value["year"], value["month"], value["day"]).isoformat()


_ONES = lexicon.word_list(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = lexicon.word_list("twenty thirty forty fifty sixty seventy eighty ninety")
_WORDS = dict(zip(_ONES, range(20), strict=True)) | dict(zip(_TENS, range(20, 100, 10), strict=True))


def spelled_amount(text: str) -> Decimal | None:
    """The number in an amount of SGD, in digits or in English words below a million; apart from our own reader."""
    digits = "".join(one for one in text if one.isdigit() or one == ".")
    if digits:
        return Decimal(digits)
    total = part = 0
    for word in text.casefold().replace("-", " ").split():
        if word == "hundred":
            part *= 100
        elif word == "thousand":
            total, part = total + part * 1000, 0
        else:
            part += _WORDS.get(word, 0)
    return Decimal(total + part) if total + part else None


def _bare(text: str, span: Span) -> Span:
    """The span without linking words at its front."""
    start = span.start
    while True:
        word = text[start : span.end].split(" ", 1)[0]
        if word.casefold() not in _LINKS or start + len(word) >= span.end:
            return replace(span, start=start)
        start += len(word)
        while text[start] == " ":
            start += 1


def _said(row: SpanExample, slots: Sequence[Slot], marked: Sequence[Marked]) -> list[Span]:
    """Our slots as spans of the judged types."""
    spans = []
    for slot in slots:
        kind = _OUR_SLOTS.get(slot.name)
        words = slot.text.casefold().split()
        if kind is None or (slot.name == "payee" and (words[0] == "my" or words[0] in lexicon.FAMILY)):
            continue
        span = Span(slot.start, slot.end, kind)
        span = _bare(row.text, span) if kind in _WHEN else span
        same = [one.span.type for one in marked if (one.span.start, one.span.end) == (span.start, span.end)]
        also = [other for other in same if (slot.name, other) in _ALSO]
        spans.append(replace(span, type=also[0]) if also else span)
    return spans


def _judge(marked: Marked, slots: Sequence[Slot]) -> tuple[bool, bool]:
    """Whether a slot that may answer the mark touches it, and whether one of those has its value."""
    kind = marked.span.type
    touching = [
        slot
        for slot in slots
        if touch(marked.span, Span(slot.start, slot.end, kind))
        and (_OUR_SLOTS.get(slot.name) == kind or (slot.name, kind) in _ALSO)
    ]
    return bool(touching), any(_equal(marked, slot) for slot in touching)


def _equal(marked: Marked, slot: Slot) -> bool:
    if slot.name == "amount":
        return bool(Decimal(slot.value["amount"]) == marked.value)
    if slot.name == "period" and marked.span.type == "DATE":
        return marked.value in slot.value.values()
    if isinstance(slot.value, str):
        return bool(slot.value.casefold() == marked.value)
    return bool(slot.value == marked.value)


def personal_figures(rows: Sequence[SpanExample], read: ReadText, types: Sequence[str]) -> dict[str, Any]:
    """Tables of personal data, exact and overlapping; a date of birth counts as a date."""
    gold = [row.spans for row in rows]
    said = []
    for row in rows:
        found = read(row.text, NLUPP_TODAY, None)[1]
        said.append([Span(one.start, one.end, "DATE" if one.type == "DATE_OF_BIRTH" else one.type) for one in found])
    return {
        "rows": len(rows),
        "exact": _as_dict(span_table(gold, said, types)),
        "overlap": _as_dict(span_table(gold, said, types, overlap=True)),
    }
