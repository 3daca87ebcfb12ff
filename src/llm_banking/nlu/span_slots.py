"""One list of slots from two readers: the rules, exact about figures, and the token head, which knows names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from llm_banking.nlu.slots import (
    Prefer,
    Slot,
    lexicon,
    normalise_amount,
    normalise_date,
    normalise_period,
    normalise_phone,
    normalise_time,
)
from llm_banking.nlu.slots.lexicon import word_set
from llm_banking.nlu.spans import Span

DISPLACES_AT = 0.6
"""Probability from which a name or an address takes the place of shorter slots that a rule read inside it."""

_NAMES = frozenset({"PERSON", "ORGANIZATION", "ADDRESS"})
_HONORIFIC = re.compile(r"(?:mr|mrs|ms|miss|mx|dr|prof|sir|madam)\b\.?\s+", re.IGNORECASE)
_POSSESSIVE = re.compile(r"['\u2019]s$|(?<=s)['\u2019]$", re.IGNORECASE)
_BEFORE = re.compile(r"([^\W\d_]+)[\s:,]*(?:(?:mr|mrs|ms|dr)\.?\s*)?$", re.IGNORECASE)
_OTHER = word_set("from is am i'm name named called by with speaking under via")
_SPEAKS_OF_PAYING = lexicon.PAYING_VERBS | word_set("payment transfer payee recipient owes owed")


def merge_slots(
    text: str,
    rules: Sequence[Slot],
    spans: Sequence[Span],
    *,
    today: date,
    currency: str = "USD",
    prefer: Prefer | None = None,
) -> tuple[Slot, ...]:
    """The slots of a text by rules and head together, in the order they are said; they never overlap. Never raises.

    Rules win wherever they read something, but for names: a person, organisation or address that the head is sure of
    takes the place of rule slots that lie inside it, and of a payee by rule that it overlaps, except a payee such as
    "my landlord". The head's money, dates, times, periods and numbers are taken where no rule slot stands and their
    text has a value.

    Further names and values: person, payee and merchant: the name; a title before it and 's after it belong neither
    to the value nor to the slot; address: the text with single spaces; account and card: {"kind": None, "last4",
    "role"?}.
    """
    kept = list(rules)
    read: list[Slot] = []
    reader = _Values(text, today, currency, prefer)
    for span in sorted(spans, key=lambda one: -one.score):
        touched = [slot for slot in kept if slot.start < span.end and span.start < slot.end]
        if any(slot.start < span.end and span.start < slot.end for slot in read):
            continue
        if touched and not (span.type in _NAMES and all(_gives_way(slot, span) for slot in touched)):
            continue
        slot = reader.slot(span, paid=any(one.name == "payee" for one in touched))
        if slot is not None:
            kept = [one for one in kept if one not in touched]
            read.append(slot)
    return tuple(sorted([*kept, *read], key=lambda one: one.start))


def _gives_way(slot: Slot, span: Span) -> bool:
    """Whether a name by the head may take the place of a rule's slot."""
    if slot.name == "payee":
        words = slot.text.lower().split()
        return words[0] != "my" and words[0] not in lexicon.FAMILY
    longer = span.start <= slot.start and slot.end <= span.end and span.end - span.start > slot.end - slot.start
    return longer and span.score >= DISPLACES_AT and slot.name not in ("phone", "email")


def name_value(text: str) -> str:
    """A name without a title before it, 's after it, and superfluous space."""
    return " ".join(_POSSESSIVE.sub("", _HONORIFIC.sub("", text.strip(), count=1)).split())


class _Values:
    """What a span of one text means."""

    def __init__(self, text: str, today: date, currency: str, prefer: Prefer | None) -> None:
        self._text = text
        self._paying = bool(set(re.findall(r"[a-z']+", text.lower())) & _SPEAKS_OF_PAYING)
        open_dates: Prefer = prefer or "future"
        self._values: dict[str, tuple[str, Callable[[str], Any]]] = {
            "AMOUNT": ("amount", lambda one: normalise_amount(one, currency)),
            "DATE": ("date", lambda one: normalise_date(one, today, open_dates)),
            "TIME": ("time", normalise_time),
            "PERIOD": ("period", lambda one: normalise_period(one, today, prefer or "past")),
            "PHONE": ("phone", normalise_phone),
            "ORGANIZATION": ("merchant", name_value),
            "ADDRESS": ("address", lambda one: " ".join(one.split())),
        }

    def slot(self, span: Span, *, paid: bool) -> Slot | None:
        """The slot of a span; None where the type is no slot or the text has no value of it."""
        said = self._text[span.start : span.end]
        if span.type == "PERSON":
            name, value = self._role(span.start, paid=paid), name_value(said)
        elif span.type == "ORGANIZATION" and paid:
            name, value = "payee", name_value(said)
        elif span.type in ("ACCOUNT", "CARD"):
            return self._reference(span, said)
        elif span.type in self._values:
            name, read = self._values[span.type]
            value = read(said)
        else:
            return None
        start, end = span.start, span.end
        if name in ("payee", "person", "merchant"):
            title = _HONORIFIC.match(said)
            start, end = start + (title.end() if title else 0), start + len(_POSSESSIVE.sub("", said))
        return Slot(name, value, self._text[start:end], start, end) if value and start < end else None

    def _role(self, start: int, *, paid: bool) -> str:
        """Whether a person is the one who is paid."""
        if paid:
            return "payee"
        before = _BEFORE.search(self._text, max(start - 24, 0), start)
        word = before[1].lower() if before else ""
        if word in _OTHER or not self._paying:
            return "payee" if word == "to" and before and before.start(1) == 0 else "person"
        return "payee"

    def _reference(self, span: Span, said: str) -> Slot | None:
        digits = "".join(one for one in said if one.isascii() and one.isdigit())
        if len(digits) < 4:
            return None
        value: dict[str, Any] = {"kind": None, "last4": digits[-4:]}
        before = re.findall(r"[a-z]+", self._text[max(span.start - 24, 0) : span.start].lower())
        if span.type == "ACCOUNT" and before and before[-1] in ("from", "to"):
            value["role"] = "source" if before[-1] == "from" else "target"
        return Slot(span.type.lower(), value, said, span.start, span.end)
