"""What the customer can mean: their own accounts, payees and cards, and no one else's, found by the words they use.

A name decides only where it is written as it stands in the list; anything less makes a question.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.core import (
    AccountDetails,
    AccountKind,
    CardDetails,
    Charge,
    latest_charges,
    list_accounts,
    list_cards,
)
from llm_banking.banking.disputes import disputed_entries
from llm_banking.banking.models import Payee
from llm_banking.banking.payees import payees_of
from llm_banking.dialogue.flow_files import SlotSpec
from llm_banking.dialogue.own_cards import card_choice, cards_meant, names_a_card, usable_cards
from llm_banking.dialogue.own_charges import charge_choice, charges_meant
from llm_banking.dialogue.own_schedules import (
    PlannedPayment,
    names_a_schedule,
    planned_payments,
    schedule_choice,
    schedules_meant,
)
from llm_banking.dialogue.tracker import MAX_CHOICES, Choice
from llm_banking.kit.clock import utc_now
from llm_banking.nlu.slots import normalise_account, normalise_bill_type
from llm_banking.nlu.slots.lexicon import word_set
from llm_banking.operations.schedule_records import MAX_PAGE_ROWS, schedules_of

ALIKE = 0.75
"""Share of letters in common from which a name is near enough to ask about (Ratcliff and Obershelp 1988)."""
MAX_NAME_CHARS = 80
CHARGES_OF = timedelta(days=120)
MAX_CHARGES = 300
_LAST4 = re.compile(r"(?<!\d)(\d{4})(?!\d)")
_FILLERS = word_set(
    "a account accounts an another acct bill card ending for from i in instead into it its it's mine money my no not "
    "number of on one our out please that that's the then this to use using with"
)


@dataclass(frozen=True, slots=True)
class Match:
    """What a text may mean. `sure`: it is the one choice, and nobody needs to be asked."""

    choices: tuple[Choice, ...]
    sure: bool = False


@dataclass(frozen=True, slots=True)
class Holdings:
    """One customer's accounts, payees, cards and planned payments, and what was charged lately."""

    accounts: Sequence[AccountDetails] = ()
    payees: Sequence[Payee] = ()
    cards: Sequence[CardDetails] = ()
    charges: Sequence[Charge] = ()
    schedules: Sequence[PlannedPayment] = ()

    @property
    def currencies(self) -> frozenset[str]:
        """What the customer's accounts are kept in."""
        return frozenset(one.balance.currency for one in self.accounts)

    def account_choices(self, spec: SlotSpec) -> tuple[Choice, ...]:
        """The own accounts that a slot takes."""
        if "own_account" not in spec.takes:
            return ()
        return tuple(_account_choice(one) for one in self.accounts if one.kind in spec.accounts)

    def card_choices(self, spec: SlotSpec) -> tuple[Choice, ...]:
        """The own cards that a slot takes."""
        return tuple(card_choice(one) for one in usable_cards(self.cards, spec.statuses))

    def schedule_choices(self) -> tuple[Choice, ...]:
        """The own planned payments, the soonest first."""
        return tuple(schedule_choice(one) for one in self.schedules)

    def tells(self, text: str, spec: SlotSpec) -> bool:
        """Whether a text says which value of a slot is meant, be it one that there is not."""
        named = (spec.type == "card" and names_a_card(text)) or (spec.type == "schedule" and names_a_schedule(text))
        return named or bool(self.match(text, spec).choices)

    def payee_choices(self, spec: SlotSpec) -> tuple[Choice, ...]:
        """The payees that a slot takes."""
        return tuple(
            Choice(kind=one.kind, value=str(one.id), label=one.name) for one in self.payees if one.kind in spec.takes
        )

    def match(self, text: str, spec: SlotSpec) -> Match:
        """What a text means as a value of a slot: one account or payee surely, several to ask about, or nothing."""
        if spec.type == "card":
            cards = tuple(card_choice(one) for one in cards_meant(text, self.cards, spec.statuses))
            return Match(cards[:MAX_CHOICES], sure=len(cards) == 1)
        if spec.type == "charge":
            charges = tuple(charge_choice(one) for one in charges_meant(text, self.charges))
            return Match(charges[:MAX_CHOICES], sure=len(charges) == 1)
        if spec.type == "schedule":
            planned = tuple(schedule_choice(one) for one in schedules_meant(text, self.schedules))
            return Match(planned[:MAX_CHOICES], sure=len(planned) == 1)
        text = text[:MAX_NAME_CHARS]
        exact = tuple(one for one in self.payee_choices(spec) if words_of(one.label) in _readings(text))
        if exact:
            return Match(exact[:MAX_CHOICES], sure=len(exact) == 1)
        accounts = self._match_accounts(text, spec)
        named, alike = _near_payees(text, self.payee_choices(spec))
        payees = named or (() if accounts else alike)
        if accounts and not payees:
            return Match(accounts[:MAX_CHOICES], sure=len(accounts) == 1)
        return Match((*accounts, *payees)[:MAX_CHOICES])

    def _match_accounts(self, text: str, spec: SlotSpec) -> tuple[Choice, ...]:
        offered = {choice.value for choice in self.account_choices(spec)}
        own = [one for one in self.accounts if str(one.id) in offered]
        digits = _LAST4.search(text)
        if digits:
            return tuple(_account_choice(one) for one in own if one.number_last4 == digits[1])
        said = set(words_of(text)) - _FILLERS
        named = [one for one in own if said and said <= set(words_of(one.name))]
        if named:
            return tuple(_account_choice(one) for one in named)
        kind = _kind_of(text)
        return tuple(_account_choice(one) for one in own if one.kind == kind)


