"""A model of the ledger in plain Python, and random operations: the ledger must answer and end as the model does."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID

from llm_banking.banking.ledger import Entry, Leg, Own
from llm_banking.kit.money import Money

CURRENCIES = ("USD", "EUR")
BOOKED_AT = datetime(2026, 1, 2, tzinfo=UTC)
EXPIRED = datetime(2020, 1, 1, tzinfo=UTC)
NEVER = datetime(2999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Post:
    """Post an entry, perhaps with a hold, for a person."""

    person: int
    entry: Entry
    hold: UUID | None = None


@dataclass(frozen=True, slots=True)
class SetAside:
    """Hold money of an account for a person."""

    person: int
    id: UUID
    account: UUID
    amount: Money
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Release:
    """Give held money back for a person."""

    person: int
    id: UUID


Operation = Post | SetAside | Release


@dataclass(slots=True)
class _Account:
    person: int
    currency: str
    floor_minor: int
    balance_minor: int = 0
    held_minor: int = 0


@dataclass(slots=True)
class _Hold:
    account: UUID
    amount_minor: int
    expires_at: datetime
    status: str = "active"


@dataclass(slots=True)
class Model:
    """What is on every account, in every entry and in every hold; people are numbered."""

    accounts: dict[UUID, _Account]
    entries: dict[UUID, Entry] = field(default_factory=dict)
    holds: dict[UUID, _Hold] = field(default_factory=dict)
    reversed: set[UUID] = field(default_factory=set)

    @staticmethod
    def available_minor(account: _Account) -> int:
        """What may go from an account."""
        return account.balance_minor - account.held_minor - account.floor_minor

    def apply(self, operation: Operation) -> frozenset[str]:
        """Do it where it may be done; what may be answered: one word, or each reason that stands against it."""
        match operation:
            case Post():
                return self._post(operation)
            case SetAside():
                return self._set_aside(operation)
            case Release():
                return self._release(operation)

    def _post(self, operation: Post) -> frozenset[str]:
        entry = operation.entry
        earlier = self.entries.get(entry.id)
        if earlier is not None:
            return frozenset({"already_posted" if earlier.body_hash == entry.body_hash else "id_reused"})
        against = {
            *self._against_hold(operation),
            *self._against_reversal(entry),
            *(reason for leg in entry.legs for reason in self._against_leg(operation, leg)),
        }
        if against:
            return frozenset(against)
        for leg in entry.legs:
            if isinstance(leg.account, UUID):
                self.accounts[leg.account].balance_minor += leg.amount.amount_minor
        self.entries[entry.id] = entry
        if entry.reverses is not None:
            self.reversed.add(entry.reverses)
        if operation.hold is not None:
            hold = self.holds[operation.hold]
            hold.status = "captured"
            self.accounts[hold.account].held_minor -= hold.amount_minor
        return frozenset({"posted"})

    def _against_hold(self, operation: Post) -> Iterator[str]:
        if operation.hold is None:
            return
        hold = self.holds.get(operation.hold)
        debited = {leg.account for leg in operation.entry.legs if leg.amount.amount_minor < 0}
        if hold is None or hold.status != "active" or hold.expires_at == EXPIRED or hold.account not in debited:
            yield "unknown_hold"

    def _against_reversal(self, entry: Entry) -> Iterator[str]:
        if entry.reverses is None:
            return
        other = self.entries.get(entry.reverses)
        if (
            other is None
            or other.reverses is not None
            or other.id in self.reversed
            or _amounts(entry) != {account: -amount for account, amount in _amounts(other).items()}
        ):
            yield "not_reversible"

    def _against_leg(self, operation: Post, leg: Leg) -> Iterator[str]:
        if isinstance(leg.account, Own):
            return
        account, amount = self.accounts.get(leg.account), leg.amount.amount_minor
        if account is None or (amount < 0 and account.person != operation.person):
            yield "unknown_account"
            return
        if account.currency != leg.amount.currency:
            yield "wrong_currency"
        hold = self.holds.get(operation.hold) if operation.hold is not None else None
        freed = hold.amount_minor if hold is not None and hold.account == leg.account else 0
        if amount < 0 and self.available_minor(account) + freed + amount < 0:
            yield "insufficient_funds"

    def _set_aside(self, operation: SetAside) -> frozenset[str]:
        account = self.accounts.get(operation.account)
        if account is None or account.person != operation.person:
            return frozenset({"unknown_account"})
        earlier, amount = self.holds.get(operation.id), operation.amount.amount_minor
        if earlier is not None:
            same = (earlier.account, earlier.amount_minor) == (operation.account, amount)
            return frozenset({"already_held" if same else "id_reused"})
        if self.available_minor(account) < amount:
            return frozenset({"insufficient_funds"})
        self.holds[operation.id] = _Hold(operation.account, amount, operation.expires_at)
        account.held_minor += amount
        return frozenset({"held"})

    def _release(self, operation: Release) -> frozenset[str]:
        hold = self.holds.get(operation.id)
        if hold is None or self.accounts[hold.account].person != operation.person or hold.status == "captured":
            return frozenset({"unknown_hold"})
        if hold.status == "released":
            return frozenset({"already_released"})
        hold.status = "released"
        self.accounts[hold.account].held_minor -= hold.amount_minor
        return frozenset({"released"})


def _amounts(entry: Entry) -> Mapping[UUID, int]:
    return {leg.account: leg.amount.amount_minor for leg in entry.legs if isinstance(leg.account, UUID)}


class RandomOperations:
    """Operations drawn with a seed, most of them possible; every way of being refused comes too."""

    def __init__(self, model: Model, people: int, rng: random.Random) -> None:
        self._model = model
        self._people = people
        self._rng = rng
        self._accounts = list(model.accounts)

    def draw(self) -> Operation:
        """The next one."""
        kind = self._rng.random()
        if kind < 0.15:
            return self._hold()
        if kind < 0.22:
            return Release(self._person(), self._known(self._model.holds))
        if kind < 0.32 and self._model.entries:
            return self._again_or_reversed()
        return self._new_entry()

    def _uuid(self) -> UUID:
        return UUID(int=self._rng.getrandbits(128), version=4)

    def _person(self) -> int:
        return self._rng.randrange(self._people)

    def _known(self, rows: Mapping[UUID, object]) -> UUID:
        """One of the latest ids, or one that nobody has."""
        latest = list(rows)[-20:]
        return self._rng.choice(latest) if latest and self._rng.random() < 0.9 else self._uuid()

    def _account(self, person: int | None = None, currency: str | None = None) -> UUID:
        if self._rng.random() < 0.02:
            return self._uuid()
        fitting = [
            one
            for one in self._accounts
            if (person is None or self._model.accounts[one].person == person)
            and (currency is None or self._model.accounts[one].currency == currency)
        ]
        return self._rng.choice(fitting)

    def _hold(self) -> SetAside:
        person = self._person()
        account = self._account(person if self._rng.random() < 0.95 else None)
        currency = self._model.accounts[account].currency if account in self._model.accounts else "USD"
        again = self._rng.random() < 0.1
        expires_at = EXPIRED if self._rng.random() < 0.1 else NEVER
        edge = self._rng.random() < 0.2
        amount = Money(self._amount(account, None) if edge else self._rng.randint(1, 300), currency)
        return SetAside(person, self._known(self._model.holds) if again else self._uuid(), account, amount, expires_at)

    def _again_or_reversed(self) -> Post:
        entry = self._model.entries[self._rng.choice(list(self._model.entries)[-20:])]
        payers = [leg.account for leg in entry.legs if leg.account in self._model.accounts]
        person = self._model.accounts[payers[0]].person if payers else self._person()  # type: ignore[index]
        if self._rng.random() < 0.5:
            return Post(person, entry.reversal(self._uuid(), BOOKED_AT))
        return Post(person, entry if self._rng.random() < 0.7 else replace(entry, kind="another"))

    def _new_entry(self) -> Post:
        rng, person = self._rng, self._person()
        hold = self._known(self._model.holds) if rng.random() < 0.15 else None
        held = self._model.holds.get(hold) if hold is not None else None
        currency = rng.choice(CURRENCIES)
        payers: list[UUID | Own] = [Own.OUTSIDE if rng.random() < 0.3 else self._account(person, currency)]
        if held is not None and rng.random() < 0.9:
            person, currency = self._model.accounts[held.account].person, self._model.accounts[held.account].currency
            payers = [held.account]
        if rng.random() < 0.3:
            payers.append(self._account(person, currency))
        payees: list[UUID | Own] = [self._payee(currency)]
        if rng.random() < 0.2:
            payees.append(self._payee(currency))
        if len({*payers, *payees}) < len(payers) + len(payees):
            payers, payees = [Own.OUTSIDE], [self._account(None, currency)]
        debits = [self._amount(one, held) for one in payers]
        total = sum(debits)
        cut = rng.randint(1, total - 1) if len(payees) > 1 and total > 1 else 0
        credits_ = [total - cut, cut] if cut else [total]
        amounts = [*(-one for one in debits), *credits_]
        legs = tuple(
            Leg(place, Money(amount, currency), "x")
            for place, amount in zip((*payers, *payees[: len(credits_)]), amounts, strict=True)
        )
        return Post(person, Entry(self._uuid(), "random", BOOKED_AT, legs), hold)

    def _payee(self, currency: str) -> UUID | Own:
        if self._rng.random() < 0.2:
            return Own.FEES
        return self._account(None, currency if self._rng.random() < 0.97 else None)

    def _amount(self, payer: UUID | Own, held: _Hold | None) -> int:
        """An amount to go from an account; now and then all that may go, or one more."""
        account = self._model.accounts.get(payer) if isinstance(payer, UUID) else None
        if account is None or self._rng.random() < 0.8:
            return self._rng.randint(1, 400)
        freed = held.amount_minor if held is not None and held.account == payer else 0
        return max(1, self._model.available_minor(account) + freed + self._rng.choice((0, 1)))


def new_model(rng: random.Random, people: int = 4, accounts_each: int = 3) -> Model:
    """People with accounts in two currencies, some of which may owe something."""
    accounts = {}
    for person in range(people):
        for number in range(accounts_each):
            id_ = UUID(int=rng.getrandbits(128), version=4)
            accounts[id_] = _Account(person, CURRENCIES[number % 2], rng.choice((0, 0, -500)))
    return Model(accounts)
