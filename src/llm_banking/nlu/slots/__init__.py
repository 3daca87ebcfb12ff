"""Slots read by rule from one customer text: amounts, dates, periods, accounts and the like, with exact values.

This is the half of slot filling that needs no model. A rule reads only what it can read surely; a name in lower case,
a merchant or an address is left to the token head, which gives its spans to the normalisers here.

Slot names and values:

- amount: {"amount": decimal string, "currency": ISO 4217 code}
- quantity: "half", "all", "rest" or "double"
- count: integer
- date: ISO date; period: {"from", "to"} in ISO dates, both included
- recurrence: {"every": "day" | "week" | "month" | "year", "interval"?, "on"?, "nth"?}
- time: "HH:MM"
- account: {"kind", "last4"?, "role"?}; card: {"kind", "last4"?}
- phone, email: normalised text; bill_type: a word of a closed list; payee: the text as said
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from llm_banking.nlu.slots.amounts import MAX_AMOUNT_MINOR, read_amount, read_count, read_quantity
from llm_banking.nlu.slots.contacts import read_contact
from llm_banking.nlu.slots.dates import read_date, read_day
from llm_banking.nlu.slots.lexicon import word_set
from llm_banking.nlu.slots.numbers import read_number
from llm_banking.nlu.slots.payees import read_payee
from llm_banking.nlu.slots.periods import read_period, read_recurrence
from llm_banking.nlu.slots.references import read_account, read_bill, read_card, read_ending
from llm_banking.nlu.slots.times import read_time
from llm_banking.nlu.slots.tokens import Found, Prefer, Words, cut

__all__ = [
    "MAX_AMOUNT_MINOR",
    "MAX_CHARACTERS",
    "Prefer",
    "Slot",
    "find_slots",
    "normalise_account",
    "normalise_amount",
    "normalise_bill_type",
    "normalise_card",
    "normalise_count",
    "normalise_date",
    "normalise_email",
    "normalise_period",
    "normalise_phone",
    "normalise_quantity",
    "normalise_recurrence",
    "normalise_time",
]

MAX_CHARACTERS = 4000
"""What is read of a text; slots after it are not looked for."""

_READERS: tuple[Callable[[Words, int], Found | None], ...] = (
    read_contact,
    read_recurrence,
    read_period,
    read_date,
    read_time,
    read_amount,
    read_quantity,
    read_bill,
    read_account,
    read_card,
    read_ending,
    read_count,
    read_payee,
)
"""Of readings that start at the same word the longest wins, and among those of one length the earliest here."""


_SIGN_READERS = dict.fromkeys("$€£¥", (read_amount,)) | dict.fromkeys("+(", (read_contact,))
"""What can start with a sign."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One value and where it was said: `text` is the source from character `start` up to, not including, `end`."""

    name: str
    value: Any
    text: str
    start: int
    end: int


def find_slots(text: str, *, today: date, currency: str = "USD", prefer: Prefer | None = None) -> tuple[Slot, ...]:
    """The slots of a text in the order they are said; they never overlap. Never raises, whatever the text holds.

    `today` is the customer's date and `currency` the ISO 4217 code of amounts said without one. `prefer` says where an
    open date such as "Friday" or "the 5th" is looked for; None lets the text's own words decide, past for a text that
    only tells or asks of the past, else future. Reads MAX_CHARACTERS characters in time linear in them.
    """
    words = cut(text[:MAX_CHARACTERS], today, currency, prefer)
    slots: list[Slot] = []
    at = 0
    while at < len(words.tokens):
        readers = _SIGN_READERS.get(words.low(at), ()) if words.kind(at) in ("sign", "url") else _READERS
        best: Found | None = None
        for reader in readers:
            found = reader(words, at)
            if found and (best is None or found.end > best.end):
                best = found
        if best is None:
            at = _after_unread(words, at)
            continue
        start, end = words.span(best.first, best.end)
        slots.append(Slot(best.name, best.value, text[start:end], start, end))
        at = best.end
    return tuple(slots)


def _after_unread(words: Words, at: int) -> int:
    """The next token to read from; numbers that run into each other are left together, not read in part."""
    number = read_number(words, at)
    if number is None:
        return at + 1
    end = number.end
    while end < len(words.tokens):
        following = read_number(words, end)
        if following is None or words.low(end) in ("a", "an"):
            break
        end = following.end
    return end if end > number.end else at + 1


def _whole(
    text: str,
    reader: Callable[[Words, int], Found | None],
    today: date,
    currency: str = "USD",
    prefer: Prefer | None = "future",
) -> Any:
    """The value of a text that a reader takes whole, but for a leading preposition or article and closing marks."""
    words = cut(text[:MAX_CHARACTERS], today, currency, prefer)
    end = len(words.tokens)
    while end and words.ends(end - 1):
        end -= 1
    for first in range(min(end, 4)):
        found = reader(words, first)
        if found and found.end == end:
            return found.value
        if words.low(first) not in _LEADING:
            break
    return None


