"""The words of a message that may fill a slot: where they stand and what they are, never what they are worth.

A value is read from the words again, by rule, where a slot is filled (`dialogue.filling`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import cast

from llm_banking.dialogue.commands import Role, Said, SaidKind
from llm_banking.dialogue.planning import NOW_WORDS, TIMES
from llm_banking.nlu.reader import Reading
from llm_banking.nlu.requests import Request
from llm_banking.nlu.slots import Slot, normalise_amount, normalise_date, normalise_quantity
from llm_banking.nlu.slots.lexicon import word_set

Part = Reading | Request
_KINDS: dict[str, SaidKind] = {
    "amount": "amount",
    "quantity": "quantity",
    "account": "account",
    "card": "account",
    "payee": "name",
    "person": "name",
    "merchant": "name",
    "bill_type": "bill",
}
_NEGATIVE = re.compile(r"(?<![\w.)])[-\u2212\u2013]\s?[$€£¥]?\s?\d[\d,.]*")
_NOTE = re.compile(
    r"\b(?:note|reference|memo)\b(?:\s+(?:is|saying|that says))?[:\s]{1,4}[\"“']?(?P<note>[^\"”]{1,80}?)[\"”'.]*$",
    re.IGNORECASE,
)
_PORTION = re.compile(r"\b(?:half|all|everything|the rest|as much as|most of)\b", re.IGNORECASE)
_AHEAD = re.compile(r"(?:the )?(?:next|coming|following|this week|between|from)\b", re.IGNORECASE)
_AHEAD_BEFORE = re.compile(r"\b(?:in|from|until|till|during|starting|beginning|over)(?: the)?\s+\Z", re.IGNORECASE)
_OF_WHAT = re.compile(r"\bfor(?: the)?\s+\Z", re.IGNORECASE)
"""Before a stretch of days that says which bill is meant, and not when it is paid."""
_PATTERNS: tuple[tuple[SaidKind, re.Pattern[str], int | str], ...] = (
    ("negative_amount", _NEGATIVE, 0),
    ("note", _NOTE, "note"),
    ("quantity", _PORTION, 0),
    ("later", TIMES, 0),
    ("today", NOW_WORDS, 0),
)
_PHRASE = re.compile(
    r"\b(?P<way>to|into|from|using)\s+(?P<what>[\w'\u2019& -]{2,40}?)"
    r"(?=\s+(?:from|to|into|using|with|please|instead|now|today|and|for|on|at|every|each|until|tomorrow|next)\b|\s*[.,;!?]|\s*\Z)",
    re.IGNORECASE,
)
_WAY_BEFORE = re.compile(
    r"\b(?P<way>to|into|from|form|using)\s+(?:(?!(?:to|into|from|form|using)\b)[\w'\u2019]+\s+){0,3}\Z",
    re.IGNORECASE,
)
_ROLES: Mapping[str, Role] = {
    "to": "target",
    "into": "target",
    "from": "source",
    "form": "source",  # "from", misspelt
    "using": "source",
}
_LEAD = re.compile(
    r"(?:\W|(?:no|nope|not|actually|sorry|wait|hmm|oh|i mean|i meant|i want|should (?:be|have been)|"
    r"wrong (?:amount|account|person|payee)|make (?:it|that)|it's|its|it is|just|only|use|take|"
    r"change (?:it|that|the amount) to|rather|please|say|let's do|to|from|for|with|pay|on)\b(?!['\u2019]))+",
    re.IGNORECASE,
)
_TRAIL = re.compile(r"(?:\W|\b(?:please|instead|then|thanks|thank you|rather|pls))+\Z", re.IGNORECASE)
_FILLERS = word_set(
    "a account actually amount and another bill card change ending for from go i in instead into is it it's its just "
    "make maybe mean meant money my no not of oh ok okay on one only our out please rather say sorry take that that's "
    "the then this to use wait want with would like i'd let's"
)
_MARKS = re.compile(
    r"^\W*(?:no\b(?!\s+(?:problem|worries))|nope|not|actually|sorry|wait|rather|wrong|i meant?)\b|\binstead\b|"
    r"\brather\b|\b(?:make|change|correct|switch) (?:it|that|the|to)\b|\bi meant?\b",
    re.IGNORECASE,
)


def said_in(part: Part, today: date) -> tuple[Said, ...]:
    """What a request says that an operation may need, in the order it is said."""
    start = part.start if isinstance(part, Request) else 0
    out: list[Said] = []
    for one in sorted(_found(part, today), key=lambda one: one.start):
        before = out[-1] if out else None
        named = before is not None and {before.kind, one.kind} <= {"name", "bill"} and "name" in (before.kind, one.kind)
        if before is not None and named and part.text[before.end - start : one.start - start].isspace():
            text = part.text[before.start - start : one.end - start]
            out[-1] = Said("name", text, before.start, one.end)
        else:
            out.append(one)
    return tuple(out)


def _found(part: Part, today: date) -> Iterator[Said]:
    start = part.start if isinstance(part, Request) else 0
    noted = _NOTE.search(part.text)
    covered: list[tuple[int, int]] = []
    for slot in part.slots:
        kind = _kind_of(slot, today, part.text[: slot.start - start])
        if kind is not None and not (noted and slot.end > start + noted.start()):
            covered.append((slot.start, slot.end))
            yield Said(kind, slot.text, slot.start, slot.end, _role(part.text[: slot.start - start], slot))
    for read, pattern, group in _PATTERNS:
        found = pattern.search(part.text)
        if found is None or (read == "quantity" and any(one.name in ("amount", "quantity") for one in part.slots)):
            continue
        first, last = start + found.start(group), start + found.end(group)
        covered.append((first, last))
        yield Said(read, found[group], first, last)
    for phrase in _PHRASE.finditer(part.text[: noted.start() if noted else len(part.text)]):
        first, last = start + phrase.start("what"), start + phrase.end("what")
        if not any(first < end and begin < last for begin, end in covered):
            yield Said("phrase", phrase["what"], first, last, _ROLES[phrase["way"].lower()])


def _role(before: str, slot: Slot) -> Role | None:
    """Where money goes by the reader's word, or by the preposition that stands at most three words before."""
    if isinstance(slot.value, dict) and slot.value.get("role") in ("source", "target"):
        return cast("Role", slot.value["role"])
    found = _WAY_BEFORE.search(before) if _KINDS.get(slot.name) in ("account", "name") else None
    return _ROLES[found["way"].lower()] if found else None


