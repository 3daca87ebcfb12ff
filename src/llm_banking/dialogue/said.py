"""The words of a message that may fill a slot: where they stand and what they are, never what they are worth.

A value is read from the words again, by rule, where a slot is filled (`dialogue.filling`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import cast

from llm_banking.dialogue.commands import Role, Said, SaidKind
from llm_banking.dialogue.holdings import words_of
from llm_banking.dialogue.planning import NOW_WORDS, TIMES
from llm_banking.nlu.payments import PAYS, spans_of_payment, without_quoted_payments
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
_NO_NAMES = word_set("a bill bills money my payment the")
_NEGATIVE = re.compile(r"(?<![\w.)])[-\u2212\u2013]\s?[$€£¥]?\s?\d[\d,.]*")
_NOTE = re.compile(
    r"\b(?:note|reference|memo|message)\b(?:\s+(?:is|to|saying|that says))?[:\s]{0,4}"
    r"(?:[\"“](?P<quoted>[^\"“”]{1,80})[\"”]"
    r"|(?<=[:\s])['\u2018]?(?P<note>[^\"“”]{1,80}?)[\"”'.]*$)",
    re.IGNORECASE,
)
_MONEY = r"[$€£]?\d[\d,.]*(?: ?(?:dollars?|bucks))?"
_ALSO_SO_MUCH = re.compile(
    r"\s*(?:and|or|,|/|-|\u2013)?\s*([$€£]?\d[\d,]*(?:\.\d{1,2})?)(?![\w%]|[.,]\d)", re.IGNORECASE
)
_PORTION = re.compile(
    r"\b(?<!to )(?<!at )(?<!that's )(?<!is that )all\b(?! (?:right|good|set|done|of (?:them|these|those))\b)"
    r"|\b(?:half|everything|the rest|as much as|most of|a (?:third|quarter|fifth|bit|little)|double|twice|triple)\b"
    rf"|\b(?:increase|raise|lower|reduce|decrease|cut) (?:it |that |this |the amount )?by\b(?: {_MONEY})?"
    rf"|\badd (?:another )?{_MONEY}(?=\W*\Z| more\b| (?:to|on top of) (?:it|that|this|the amount)\b)"
    r"|\btoo (?:much|little|high|low)\b"
    rf"|{_MONEY}\s(?:more|less|extra|higher|lower)\b(?! than)|\d+ ?%|\bpercent\b",
    re.IGNORECASE,
)
"""A share of something, or a change by so much: what that is in figures is for the customer to say."""
_AHEAD = re.compile(r"(?:the )?(?:next|coming|following|this week|between|from)\b", re.IGNORECASE)
_AHEAD_BEFORE = re.compile(r"\b(?:in|from|until|till|during|starting|beginning|over)(?: the)?\s+\Z", re.IGNORECASE)
_OF_WHAT = re.compile(r"\bfor(?: the)?\s+\Z", re.IGNORECASE)
"""Before a stretch of days that says which bill is meant, and not when it is paid."""
_PATTERNS: tuple[tuple[SaidKind, re.Pattern[str]], ...] = (
    ("negative_amount", _NEGATIVE),
    ("quantity", _PORTION),
    ("later", TIMES),
    ("today", NOW_WORDS),
)
_PHRASE = re.compile(
    r"\b(?P<way>to|into|onto|towards?|from|using)\s+(?P<what>[\w'\u2019& -]{2,40}?)"
    r"(?=\s+(?:from|to|into|using|with|please|instead|now|today|and|for|on|at|every|each|until|tomorrow|next)\b"
    r"|\s*[.,;!?]|\s*\Z)",
    re.IGNORECASE,
)
_WAY_BEFORE = re.compile(
    r"\b(?P<way>to|into|onto|towards?|from|form|using)\s+"
    rf"(?:(?!(?:to|into|onto|towards?|from|form|using|please|and|then|{PAYS})\b)[\w'\u2019]+\s+){{0,3}}\Z",
    re.IGNORECASE,
)
_OF_ACCOUNT = re.compile(r"\b(?:account|bank) (?:should be |to |into )(?:my |the )?\Z", re.IGNORECASE)
"""In "change the account to savings" the money does not go to savings."""
_ROLES: Mapping[str, Role] = {
    "to": "target",
    "into": "target",
    "onto": "target",
    "toward": "target",
    "towards": "target",
    "from": "source",
    "form": "source",  # "from", misspelt
    "using": "source",
}
_LEAD = re.compile(
    rf"(?:\W|not {_MONEY}(?:,| but\b)|(?:that['\u2019]?s wrong|that is wrong|no|nope|not|actually|sorry|wait|hmm|oh|"
    r"i mean|i meant|i want|should (?:be|have been)|wrong (?:amount|account|person|payee)|make (?:it|that)|it's|its|"
    r"it is|just|only|use|take|change (?:it|that|the amount) to|rather|please|say|let's do|to|from|for|with|pay|on)\b"
    r"(?!['\u2019]))+",
    re.IGNORECASE,
)
_TRAIL = re.compile(
    rf"(?:\W|,? (?:and )?not {_MONEY}|\b(?:please|instead|then|thanks|thank you|rather|pls))+\Z", re.IGNORECASE
)
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
    told = _with_payment(part, list(_found(part, today)))
    more = [one for one in _beside(part, told) if all(one.start >= two.end or two.start >= one.end for two in told)]
    for one in sorted((*told, *more), key=lambda one: one.start):
        before = out[-1] if out else None
        named = before is not None and {before.kind, one.kind} <= {"name", "bill"} and "name" in (before.kind, one.kind)
        if before is not None and named and part.text[before.end - start : one.start - start].isspace():
            text = part.text[before.start - start : one.end - start]
            out[-1] = Said("name", text, before.start, one.end)
        else:
            out.append(one)
    return tuple(one for one in out if one.kind not in ("name", "bill") or set(words_of(one.text)) - _NO_NAMES)


def _with_payment(part: Part, found: list[Said]) -> list[Said]:
    """Add the name and the bare number of "pay Bluewire Internet 60", where the reader took them for something else."""
    start = part.start if isinstance(part, Request) else 0
    told = spans_of_payment(_own_words(part.text)[0])
    if "amount" not in told or normalise_amount(part.text[slice(*told["amount"])]) is None:
        return found
    whole = (start + min(first for first, _ in told.values()), start + max(last for _, last in told.values()))
    if any(one.kind in ("later", "today") and (one.start, one.end) == whole for one in found):
        return found  # "January 12" is a day, and no payment of 12 to January
    for group, (first, last) in told.items():
        there = [one for one in found if one.start < start + last and start + first < one.end]
        if not any(one.kind != "later" and one.start >= start + first and one.end <= start + last for one in there):
            kind: SaidKind = "name" if group == "name" else "amount"
            added = Said(kind, part.text[first:last], start + first, start + last)
            found = [*(one for one in found if one not in there), added]
    return found


def _beside(part: Part, amounts: Iterable[Said]) -> Iterator[Said]:
    """A bare number right beside an amount ("pay 40 and 60 to …"): two amounts, of which one is meant."""
    start = part.start if isinstance(part, Request) else 0
    text = _own_words(part.text)[0]
    for one in amounts:
        also = _ALSO_SO_MUCH.match(text, one.end - start) if one.kind == "amount" else None
        if also:
            yield Said("amount", also[1], start + also.start(1), start + also.end(1))


def _own_words(text: str) -> tuple[str, re.Match[str] | None]:
    """A text of the same length without what it quotes: another's payment, and a note (the match)."""
    noted = _NOTE.search(text)
    if noted:
        text = text[: noted.start()] + " " * len(noted[0]) + text[noted.end() :]
    return without_quoted_payments(text), noted


