"""Which of a customer's charges is meant, by the words of a whole message: shop, amount, and whether it came twice."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from llm_banking.banking.core import Charge
from llm_banking.banking.duplicates import find_duplicates
from llm_banking.dialogue.tracker import Choice
from llm_banking.nlu.slots.lexicon import word_set

_TWICE = re.compile(r"\b(?:twice|two times|double|doubled|duplicate|duplicated|again)\b", re.IGNORECASE)
_AMOUNT = re.compile(r"(?<![\d.,])(\d{1,3}(?:,\d{3})+|\d{1,9})(?:\.(\d{2}))?(?![\d]|[.,]\d)")
_NO_SHOP = word_set(
    "a an and at bank bill bills by card charge charged charges co company dispute for from i in it market my of on "
    "payment purchase shop store street the this to transfer was with"
)


def charges_meant(text: str, charges: Sequence[Charge]) -> tuple[Charge, ...]:
    """The charges that a text may mean, newest first; none where it says nothing that tells one.

    Of one that came twice it is the later one that is meant; of a shop where none did, any.
    """
    newest = sorted(charges, key=lambda one: (one.booked_at, one.id), reverse=True)
    if _TWICE.search(text) is None:
        return _told(text, newest)
    again = {one.again.id for one in find_duplicates(charges)}
    twice = tuple(one for one in newest if one.id in again)
    return _told(text, twice) or _told(text, newest) or twice


def _told(text: str, pool: Sequence[Charge]) -> tuple[Charge, ...]:
    said, amounts = _words(text), _amounts(text)
    by_shop = [one for one in pool if said & (_words(one.description) - _NO_SHOP)]
    by_amount = [one for one in pool if -one.amount.amount_minor in amounts]
    both = [one for one in by_shop if one in by_amount]
    return tuple(both or by_shop or by_amount)


def charge_choice(charge: Charge) -> Choice:
    """A charge as a value."""
    day = charge.booked_at.date()
    label = f"{(-charge.amount).display()} by {charge.description} on {day.day} {day:%B}"
    return Choice(kind="charge", value=str(charge.id), label=label)


def _amounts(text: str) -> set[int]:
    """What a text may say as an amount, in units of a hundredth."""
    return {int(found[1].replace(",", "")) * 100 + int(found[2] or 0) for found in _AMOUNT.finditer(text)}


def _words(text: str) -> set[str]:
    return set(re.findall(r"[\w&]+", unicodedata.normalize("NFKC", text).casefold()))