async def holdings_of(session: AsyncSession, owner_id: UUID) -> Holdings:
    """What a customer holds now."""
    charges = await latest_charges(session, owner_id, since=utc_now() - CHARGES_OF, most=MAX_CHARGES)
    disputed = await disputed_entries(session, owner_id) if charges else set()
    return Holdings(
        await list_accounts(session, owner_id),
        await payees_of(session, owner_id),
        await list_cards(session, owner_id),
        [one for one in charges if one.id not in disputed],
        planned_payments(await schedules_of(session, owner_id, limit=MAX_PAGE_ROWS, active=True)),
    )


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text, without regard to case, width and accents' composition."""
    return tuple(re.findall(r"[\w'&-]+", unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")))


def _readings(text: str) -> set[tuple[str, ...]]:
    """A text as a name: as it stands, and without the little words around it."""
    words = words_of(text)
    first, last = 0, len(words)
    while first < last and words[first] in _FILLERS:
        first += 1
    while last > first and words[last - 1] in _FILLERS:
        last -= 1
    return {words, words[first:last]} - {()}


def _near_payees(text: str, choices: Sequence[Choice]) -> tuple[tuple[Choice, ...], tuple[Choice, ...]]:
    """Payees whose name holds all words of the text or begins with it; and those that are only spelt much like it.

    The former come with the latter, for who says "Bob" may mean Bobbie.
    """
    readings = _readings(text) | _bill_words(text)
    named = [one for one in choices if any(set(said) <= set(words_of(one.label)) for said in readings)]
    alike = tuple(one for one in choices if one in named or any(_alike(said, words_of(one.label)) for said in readings))
    return (alike if named else ()), alike


def _alike(said: tuple[str, ...], name: tuple[str, ...]) -> bool:
    whole, other = " ".join(name), " ".join(said)
    begins = len(other) >= 2 and whole.startswith(other)
    return begins or (len(other) >= 3 and bool(get_close_matches(other, (whole, name[0]), n=1, cutoff=ALIKE)))


def _bill_words(text: str) -> set[tuple[str, ...]]:
    kind = normalise_bill_type(text)
    return {(kind,)} if kind is not None and kind != "credit_card" else set()


def _kind_of(text: str) -> AccountKind | None:
    said = normalise_account(text)
    kind = said["kind"] if said else None
    if kind is None and normalise_bill_type(text) == "credit_card":
        kind = "credit_card"
    if kind is None:
        named = {one for one in AccountKind if one.value.replace("_", " ") in " ".join(words_of(text))}
        kind = named.pop() if len(named) == 1 else None
    return AccountKind(kind) if kind in tuple(AccountKind) else None


def _account_choice(one: AccountDetails) -> Choice:
    return Choice(kind="own_account", value=str(one.id), label=f"{one.name} ending in {one.number_last4}")
