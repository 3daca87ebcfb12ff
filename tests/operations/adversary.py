"""Somebody who says anything at the gate: any draft, any id, any proof, in any order; and what must hold all the same.

The player keeps what each person was shown and which ids each approved, from the gate's own answers. The judge reads
the ledger as the tables' owner and knows nothing of payloads: it reads the texts.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from hypothesis import strategies as st
from sqlalchemy import text

from llm_banking.identity.second_factors import FactorProof
from llm_banking.identity.step_up import Challenge, Method, Refusal, TotpCode
from llm_banking.kit.database import Database
from llm_banking.kit.errors import LlmBankingError
from llm_banking.kit.money import Money
from llm_banking.operations.drafts import BillPayment, Draft, OwnTransfer, PayeeTransfer
from llm_banking.operations.errors import PendingAlteredError
from llm_banking.operations.records import Operation, Pending
from tests.identity.people import wrong_code
from tests.operations.world import Customer, World, tampered

AMOUNTS = ["0.01", "1.00", "50.00", "199.99", "200.00", "200.01", "499.99", "1000.00", "1000.01", "4999.00", "5000.01"]
TAMPERED = [
    "payload = jsonb_set(payload, '{amount_minor}', '12345')",
    "payload = jsonb_set(payload, '{amount_minor}', '12345'), payload_hash = sha256('x')",
    "payload = jsonb_set(payload, '{receiver,account_id}', to_jsonb(CAST(:other AS text)))",
    "summary = replace(summary, '$', '$9')",
]
WHO, REFERENCE = st.integers(0, 2), st.integers(-6, 12)
"""A reference below zero is one of the latest; one that there is not is an id of nothing."""
MOVES = st.one_of(
    st.tuples(
        st.just("propose"),
        WHO,
        st.sampled_from(["own", "send", "pay"]),
        st.integers(0, 9),
        st.integers(0, 9),
        st.sampled_from(AMOUNTS),
    ),
    st.tuples(st.just("approve"), WHO, REFERENCE, st.sampled_from(["none", "right", "wrong", "other", "replayed"])),
    st.tuples(st.just("void"), WHO, REFERENCE),
    st.tuples(st.just("wait"), st.sampled_from([1, 6, 60 * 23])),
    st.tuples(st.just("tamper"), REFERENCE, st.integers(0, len(TAMPERED) - 1)),
)
"""Anything."""
FITTING = {"own": [1], "send": [0, 0, 1], "pay": [2]}


def sensible(seed: int, count: int) -> list[tuple[Any, ...]]:
    """Mostly what honest people do, so that much is executed and there is something to abuse."""
    rng = random.Random(seed)  # noqa: S311 - moves of a test
    found: list[tuple[Any, ...]] = []
    while len(found) < count:
        kind = rng.choice(["own", "send", "send", "pay"])
        source, target = rng.choice([0] * 9 + [1, 3]), rng.choice(FITTING[kind])
        who = rng.choice([0, 0, 1, 2])
        found.append(("propose", who, kind, source, target, rng.choice([*AMOUNTS, "4999.00", "4999.00", "4999.00"])))
        more = rng.random()
        if more < 0.1:
            found.append(("wait", rng.choice([1, 6, 60 * 23])))
        elif more < 0.2:
            found.append(("tamper", -1, rng.randrange(len(TAMPERED))))
        elif more < 0.3:
            found.append(("void", rng.randrange(3), -1))
        elif more < 0.4:
            found.append(("approve", rng.randrange(3), -1, rng.choice(["none", "none", "right", "replayed"])))
        else:
            found.append(("approve", "owner", rng.choice([-1, -1, -1, -2, -3]), rng.choice(PROOFS)))
    return found[:count]


PROOFS = ["none", "right", "right", "right", "right", "wrong", "other", "replayed"]
_TEXT = re.compile(
    r"(?:Move|Send|Pay) \$(?P<amount>[0-9,]+\.[0-9]{2}) from (?P<payer>.+) \(ending (?P<payer4>[0-9A-Z]{4})\)"
    r" to (?P<to>.+) \(ending (?P<to4>[0-9A-Z]{4})\) now\. There is no fee\."
)


@dataclass
class Shown:
    """What the gate gave to whom."""

    owner: Customer
    pending: Pending
    altered: bool = False


@dataclass
class Player:
    """Three people with accounts and payees, and all that was ever said."""

    world: World
    owner: Database
    people: list[Customer] = field(default_factory=list)
    accounts: list[UUID] = field(default_factory=list)
    payees: list[UUID] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    proofs: list[FactorProof] = field(default_factory=list)
    approved: Counter[tuple[UUID, UUID]] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)

    @classmethod
    async def begin(cls, world: World, owner: Database) -> Player:
        found = cls(world, owner, [])
        for name, balance in (("Ana", "40000.00"), ("Ben", "2000.00"), ("Chen", "900.00")):
            found.people.append(await world.customer(name, balance))
        for one in found.people:
            found.accounts += [one.checking, one.savings, one.card]
        ana, ben, chen = found.people
        await ana.add_app()
        await ana.add_passkey()
        await ben.add_app()
        for one, other in ((ana, ben), (ben, chen), (chen, ana)):
            found.payees += [await one.payee(other), await one.payee(other, known=False), await one.payee(biller=True)]
        return found

    async def play(self, move: tuple[Any, ...]) -> None:
        """One move. Whatever the gate refuses it refuses with an error that a caller can act on."""
        name, *rest = move
        try:
            await getattr(self, name)(*rest)
        except PendingAlteredError:
            self.done["altered"] += 1
        except LlmBankingError as error:
            if error.code == "INTERNAL":
                raise AssertionError("an error that no caller can act on") from error
            self.done[error.code] += 1

    async def propose(self, who: int, kind: str, source: int, target: int, amount: str) -> None:
        person = self.people[who]
        draft = self._draft(who, kind, source, target, Money.parse(amount, "USD"))
        pending = await person.propose(draft, uuid4())
        mine = {str(one) for one in (person.checking, person.savings, person.card)}
        named = pending.payload["receiver"]
        assert pending.payload["payer"]["account_id"] in mine, "a foreign account was read"
        assert named["payee_id"] in {str(one) for one in self.payees[3 * who : 3 * who + 3]} or (
            named["payee_id"] is None and named["account_id"] in mine
        ), "somebody else's account or payee was read"
        self.shown.append(Shown(person, pending))
        self.done["proposed"] += 1

    def _draft(self, who: int, kind: str, source: int, target: int, amount: Money) -> Draft:
        """Indexes count from the person's own things, so that the first ones are likely to fit."""

        def pick(rows: list[UUID], index: int) -> UUID:
            return rows[(3 * who + index) % len(rows)] if index < len(rows) else uuid4()

        account = pick(self.accounts, source)
        if kind == "own":
            return OwnTransfer(account, pick(self.accounts, target), amount)
        payee = pick(self.payees, target)
        return PayeeTransfer(account, payee, amount) if kind == "send" else BillPayment(account, payee, amount)

    def _named(self, reference: int) -> Shown | None:
        if not self.shown or reference >= len(self.shown):
            return None
        return self.shown[max(reference, -len(self.shown))]

    async def approve(self, who: int | str, reference: int, proof: str) -> None:
        shown = self._named(reference)
        pending_id = shown.pending.id if shown else uuid4()
        person = self.people[who] if isinstance(who, int) else (shown.owner if shown else self.people[0])
        given = await self._proof(person, pending_id, proof)
        found = await person.approve(pending_id, given)
        if isinstance(found, Refusal):
            self.done["refused"] += 1
            return
        assert isinstance(found, Operation)
        assert shown is not None, "executed under an id that there is not"
        assert not shown.altered, "executed what was altered"
        assert person.id == shown.owner.id, "somebody else's was executed"
        assert (found.summary, found.payload) == (shown.pending.summary, shown.pending.payload)
        self.approved[person.id, pending_id] += 1
        self.done["executed"] += 1

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

    async def tamper(self, reference: int, change: int) -> None:
        """What nobody but the tables' owner can do, and only without the triggers."""
        shown = self._named(reference)
        if shown is not None:
            shown.altered = True
            statement = f"UPDATE pending_operations SET {TAMPERED[change]} WHERE id = :id AND status = 'pending'"  # noqa: S608 - ours
            values = {"other": str(uuid4())} if ":other" in statement else {}
            await tampered(self.owner, statement, id=shown.pending.id, **values)

    # The judge

    async def judge(self) -> None:
        """Every entry on these people's accounts against what they were shown and what they approved."""
        rows, accounts = await self._read()
        entries: dict[UUID, list[Any]] = {}
        for row in rows:
            entries.setdefault(row.entry_id, []).append(row)
        shown = {one.pending.id: one for one in self.shown}
        found: Counter[tuple[UUID, UUID]] = Counter()
        for legs in entries.values():
            first = legs[0]
            assert first.pending_id in shown, "posted without a pending operation that anybody was shown"
            assert first.status == "consumed", "posted without being consumed"
            person = shown[first.pending_id].owner
            assert first.user_id == person.id, "posted for somebody else"
            found[person.id, first.pending_id] += 1
            self._as_the_text_says(shown[first.pending_id].pending, person, legs, accounts)
        assert found == self.approved, "what was posted is not what was approved, once each"
        await self._limits_and_proofs()

    def _as_the_text_says(self, pending: Pending, person: Customer, legs: list[Any], accounts: dict[UUID, Any]) -> None:
        said = _TEXT.fullmatch(pending.summary)
        assert said is not None, pending.summary
        minor = int(said["amount"].replace(",", "").replace(".", ""))
        debits = [one for one in legs if one.amount_minor < 0]
        credited = [one for one in legs if one.amount_minor > 0]
        assert [one.amount_minor for one in debits] == [-minor], "another amount than the text says"
        payer = accounts[debits[0].account_id]
        assert payer.user_id == person.id, "a foreign account was debited"
        assert (payer.name, payer.number_last4) == (said["payer"], said["payer4"]), "another account than the text says"
        assert [one.amount_minor for one in credited] == [minor]
        receiver = accounts[credited[0].account_id]
        if receiver.kind == "internal":
            assert said["to"] == "Northgrid"
        elif receiver.user_id == person.id:
            assert (receiver.name, receiver.number_last4) == (said["to"], said["to4"])
        else:
            assert receiver.holder == said["to"], "another person than the text says"

    async def _read(self) -> tuple[list[Any], dict[UUID, Any]]:
        async with self.owner.engine.connect() as connection:
            people = {"people": [one.id for one in self.people]}
            rows = await connection.execute(
                text(
                    "SELECT entry_id, account_id, postings.amount_minor, pending_id, pending.status, pending.user_id"
                    " FROM postings JOIN ledger_entries ON ledger_entries.id = entry_id"
                    " LEFT JOIN bank_operations USING (entry_id)"
                    " LEFT JOIN pending_operations AS pending ON pending.id = pending_id"
                    " WHERE ledger_entries.kind <> 'opening' AND entry_id IN (SELECT entry_id FROM postings"
                    " JOIN accounts ON accounts.id = account_id WHERE accounts.user_id = ANY (:people))"
                ),
                people,
            )
            accounts = await connection.execute(
                text(
                    "SELECT accounts.*, display_name AS holder FROM accounts LEFT JOIN users ON users.id = user_id"
                    " WHERE user_id = ANY (:people) OR user_id IS NULL"
                ),
                people,
            )
            return list(rows), {row.id: row for row in accounts}

    async def _limits_and_proofs(self) -> None:
        async with self.owner.engine.connect() as connection:
            done = list(
                await connection.execute(
                    text(
                        "SELECT one.user_id, amount_minor, executed_at, EXISTS (SELECT FROM step_up_challenges AS proof"
                        " WHERE proof.user_id = one.user_id AND proof.pending_id = one.pending_id"
                        " AND consumed_at IS NOT NULL) AS proved, row_number() OVER (PARTITION BY payee_id"
                        " ORDER BY executed_at, one.id) = 1 AND first_paid_at = executed_at AS is_first"
                        " FROM bank_operations AS one LEFT JOIN payees ON payees.id = payee_id"
                        " WHERE one.user_id = ANY (:people)"
                    ),
                    {"people": [one.id for one in self.people]},
                )
            )
        for one in done:
            assert one.proved or (one.amount_minor <= 20_000 and not one.is_first), "executed without a proof"
            day = [two.amount_minor for two in done if two.user_id == one.user_id and is_within(one, two)]
            assert sum(day) <= 1_000_000, "more than the limit for a day"


def is_within(one: Any, two: Any) -> bool:
    """Whether one was executed in the day that ends with another one."""
    earlier: bool = timedelta(0) <= one.executed_at - two.executed_at < timedelta(hours=24)
    return earlier