_LEADING = word_set("on by at in for from to the of about around my our your during using with into since due")
_ANY_DAY = date(2000, 1, 1)


def normalise_amount(text: str, currency: str = "USD") -> dict[str, str] | None:
    """{"amount", "currency"} of a text that is one amount; a bare number is in `currency`. None for anything else."""
    value = _whole(text, read_amount, _ANY_DAY, currency)
    if value is not None:
        return dict(value)
    words = cut(text[:MAX_CHARACTERS], _ANY_DAY, currency)
    number = read_number(words, 0)
    if number is None or any(not words.ends(at) for at in range(number.end, len(words.tokens))):
        return None
    return dict(carried) if (carried := _bare_money(words, currency)) else None


def _bare_money(words: Words, currency: str) -> dict[str, str] | None:
    """The amount of a text that is a number and nothing else, read as if money had been spoken of."""
    asked = cut(f"send {words.source}", words.today, currency)
    found = read_amount(asked, 1)
    return found.value if found else None


def normalise_date(text: str, today: date, prefer: Prefer = "future") -> str | None:
    """The ISO date of a text that is one day; None for anything else."""
    words = cut(text[:MAX_CHARACTERS], today, "USD", prefer)
    if words.low(0) == "the":
        words = cut(f"on {text[:MAX_CHARACTERS]}", today, "USD", prefer)
    for first in range(min(len(words.tokens), 4)):
        day = read_day(words, first)
        if day and all(words.ends(at) for at in range(day[1], len(words.tokens))):
            return day[0].isoformat()
        if words.low(first) not in _LEADING:
            break
    return None


def normalise_period(text: str, today: date, prefer: Prefer = "past") -> dict[str, str] | None:
    """{"from", "to"} of a text that is one period; None for anything else."""
    value = _whole(text, read_period, today, prefer=prefer)
    return dict(value) if value else None


def normalise_recurrence(text: str) -> dict[str, Any] | None:
    """The recurrence a text names; None for anything else."""
    value = _whole(text, read_recurrence, _ANY_DAY)
    return dict(value) if value else None


def normalise_time(text: str) -> str | None:
    """The "HH:MM" of a text that is one time of day; None for anything else."""
    value = _whole(text, read_time, _ANY_DAY)
    return str(value) if value else None


def normalise_account(text: str) -> dict[str, Any] | None:
    """{"kind", "last4"?, "role"?} of a text that names one account; None for anything else."""
    value = _whole(text, read_account, _ANY_DAY)
    return dict(value) if value else None


def normalise_card(text: str) -> dict[str, Any] | None:
    """{"kind", "last4"?} of a text that names one card; None for anything else."""
    value = _whole(text, read_card, _ANY_DAY)
    return dict(value) if value else None


def normalise_bill_type(text: str) -> str | None:
    """The canonical word of a text that names one kind of bill, said as "water" or "water bill"."""
    value = _whole(text, read_bill, _ANY_DAY) or _whole(f"{text} bill", read_bill, _ANY_DAY)
    return str(value) if value else None


def normalise_count(text: str) -> int | None:
    """The whole number from 1 to 9999 that a text is; None for anything else."""
    value = _whole(f"{text} payments", _counted, _ANY_DAY)
    return int(value) if value else None


def _counted(words: Words, index: int) -> Found | None:
    """A count with the noun after it taken in."""
    found = read_count(words, index)
    return Found(found.name, found.value, found.first, found.end + 1) if found else None


def normalise_quantity(text: str) -> str | None:
    """The "half", "all", "rest" or "double" of a text that is one of their words; None for anything else."""
    words = cut(f"send {text[:MAX_CHARACTERS]}", _ANY_DAY, "USD")
    found = read_quantity(words, 1)
    return str(found.value) if found and all(words.ends(at) for at in range(found.end, len(words.tokens))) else None


def normalise_phone(text: str) -> str | None:
    """Digits, with + where written, of a text that is one telephone number; None for anything else."""
    words = cut(f"call {text[:MAX_CHARACTERS].strip()}", _ANY_DAY, "USD")
    found = read_contact(words, 1)
    return str(found.value) if found and found.name == "phone" and found.end == len(words.tokens) else None


def normalise_email(text: str) -> str | None:
    """An e-mail address in lower case; None for anything else."""
    words = cut(text[:MAX_CHARACTERS], _ANY_DAY, "USD")
    return words.low(0) if len(words.tokens) == 1 and words.kind(0) == "email" else None
