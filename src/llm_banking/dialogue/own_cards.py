"""Which of a customer's cards is meant, by the words of a whole message: digits, debit or credit, parts of a name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

from llm_banking.banking.core import CardDetails, CardStatus
from llm_banking.dialogue.tracker import Choice
from llm_banking.nlu.slots.lexicon import word_set

_DIGITS = re.compile(
    r"(?<![\d.,$€£])(?<!\bto )(?<!\bof )(?<!\bat )(\d{4})(?!\d|[.,]\d| ?(?:dollars?|bucks|usd|a day|per day|daily)\b)",
    re.IGNORECASE,
)
"""Four figures that end a card's number, and are no amount."""
_SAID_TO_BE = re.compile(
    r"\b(?:(?:my|the|our|his|her|their)\s+(?P<what>(?:[\w&-]+\s+){1,3}?)card\b|\w+['\u2019]s\s+(?:[\w&-]+\s+){0,2}card\b)",
    re.IGNORECASE,
)
_PLAIN = word_set(
    "activated atm bank blocked broken current damaged expired first frozen good last latest lost main missing new old "
    "only other own physical plastic replacement same second stolen"
)
_NO_NAME = word_set("card cards the a my of and")


def cards_meant(text: str, cards: Sequence[CardDetails], statuses: Collection[CardStatus]) -> tuple[CardDetails, ...]:
    """The cards in these statuses that a text may mean; none where it says nothing that tells one."""
    usable = usable_cards(cards, statuses)
    digits = set(_DIGITS.findall(text))
    if digits:
        return tuple(one for one in usable if one.number_last4 in digits)
    said = _words(text)
    fits = [len(said & _names(one)) for one in usable]
    best = max(fits, default=0)
    return tuple(one for one, fit in zip(usable, fits, strict=True) if fit == best) if best else ()


def usable_cards(cards: Sequence[CardDetails], statuses: Collection[CardStatus]) -> list[CardDetails]:
    """Those in these statuses, without those that were replaced."""
    return [one for one in cards if one.status in statuses and not one.replaced]


def names_a_card(text: str) -> bool:
    """Whether a text says which card: such a one is not taken for another, even if there is only that other one."""
    if _DIGITS.search(text):
        return True
    return any(
        one["what"] is None or bool(_words(one["what"]) - _PLAIN - _NO_NAME) for one in _SAID_TO_BE.finditer(text)
    )


def card_choice(card: CardDetails) -> Choice:
    """A card as a value."""
    return Choice(kind="card", value=str(card.id), label=f"{card.name} ending in {card.number_last4}")


def _names(card: CardDetails) -> set[str]:
    return {*_words(card.name), card.kind} - _NO_NAME


def _words(text: str) -> set[str]:
    return set(re.findall(r"[\w&]+", unicodedata.normalize("NFKC", text).casefold()))
