"""How long a loan shall run, read by rule from the customer's words."""

from __future__ import annotations

import re
from decimal import Decimal

from llm_banking.dialogue.tracker import Choice
from llm_banking.nlu.slots import normalise_count

_ONES = "one|two|three|four|five|six|seven|eight|nine"
_COUNT = (
    r"\d{1,6}(?:\.\d)?|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty)"
    rf"(?:[ -](?:{_ONES}))?|{_ONES}|ten|eleven|twelve|fifteen|eighteen"
)
_HALF = r"\s+and\s+a\s+half"
_YEAR = r"(?:years?|yrs?)"
_MONTH = r"(?:months?|mths?)"
_TERM = re.compile(
    r"(?<![\w.,$€£-])(?<!from )(?:over\s+)?(?:"
    rf"(?P<half_year>half\s+a\s+year)|(?P<year>(?<=over )a\s+year(?:{_HALF})?|(?<=for )a\s+year(?:{_HALF})?"
    rf"|a\s+year{_HALF})"
    rf"|(?P<number>{_COUNT})(?P<range>\s*(?:-|\u2013|\bto\b|\bor\b)\s*(?:{_COUNT}))?"
    rf"(?P<half>{_HALF})?(?:\s+|-)?"
    rf"(?:{_MONTH}|(?P<years>{_YEAR})(?P<half_after>{_HALF})?(?:(?:\s+and|,)?\s+(?P<more>{_COUNT})\s+{_MONTH})?)"
    r")\b(?!\s+(?:ago|old|of age)\b)",
    re.IGNORECASE,
)
_OF_A_LIFE = re.compile(
    r"\b(?:been|customer|employed|work(?:ed|ing)?|liv(?:ed|ing)|salary|job)\b[^.,;!?]*\Z", re.IGNORECASE
)
"""Before a length of time that says how long the customer has done something."""


def terms_in(text: str) -> list[tuple[int, int]]:
    """Where a text says how long a loan shall run, and not how long something else did."""
    return [one.span() for one in _TERM.finditer(text) if not _OF_A_LIFE.search(text[: one.start()])]


def months_of(text: str) -> int | None:
    """The months that words are as a whole; a bare number counts months. None where they are no such number, or two."""
    if text.isascii() and text.isdigit():
        return int(text) if len(text) <= 6 else None
    found = _TERM.fullmatch(text) or _TERM.fullmatch(f"over {text}")
    if found is None or found["range"]:
        return None
    if found["half_year"]:
        return 6
    if found["year"]:
        return 18 if "half" in found["year"].casefold() else 12
    count = _count(found["number"]) + (Decimal("0.5") if found["half"] or found["half_after"] else 0)
    months = count * (12 if found["years"] else 1) + (_count(found["more"]) if found["more"] else 0)
    return int(months) if months == int(months) else None


def _count(words: str) -> Decimal:
    return Decimal(words) if words[0].isdigit() else Decimal(normalise_count(words) or 0)


def months_choice(months: int) -> Choice:
    """A length of time as a value."""
    return Choice(kind="months", value=str(months), label=f"{months} months" if months != 1 else "1 month")