def _kind_of(slot: Slot, today: date, before: str) -> SaidKind | None:
    """What a slot's words are to an operation; None where they are nothing to it."""
    if slot.name == "date":
        return "today" if normalise_date(slot.text, today) == today.isoformat() else "later"
    if slot.name == "period" and not _is_ahead(slot, before):
        return None
    if slot.name in ("recurrence", "period", "time"):
        return "later"
    kind = _KINDS.get(slot.name)
    return None if kind == "name" and not any(one.isalpha() for one in slot.text) else kind


def _is_ahead(slot: Slot, before: str) -> bool:
    """Whether a stretch of days says when something shall be done: "next week", not "last month" or "for June"."""
    return not _OF_WHAT.search(before) and bool(_AHEAD.match(slot.text) or _AHEAD_BEFORE.search(before))


MAX_ANSWER_CHARS = 120
"""What is longer is no short answer."""


def core_of(text: str, start: int) -> tuple[str, int, int]:
    """A short answer without the little words around it ("no, make it 60 please"), and where it stands."""
    lead = _LEAD.match(text)
    first = lead.end() if lead else 0
    trail = _TRAIL.search(text, first)
    last = trail.start() if trail else len(text)
    return text[first:last], start + first, start + last


def bare_amount(text: str, start: int) -> Said | None:
    """The amount, or the part of one, that a short answer is."""
    if len(text) > MAX_ANSWER_CHARS:
        return None
    core, first, last = core_of(text, start)
    if normalise_amount(core) is not None:
        return Said("amount", core, first, last)
    if normalise_quantity(core) is not None or _PORTION.match(core):
        return Said("quantity", core, first, last)
    return None


def corrects(text: str) -> bool:
    """Whether a text says by its words that something shall be otherwise."""
    return _MARKS.search(text) is not None


def only_values(part: Part, said: Sequence[Said]) -> bool:
    """Whether a text holds nothing but values and little words around them."""
    start = part.start if isinstance(part, Request) else 0
    rest = _without(part.text, [(one.start - start, one.end - start) for one in said])
    return not set(re.findall(r"[\w'\u2019]+", rest.casefold())) - _FILLERS


def _without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    for start, end in sorted(spans, reverse=True):
        text = f"{text[: max(start, 0)]} {text[max(end, 0) :]}"
    return text