def _found(part: Part, today: date) -> Iterator[Said]:
    start = part.start if isinstance(part, Request) else 0
    text, noted = _own_words(part.text)
    covered: list[tuple[int, int]] = []
    if noted:
        group = "quoted" if noted["quoted"] else "note"
        yield Said("note", noted[group], start + noted.start(group), start + noted.end(group))
    for slot in part.slots:
        within = slot.name == "amount" and _in_portion(part, slot)
        kind = None if within else _kind_of(slot, today, part.text[: slot.start - start])
        if kind is not None and text[slot.start - start : slot.end - start] == slot.text:
            covered.append((slot.start, slot.end))
            yield Said(kind, slot.text, slot.start, slot.end, _role(text[: slot.start - start], slot))
    for read, pattern in _PATTERNS:
        found = pattern.search(text)
        first, last = (start + at for at in found.span()) if found else (0, 0)
        if found is None or (read == "quantity" and any(_figure(one, first, last) for one in part.slots)):
            continue
        covered.append((first, last))
        yield Said(read, found[0], first, last)
    for phrase in _PHRASE.finditer(text):
        first, last = start + phrase.start("what"), start + phrase.end("what")
        if not any(first < end and begin < last for begin, end in covered):
            role = None if _OF_ACCOUNT.search(text[: phrase.start("what")]) else _ROLES[phrase["way"].lower()]
            yield Said("phrase", phrase["what"], first, last, role)


def _figure(slot: Slot, first: int, last: int) -> bool:
    """Whether a slot says how much, unless it is a number within the place given."""
    return slot.name == "quantity" or (slot.name == "amount" and not (first <= slot.start and slot.end <= last))


def _in_portion(part: Part, slot: Slot) -> bool:
    """Whether a number is only that by which something is changed, or a share ("20 more", "add 5", "10%")."""
    start = part.start if isinstance(part, Request) else 0
    return any(
        one.start() <= slot.start - start and slot.end - start <= one.end() for one in _PORTION.finditer(part.text)
    )


def _role(before: str, slot: Slot) -> Role | None:
    """Where money goes by the reader's word, or by the preposition that stands at most three words before."""
    if _OF_ACCOUNT.search(before):
        return None
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
    portion = _PORTION.search(text)
    if portion and not _PORTION.match(core):
        return Said("quantity", portion[0], start + portion.start(), start + portion.end())
    if normalise_amount(core) is not None:
        return Said("amount", core, first, last)
    if normalise_quantity(core) is not None or portion:
        return Said("quantity", core, first, last)
    return None


def lone_amount(part: Part, said: Sequence[Said]) -> Said | None:
    """The number that is left of a text when its values and the little words around them are taken away."""
    start = part.start if isinstance(part, Request) else 0
    rest = _without(part.text, [(one.start - start, one.end - start) for one in said])
    left = [one for one in re.findall(r"[$€£]?[\w.,'\u2019]*\w", rest) if one.casefold() not in _FILLERS]
    found = re.search(rf"(?<!\S){re.escape(left[0])}(?!\w)", part.text) if len(left) == 1 else None
    if found is None or not left[0].strip("$€£")[:1].isdigit() or normalise_amount(left[0]) is None:
        return None
    return Said("amount", left[0], start + found.start(), start + found.end())


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
