"""What a request says that one flow needs: the words that fit its slots, and no others.

Payments take their words where `dialogue.said` finds them. A card or a charge is told by the whole request, and a
choice that the flow itself lists by the words it lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date

from llm_banking.dialogue.commands import Said, SaidKind
from llm_banking.dialogue.flow_files import Flow, SlotSpec, SlotType
from llm_banking.dialogue.loan_terms import terms_in
from llm_banking.dialogue.said import Part, said_in
from llm_banking.nlu.requests import Request

WHOLE: Mapping[SlotType, SaidKind] = {"card": "card", "charge": "charge", "schedule": "schedule"}
"""Slots that are told by a whole request, and the kind of words that it is then."""

_REPLACED = re.compile(r"\b(?:not|instead of|rather than|from)\s+\Z", re.IGNORECASE)


def said_of(flow: Flow, part: Part, today: date) -> tuple[Said, ...]:
    """What a request says for the slots of a flow, in the order it is said; whole requests come last."""
    types = {one.type for one in flow.slots.values()}
    found = [one for one in said_in(part, today) if _fits(one, types)]
    terms = list(_terms(part)) if "months" in types else []
    found = [one for one in found if not any(_is_of_term(one, term, part) for term in terms)]
    return (*found, *terms, *_listed(flow, part), *_whole(flow, part))


def option_in(text: str, spec: SlotSpec) -> str | None:
    """The first of a slot's options whose words stand in a text."""
    found = _option_at(text, spec)
    return None if found is None else found[0]


def _fits(said: Said, types: set[SlotType]) -> bool:
    if "payee" in types:
        return True
    match said.kind:
        case "amount" | "negative_amount" | "quantity":
            return "money" in types
        case "later":
            return bool({"date", "when"} & types)
        case "today":
            return "when" in types
        case "note":
            return "text" in types
        case _:
            return "own_account" in types


def _listed(flow: Flow, part: Part) -> Iterator[Said]:
    for spec in flow.slots.values():
        found = _option_at(part.text, spec)
        if found is not None:
            first, last = _start(part) + found[1].start(), _start(part) + found[1].end()
            yield Said("word", found[1][0], first, last)


def _option_at(text: str, spec: SlotSpec) -> tuple[str, re.Match[str]] | None:
    for option, words in spec.options.items():
        found = re.search(rf"(?<!\w)(?:{'|'.join(re.escape(one) for one in words)})(?!\w)", text, re.IGNORECASE)
        if found:
            return option, found
    return None


def is_replaced(one: Said, part: Part) -> bool:
    """Whether words only tell what something else takes the place of."""
    return _REPLACED.search(part.text[: one.start - _start(part)]) is not None


def _is_of_term(one: Said, term: Said, part: Part) -> bool:
    """Whether words are a part of a length of time, or the number that it takes the place of ("36 months, not 24")."""
    within = one.start < term.end and term.start < one.end
    return within or is_replaced(one, part)


def _terms(part: Part) -> Iterator[Said]:
    for first, last in terms_in(part.text):
        yield Said("term", part.text[first:last], _start(part) + first, _start(part) + last)


def _whole(flow: Flow, part: Part) -> Iterator[Said]:
    if not part.text:
        return
    for spec in flow.slots.values():
        if spec.type in WHOLE:
            yield Said(WHOLE[spec.type], part.text, _start(part), _start(part) + len(part.text))


def _start(part: Part) -> int:
    return part.start if isinstance(part, Request) else 0
