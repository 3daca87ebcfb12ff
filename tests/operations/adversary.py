"""Somebody who says anything at the gate: any draft, any id, any proof, in any order; and the worker beside them.

The player keeps what each person was shown and which ids each approved, from the gate's own answers. What must hold all
the same is the judge's (`judge.py`).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import select, text

from llm_banking.banking.cards import list_cards
from llm_banking.banking.disputes import DisputeReason
from llm_banking.banking.recurrence import Frequency, Recurrence
from llm_banking.identity.second_factors import FactorProof
from llm_banking.identity.step_up import Challenge, Method, Refusal, TotpCode
from llm_banking.kit.database import Database
from llm_banking.kit.errors import LlmBankingError
from llm_banking.kit.money import Money
from llm_banking.operations.drafts import (
    BillPayment,
    CancelSchedule,
    CardDraft,
    ContactChangeDraft,
    DisputeDraft,
    Draft,
    Kind,
    LoanDraft,
    OwnTransfer,
    PayeeTransfer,
)
from llm_banking.operations.errors import PendingAlteredError
from llm_banking.operations.models import ContactCode, PaymentRun
from llm_banking.operations.records import Operation, Pending
from llm_banking.operations.schedules import due_schedules
from llm_banking.operations.when import NOW, OnDay, Repeats, Wish
from tests.identity.people import wrong_code
from tests.operations.moves import TAMPERED
from tests.operations.world import Customer, World, usd

CHARGES = [("60.00", 1), ("99.99", 10), ("90.00", 30), ("50.00", 50), ("100.01", 2), ("20.00", 70), ("10.00", 130)]
"""What each person paid in shops, and how many days ago."""
_PROVED = text(
    "SELECT 1 FROM step_up_challenges AS proof JOIN pending_operations AS one ON one.id = proof.pending_id"
    " WHERE one.id = :id AND proof.user_id = one.user_id AND proof.consumed_at IS NOT NULL"
)
BANKS_CARD_LIMIT_MINOR = 300_000
_AFTER = {
    Kind.CARD_ACTIVATE: ("inactive", "active"),
    Kind.CARD_FREEZE: ("active", "frozen"),
    Kind.CARD_UNFREEZE: ("frozen", "active"),
}


@dataclass
class Shown:
    """What the gate gave to whom, for which wish."""

    owner: Customer
    pending: Pending
    draft: Draft
    altered: bool = False


@dataclass
class SeenCard:
    """A card as it must be after what its owner approved."""

    owner: UUID
    status: str
    limit_minor: int | None = None
    replaced: bool = False


@dataclass
class Charged:
    """Something that was paid in a shop."""

    owner: UUID
    shop: str
    amount_minor: int


@dataclass
class Player:
    """Three people with accounts, payees, cards and charges, and all that was ever said."""

    world: World
    owner: Database
    people: list[Customer] = field(default_factory=list)
    accounts: list[UUID] = field(default_factory=list)
    payees: list[UUID] = field(default_factory=list)
    cards: dict[UUID, SeenCard] = field(default_factory=dict)
    charges: dict[UUID, Charged] = field(default_factory=dict)
    shown: list[Shown] = field(default_factory=list)
    proofs: list[FactorProof] = field(default_factory=list)
    approved: Counter[tuple[UUID, UUID]] = field(default_factory=Counter)
    proved: set[UUID] = field(default_factory=set)
    raised: set[UUID] = field(default_factory=set)
    """Operations that raised a card's limit when they were approved."""
    cancelled: set[UUID] = field(default_factory=set)
    emails: dict[UUID, str | None] = field(default_factory=dict)
    codes: list[str] = field(default_factory=list)
    coded: set[UUID] = field(default_factory=set)
    """Changes of address that were approved with the code that the new address was sent."""
    done: Counter[str] = field(default_factory=Counter)

    @classmethod
    async def begin(cls, world: World, owner: Database) -> Player:
        found = cls(world, owner, [])
        for name, balance in (("Ana", "40000.00"), ("Ben", "2000.00"), ("Chen", "900.00")):
            found.people.append(await world.customer(name, balance))
        for one in found.people:
            found.accounts += [one.checking, one.savings, one.card]
            for status in ("active", "inactive"):
                card = await one.add_card(status, f"{len(found.cards) + 1:04d}")
                found.cards[card] = SeenCard(one.id, status)
            for amount, days_ago in CHARGES:
                shop = f"Shop {len(found.charges) + 1}"
                charge = await one.charge(amount, shop, days_ago=days_ago)
                found.charges[charge] = Charged(one.id, shop, usd(amount).amount_minor)
        ana, ben, chen = found.people
        await ana.add_app()
        await ana.add_passkey()
        await ben.add_app()
        for one, other in ((ana, ben), (ben, chen), (chen, ana)):
            found.payees += [await one.payee(other), await one.payee(other, known=False), await one.payee(biller=True)]
        return found

    async def play(self, move: tuple[object, ...]) -> None:
        """One move. Whatever the gate refuses it refuses with an error that a caller can act on."""
        name, *rest = move
        try:
            await getattr(self, str(name))(*rest)
        except PendingAlteredError:
            self.done["altered"] += 1
        except LlmBankingError as error:
            if error.code == "INTERNAL":
                raise AssertionError("an error that no caller can act on") from error
            self.done[error.code] += 1

    # What is wished for

    async def pay(self, who: int, kind: str, source: int, target: int, amount: str) -> None:
        await self._pay(who, kind, source, target, amount, NOW)

    async def plan(self, who: int, kind: str, source: int, target: int, amount: str, days: int, times: int) -> None:
        day = (self.world.clock() + timedelta(days=days)).date()
        every_week = Repeats(Recurrence(Frequency.WEEKLY, day), count=times if times > 0 else None)
        await self._pay(who, kind, source, target, amount, every_week if times else OnDay(day))

    async def _pay(self, who: int, kind: str, source: int, target: int, amount: str, when: Wish) -> None:
        person, money = self.people[who], Money.parse(amount, "USD")
        account = _pick(self.accounts, 3, who, source)
        draft: Draft
        if kind == "own":
            draft = OwnTransfer(account, _pick(self.accounts, 3, who, target), money, when)
        elif kind == "send":
            draft = PayeeTransfer(account, _pick(self.payees, 3, who, target), money, None, when)
        else:
            draft = BillPayment(account, _pick(self.payees, 3, who, target), money, when)
        pending = await self._propose(person, draft)
        mine = {str(one) for one in (person.checking, person.savings, person.card)}
        named = pending.payload["receiver"]
        assert pending.payload["payer"]["account_id"] in mine, "a foreign account was read"
        assert named["payee_id"] in {str(one) for one in self.payees[3 * who : 3 * who + 3]} or (
            named["payee_id"] is None and named["account_id"] in mine
        ), "somebody else's account or payee was read"

    async def cancel(self, who: int | str, reference: int) -> None:
        """With "owner" it is a planned payment that is named, and by whose it is."""
        if who == "owner":
            plans = [one for one in self.shown if getattr(one.draft, "when", NOW) != NOW]
            shown = plans[max(reference, -len(plans))] if plans else None
        else:
            shown = self._named(reference)
        person = self.people[who] if isinstance(who, int) else (shown.owner if shown else self.people[0])
        pending = await self._propose(person, CancelSchedule(shown.pending.id if shown else uuid4()))
        assert shown is not None
        assert shown.owner is person, "somebody else's schedule was read"
        assert shown.altered or shown.pending.summary in pending.summary

    async def card(self, who: int, kind: Kind, index: int, limit: str) -> None:
        card = _pick(list(self.cards), 2, who, index)
        await self._propose(self.people[who], CardDraft(kind, card, usd(limit) if kind is Kind.CARD_LIMITS else None))
        assert self.cards[card].owner == self.people[who].id, "somebody else's card was read"

    async def dispute(self, who: int, index: int, reason: DisputeReason) -> None:
        charge = _pick(list(self.charges), len(CHARGES), who, index)
        await self._propose(self.people[who], DisputeDraft(charge, reason))
        assert self.charges[charge].owner == self.people[who].id, "somebody else's charge was read"

    async def loan(self, who: int, amount: str, months: int) -> None:
        await self._propose(self.people[who], LoanDraft(usd(amount), months))

    async def contact(self, who: int, index: int) -> None:
        """To a person's own or somebody else's address, or with a higher index to a new one."""
        person = self.people[who]
        taken = self.emails.get(self.people[index].id) if index < len(self.people) else None
        draft = ContactChangeDraft(taken or f"{uuid4().hex}@example.com", person.session)
        pending = await self._propose(person, draft)
        old = self.emails.get(person.id)
        assert (draft.new_email in pending.summary, old is None or old in pending.summary) == (True, True)

    async def _propose(self, person: Customer, draft: Draft) -> Pending:
        pending = await person.propose(draft, uuid4())
        self.shown.append(Shown(person, pending, draft))
        self.done["proposed"] += 1
        return pending

    # What becomes of it

    def _named(self, reference: int) -> Shown | None:
        if not self.shown or reference >= len(self.shown):
            return None
        return self.shown[max(reference, -len(self.shown))]

    async def approve(self, who: int | str, reference: int, proof: str) -> None:
        shown = self._named(reference)
        pending_id = shown.pending.id if shown else uuid4()
        person = self.people[who] if isinstance(who, int) else (shown.owner if shown else self.people[0])
        given = await self._proof(person, pending_id, proof)
        code = await self._code(shown, proof)
        found = await person.approve(pending_id, given, code)
        if isinstance(found, Refusal):
            self.done["refused"] += 1
            return
        assert isinstance(found, Operation)
        assert shown is not None, "executed under an id that there is not"
        assert not shown.altered, "executed what was altered"
        assert person.id == shown.owner.id, "somebody else's was executed"
        assert (found.summary, found.payload) == (shown.pending.summary, shown.pending.payload)
        self.approved[person.id, pending_id] += 1
        self.done[found.status] += 1
        self.done[f"{found.status} {found.kind}"] += 1
        await self._note_proof(pending_id)
        if isinstance(shown.draft, CardDraft):
            await self._card_done(person, shown.draft, pending_id)
        elif isinstance(shown.draft, CancelSchedule):
            self.cancelled.add(shown.draft.schedule_id)
        elif isinstance(shown.draft, ContactChangeDraft):
            assert self.emails.get(person.id) == shown.pending.payload["old_email"], "changed since it was shown"
            self.emails[person.id] = shown.draft.new_email
            if code is not None and code == await self._sent(pending_id):
                self.coded.add(pending_id)

    async def _code(self, shown: Shown | None, proof: str) -> str | None:
        """What is given with a proof of this sort as the code that a new address was sent."""
        sent = None if shown is None else await self._sent(shown.pending.id)
        if proof == "none" or sent is None:
            return None
        self.codes.append(sent)
        another = f"{(int(sent) + 1) % 10**8:08d}"
        return {"wrong": another, "miscoded": another, "replayed": self.codes[0]}.get(proof, sent)

    async def _sent(self, pending_id: UUID) -> str | None:
        assert self.world.contact is not None
        async with self.owner.engine.connect() as connection:
            row = (await connection.execute(select(ContactCode).where(ContactCode.id == pending_id))).one_or_none()
        return None if row is None else self.world.contact.codes.opened(ContactCode(**row._mapping))

    async def _note_proof(self, pending_id: UUID) -> None:
        """Whether a challenge was answered for an operation, as the tables say now: they forget it after a while."""
        async with self.owner.engine.connect() as connection:
            if (await connection.execute(_PROVED, {"id": pending_id})).one_or_none() is not None:
                self.proved.add(pending_id)

    async def _card_done(self, person: Customer, draft: CardDraft, pending_id: UUID) -> None:
        card = self.cards[draft.card_id]
        if draft.daily_limit is not None:
            wanted = draft.daily_limit.amount_minor
            if wanted > (BANKS_CARD_LIMIT_MINOR if card.limit_minor is None else card.limit_minor):
                self.raised.add(pending_id)
            card.limit_minor = wanted
        elif draft.kind in _AFTER:
            before, after = _AFTER[draft.kind]
            assert card.status == before, f"a card was {card.status} when {draft.kind} was done"
            card.status = after
        else:
            card.status = "blocked"
        if draft.kind is Kind.CARD_REPLACE:
            card.replaced = True
            async with person.transaction() as session:
                new = [one.id for one in await list_cards(session, person.id) if one.id not in self.cards]
            assert len(new) == 1, "a card in the place of another is one card"
            self.cards[new[0]] = SeenCard(person.id, "inactive", card.limit_minor)

    async def _proof(self, person: Customer, pending_id: UUID, kind: str) -> FactorProof | None:
        if kind == "none":
            return None
        if kind == "replayed":
            return self.proofs[-1] if self.proofs else FactorProof(uuid4(), TotpCode("000000"))
        challenge = await person.begin(pending_id)
        if challenge is None:
            return None
        found = self._answer(person, challenge)
        self.proofs.append(found)
        if kind == "wrong":
            return replace(found, answer=TotpCode(wrong_code(person.secret or b"x" * 20, self.world.clock)))
        return self.proofs[0] if kind == "other" else found

    def _answer(self, person: Customer, challenge: Challenge) -> FactorProof:
        return person.touch(challenge) if Method.WEBAUTHN in challenge.methods else person.code(challenge)

    async def void(self, who: int, reference: int) -> None:
        shown = self._named(reference)
        await self.people[who].void(shown.pending.id if shown else uuid4())
        assert shown is not None
        assert shown.owner is self.people[who]
        self.done["voided"] += 1

    async def wait(self, minutes: int) -> None:
        self.world.clock.advance(minutes=minutes)

    async def work(self) -> None:
        """What the worker does of these people's schedules, until nothing of them is due that can be paid.

        The clock moves on, so that what it does and what people do have different times.
        """
        self.world.clock.advance(seconds=1)
        whose, stuck = {one.id for one in self.people}, set[UUID]()
        runs: list[PaymentRun | None] = [None]
        while runs:
            runs = []
            async with self.world.database.transaction(visible_to=whose) as session:
                due = await due_schedules(session, self.world.schedules.today(self.world.clock()), most=1_000)
            for one in due:
                if one.id in stuck:
                    continue
                try:
                    async with self.world.database.transaction(visible_to={one.user_id}) as session:
                        runs.append(await self.world.schedules.pay(session, one, self.world.clock()))
                except PendingAlteredError:
                    stuck.add(one.id)
                    self.done["altered"] += 1
            for run in runs:
                if run is not None:
                    assert run.schedule_id not in self.cancelled, "paid what was cancelled"
                    self.done[f"run {run.status}"] += 1
        self.world.clock.advance(seconds=1)

    async def tamper(self, reference: int, change: int) -> None:
        """What nobody but the tables' owner can do, and only without the triggers."""
        shown = self._named(reference)
        if shown is None:
            return
        statement = f"UPDATE pending_operations SET {TAMPERED[change]} WHERE id = :id"  # noqa: S608 - ours
        values = {"other": str(uuid4())} if ":other" in statement else {}
        async with self.owner.engine.begin() as connection:
            await connection.execute(text("SET LOCAL session_replication_role = replica"))
            done = text(
                f"{statement} AND status IN ('pending', 'consumed') RETURNING payload::text AS payload, summary"
            )
            row = (await connection.execute(done, {"id": shown.pending.id, **values})).one_or_none()
        if row is not None and (json.loads(row.payload), row.summary) != (shown.pending.payload, shown.pending.summary):
            shown.altered = True


def _pick(rows: list[UUID], each: int, who: int, index: int) -> UUID:
    """Indexes count from the person's own things, so that the first ones are likely to fit."""
    return rows[(each * who + index) % len(rows)] if index < len(rows) else uuid4()
