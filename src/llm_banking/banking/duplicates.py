"""Charges that look as if they were made twice: same account, same payee's text, same amount, close together."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from llm_banking.banking.charges import Charge
from llm_banking.kit.money import Money

WINDOW = timedelta(days=3)
"""A terminal's second try and a merchant's second batch come within it; next week's groceries do not."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A charge, and the latest earlier one that it repeats."""

    first: Charge
    again: Charge


def find_duplicates(charges: Iterable[Charge], window: timedelta = WINDOW) -> list[Duplicate]:
    """Each charge that repeats an earlier one at most `window` before it, the oldest first. Credits never do."""
    latest: dict[tuple[UUID, str, Money], Charge] = {}
    found = []
    for charge in sorted(charges, key=lambda one: (one.booked_at, one.id)):
        if charge.amount.amount_minor >= 0:
            continue
        key = (charge.account_id, _payee(charge.description), charge.amount)
        earlier = latest.get(key)
        if earlier is not None and charge.booked_at - earlier.booked_at <= window:
            found.append(Duplicate(earlier, charge))
        latest[key] = charge
    return found


def _payee(text: str) -> str:
    """A payee's text without what terminals write differently: case, width, runs of spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
