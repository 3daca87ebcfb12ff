"""Entries of the ledger, pure: what is posted together, and what it must add up to.

An amount is positive where an account is credited and negative where it is debited, so that money in the bank is
positive and money owed to it is negative. Every entry adds up to nothing in each currency (double entry).
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from llm_banking.kit.errors import LlmBankingError
from llm_banking.kit.money import Money

MAX_LEGS = 16
MAX_AMOUNT_MINOR = 10**15
"""Of one leg. Nine thousand of them fit into a balance, which is a 64-bit number."""
MAX_DESCRIPTION_CHARACTERS = 200


class EntryInvalidError(LlmBankingError):
    """An entry that no ledger could take."""

    code = "INVALID_REQUEST"


class Own(StrEnum):
    """The bank's own accounts. Each is one for every currency."""

    OUTSIDE = "outside"
    """Other banks, shops, employers: where money comes from and goes to."""
    FEES = "fees"
    INTEREST = "interest"
    BILLS = "bills"
    DISPUTES = "disputes"
    LOANS = "loans"


@dataclass(frozen=True, slots=True)
class Leg:
    """One account's part of an entry; `description` is what its owner reads."""

    account: UUID | Own
    amount: Money
    description: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What is posted together or not at all. Made under the same `id` again it must be the same entry.

    `reverses` is the entry that this one takes back. Raises EntryInvalidError where the legs do not add up, where one
    is empty or too large, or where an account has two.
    """

    id: UUID
    kind: str
    booked_at: datetime
    legs: tuple[Leg, ...]
    reverses: UUID | None = None

    def __post_init__(self) -> None:
        if not 2 <= len(self.legs) <= MAX_LEGS:
            raise EntryInvalidError(f"An entry has 2 to {MAX_LEGS} legs.")
        if len({leg.account for leg in self.legs}) < len(self.legs):
            raise EntryInvalidError("Each account has one leg of an entry at most.")
        for leg in self.legs:
            if not 0 < abs(leg.amount.amount_minor) <= MAX_AMOUNT_MINOR:
                raise EntryInvalidError("The amount of a leg is not nothing, and not more than a bank could hold.")
            if not 0 < len(leg.description) <= MAX_DESCRIPTION_CHARACTERS:
                raise EntryInvalidError(f"A leg's description has 1 to {MAX_DESCRIPTION_CHARACTERS} characters.")
        if any(totals(self.legs).values()):
            raise EntryInvalidError("The legs of an entry add up to nothing in each currency.")

    @property
    def body_hash(self) -> bytes:
        """SHA-256 of everything but the time of booking: an entry that comes again is the same one."""
        legs = [
            [str(leg.account), leg.amount.amount_minor, leg.amount.currency, leg.description]
            for leg in sorted(self.legs, key=lambda leg: str(leg.account))
        ]
        body = [str(self.id), self.kind, str(self.reverses or ""), legs]
        return hashlib.sha256(json.dumps(body, ensure_ascii=True, separators=(",", ":")).encode()).digest()

    def reversal(self, id: UUID, booked_at: datetime) -> Entry:  # noqa: A002 - the field's name
        """The entry that takes this one back: what was posted stays, and this compensates it."""
        legs = tuple(replace(leg, amount=-leg.amount, description=f"Reversal: {leg.description}") for leg in self.legs)
        return Entry(id, "reversal", booked_at, legs, reverses=self.id)


def totals(legs: Iterable[Leg]) -> dict[str, int]:
    """What legs add up to, in minor units by currency."""
    found: dict[str, int] = defaultdict(int)
    for leg in legs:
        found[leg.amount.currency] += leg.amount.amount_minor
    return dict(found)


def transfer(
    id: UUID,  # noqa: A002 - the field's name
    *,
    payer: UUID | Own,
    payee: UUID | Own,
    amount: Money,
    booked_at: datetime,
    kind: str = "transfer",
    payer_reads: str,
    payee_reads: str,
) -> Entry:
    """The entry that moves an amount between two accounts. Raises EntryInvalidError, also on an amount below 1."""
    if amount.amount_minor < 1:
        raise EntryInvalidError("What is moved is more than nothing.")
    return Entry(id, kind, booked_at, (Leg(payer, -amount, payer_reads), Leg(payee, amount, payee_reads)))
