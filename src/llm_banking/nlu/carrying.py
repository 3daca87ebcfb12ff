"""A verb said once counts for all that is coordinated with it: "pay the gas bill and the water bill"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from llm_banking.nlu.clauses import Joint, asks
from llm_banking.nlu.payments import goes_on_paying, takes_back, where_more_may_follow
from llm_banking.nlu.slots import Slot, normalise_amount

if TYPE_CHECKING:
    from llm_banking.nlu.reader import Reading

CARRIED = frozenset({"pay_bill", "bill_amount", "bill_due_date", "schedule_payment", "transfer_funds"})
"""Intents of which one message may name several objects, each a request of its own."""
PAYING = CARRIED - {"bill_amount", "bill_due_date"}

_AMOUNT_FIRST = re.compile(
    r"((?:[$€£]\s?)?\d[\d,]*(?:\.\d+)?(?: ?(?:dollars?|bucks|euros?|pounds?|usd|eur|gbp))?)"
    r"\s+(?:to|on|for|into|towards?)\s",
    re.IGNORECASE,
)
_BARE_OBJECT = re.compile(
    r"(?:(?:the|my|our|for|to|on|that|her|his|one)\s+)*\w+(?:\s+\w+)?(?:\s+(?:bills?|one|too|please|pls))*\W*\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the message, what the model reads in it, and the slots said in it."""

    text: str
    start: int
    end: int
    joint: Joint | None
    reading: Reading
    slots: tuple[Slot, ...]
    carried: bool = False


def carried_over(parts: Sequence[Part], text: str) -> list[Part]:
    """Give a clause without a verb the intent of the one before it, where it names another object of it."""
    found: list[Part] = []
    for part in parts:
        own = not found or takes_back(text[found[-1].end : part.start])
        slots = None if own else _carried_slots(found[-1], part)
        if slots is None:
            found.append(part)
        else:
            found.append(replace(part, reading=found[-1].reading, slots=slots, carried=True))
    return found


def _carried_slots(left: Part, right: Part) -> tuple[Slot, ...] | None:
    """The slots of a clause to which the verb of the one before it is carried over; None where it is not."""
    if left.reading.intent not in CARRIED or not left.reading.in_scope or asks(right.text):
        return None
    bills = [{slot.value for slot in part.slots if slot.name == "bill_type"} for part in (left, right)]
    amount = _AMOUNT_FIRST.match(right.text)
    if amount and left.reading.intent in PAYING and (left.carried or any(slot.name == "amount" for slot in left.slots)):
        return _with_amount(right, amount)
    named = goes_on_paying(right.text)
    if (
        named
        and named["amount"]
        and left.reading.intent in PAYING
        and (left.carried or where_more_may_follow(left.text) is not None)
    ):
        return _with_name_and_amount(right, named)
    if (
        bills[1]
        and not bills[0] & bills[1]
        and left.reading.intent != "transfer_funds"
        and _BARE_OBJECT.match(right.text)
    ):
        return right.slots
    return None


def _with_amount(part: Part, match: re.Match[str]) -> tuple[Slot, ...]:
    """The slots of a part with the bare number it starts with read as the amount that it is."""
    start, end = part.start, part.start + match.end(1)
    value = normalise_amount(match[1])
    if value is None or any(slot.start < end for slot in part.slots):
        return part.slots
    return (Slot("amount", value, match[1], start, end), *part.slots)


def _with_name_and_amount(part: Part, match: re.Match[str]) -> tuple[Slot, ...]:
    """The slots of a part that is a name and a bare number, with what no slot covers of the two."""
    found = list(part.slots)
    values = {"payee": match["name"].casefold(), "amount": normalise_amount(match["amount"])}
    for (slot, value), group in zip(values.items(), ("name", "amount"), strict=True):
        start, end = (part.start + at for at in match.span(group))
        if value is not None and all(end <= one.start or one.end <= start for one in part.slots):
            found.append(Slot(slot, value, match[group], start, end))
    return tuple(sorted(found, key=lambda one: one.start))
