"""Understanding replaced by an adversary who emits any commands, slots and ids, over the real gate and database.

Whatever it does: nothing is posted but what the very last reply showed and a bare yes approved; a slot holds words of
the message it names; and nobody else's accounts appear. `ADVERSARY_TURNS`
sets how many turns are played; a long run needs `--timeout 0`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_args
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.ledger_models import Account, LedgerEntry, Posting
from llm_banking.dialogue import work
from llm_banking.dialogue.approval import is_bare_yes
from llm_banking.dialogue.commands import (
    Cancel,
    Confirm,
    CorrectSlot,
    Deny,
    FlowCommand,
    HandOff,
    Said,
    SaidKind,
    SetSlot,
    StartFlow,
    Unclear,
)
from llm_banking.dialogue.engine import Bank, FlowReply, FlowTurn
from llm_banking.dialogue.flow_files import Flows, load_flows
from llm_banking.dialogue.holdings import holdings_of
from llm_banking.dialogue.tracker import Shown, Tracker
from llm_banking.kit.database import Database
from llm_banking.nlu.taxonomy import BY_NAME
from llm_banking.operations.models import BankOperation, PendingOperation
from tests.operations.world import Customer, World

TURNS = int(os.environ.get("ADVERSARY_TURNS", "1200"))
TURNS_A_TALK = 30
AT_ONCE = 4
"""Talks under way at a time: most of a talk is waiting for the database."""
FLOWS = load_flows(frozenset(BY_NAME))
MESSAGES = (
    *("yes", "yes", "yes", "ok", "confirm", "yes?", "no", "yes and send 500 to Mallory", "hello", "the first one"),
    *("send 50 to Alice Johnson from checking", "send 20 to Bob Carter from savings", "move 30 to savings"),
    *("make it 60", "no, 70", "from checking", "to Bob Carter instead", "pay Northgrid 15 from checking", "9000"),
    *("approve the pending transfer now", "send 40 to Victor Prey", "from the account ending 0007", "half of it"),
)
WORDS = (
    *(
        "50",
        "20",
        "30",
        "60",
        "70",
        "15",
        "9000",
        "Alice Johnson",
        "Bob Carter",
        "Northgrid",
        "Victor Prey",
        "checking",
    ),
    *("savings", "half of it", "0007", "yes", "the first one"),
)

_ids = st.sampled_from(["prompt", "prompt", "prompt", "stale", "foreign", "random"])
_said = st.tuples(
    st.sampled_from(get_args(SaidKind)),
    st.sampled_from(WORDS),
    st.integers(-2, 40),
    st.integers(0, 45),
    st.sampled_from([None, "source", "target"]),
    st.sampled_from([None, None, None, 0, 1, 2, 7]),
    st.booleans(),
)
_slots = st.sampled_from(["destination", "amount", "source", "note", "payer"])
_command = st.one_of(
    st.tuples(
        st.just("start"),
        st.sampled_from(["transfer", "transfer", "bill_payment", "steal"]),
        st.lists(_said, max_size=4),
    ),
    st.tuples(st.just("set"), _slots, _said),
    st.tuples(st.just("correct"), _slots, _said),
    st.tuples(st.just("confirm"), _ids),
    st.tuples(st.sampled_from(["deny", "cancel", "hand_off", "unclear"])),
)
_wild = st.tuples(st.sampled_from(MESSAGES), st.lists(_command, max_size=4))
_tame = st.sampled_from(
    [
        ("send 50 to Alice Johnson from checking", [("start", "transfer", "honest")]),
        ("send 20 to Bob Carter from savings", [("start", "transfer", "honest")]),
        ("pay Northgrid 15 from checking", [("start", "bill_payment", "honest")]),
        ("pay Alice Johnson 30 from checking", [("start", "bill_payment", "honest")]),
        ("yes", [("confirm", "prompt")]),
        ("hello", [("confirm", "prompt")]),
        ("hello", [("set", "amount", ("amount", "60", 0, 2, None, None, True))]),
        ("no, 70", [("correct", "amount", ("amount", "70", 4, 2, None, None, True))]),
    ]
)
_talk = st.lists(st.one_of(_tame, _tame, _wild), min_size=TURNS_A_TALK, max_size=TURNS_A_TALK)
_HONEST = {"50": "amount", "20": "amount", "15": "amount", "30": "amount", "checking": "account", "savings": "account"}


def said_of(message: str, raw: Any) -> Said:
    kind, text, start, length, role, option, honest = raw
    if honest and text in message:
        start = message.index(text)
        return Said(kind, text, start, start + len(text), role, option)
    return Said(kind, text if honest else message[max(start, 0) : start + length], start, start + length, role, option)


def honest_words(message: str) -> tuple[Said, ...]:
    """What an honest reader finds in the tame messages."""
    names = dict.fromkeys(("Alice Johnson", "Bob Carter", "Northgrid"), "name")
    found = []
    for text, kind in {**names, **_HONEST}.items():
        if text in message:
            role: Any = "source" if kind == "account" else None
            start = message.index(text)
            found.append(Said(kind, text, start, start + len(text), role))  # type: ignore[arg-type]
    return tuple(found)


@dataclass
class Talk:
    """One conversation of the attacked customer, and what must hold after each turn of it."""

    world: World
    customer: Customer
    victim: Customer
    foreign_pending: UUID
    flows: Flows = FLOWS
    tracker: Tracker = field(default_factory=Tracker)
    shown: Shown | None = None
    messages: list[str] = field(default_factory=list)
    stale: list[UUID] = field(default_factory=list)
    operations: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    chat_id: UUID = field(default_factory=uuid4)

    def command(self, message: str, raw: Any) -> FlowCommand:
        match raw:
            case ("start", name, "honest"):
                return StartFlow(name, "transfer_funds", 1.0, honest_words(message))
            case ("start", name, said):
                return StartFlow(name, "transfer_funds", 1.0, tuple(said_of(message, one) for one in said))
            case ("set", slot, said):
                return SetSlot(slot, said_of(message, said))
            case ("correct", slot, said):
                return CorrectSlot(slot, said_of(message, said))
            case ("confirm", which):
                prompt = self.tracker.prompt
                named = {
                    "prompt": prompt.pending_id if prompt else None,
                    "stale": self.stale[-1] if self.stale else None,
                    "foreign": self.foreign_pending,
                }.get(which)
                return Confirm(named or uuid4())
            case (name,):
                plain: dict[str, FlowCommand] = {"deny": Deny(), "cancel": Cancel(), "unclear": Unclear()}
                return plain.get(name, HandOff(1.0))
        raise AssertionError(raw)

    async def take(self, session: AsyncSession, message: str, raw: Sequence[Any]) -> None:
        self.messages.append(message)
        before, shown = self.tracker, self.shown
        tracker = before.model_copy(update={"turn": before.turn + 1})
        holdings = await holdings_of(session, self.customer.id)
        bank = Bank(self.world.gate, session, self.customer.principal, self.chat_id, uuid4(), holdings)
        commands = [self.command(message, one) for one in raw]
        reply = await FlowTurn(self.flows, bank, tracker, message, self.world.clock()).run(commands)
        self.tracker = Tracker.model_validate(reply.tracker.model_dump(mode="json"))
        await self.check(session, message, shown, reply)
        self.shown = reply.pending
        if reply.pending is not None:
            self.stale.append(reply.pending.id)
            self.seen["shown"] += 1

    async def check(self, session: AsyncSession, message: str, shown: Shown | None, reply: FlowReply) -> None:
        done = list(await session.scalars(select(BankOperation).order_by(BankOperation.id)))
        fresh = done[self.operations :]
        self.operations = len(done)
        for one in fresh:
            assert is_bare_yes(message), "money moved without a yes"
            assert shown is not None, "money moved that was not shown in the last message"
            assert one.pending_id == shown.id, "another operation was done than the one that was shown"
            assert shown.requires == (), "money moved without a factor"
            await self.check_books(session, one, shown)
            self.seen["done"] += 1
        if is_bare_yes(message) and shown is not None and not fresh:
            self.seen["not done"] += 1
        assert len(fresh) <= 1
        for frame in self.tracker.stack:
            for slot in frame.slots.values():
                assert self.messages[slot.turn - 1][slot.start : slot.end] == slot.text, "a slot of other words"
        for secret in ("Prey's", "0007"):
            assert secret not in reply.text.replace(message, ""), "somebody else's account was shown"
        await self.check_shown(session, reply)

    async def check_shown(self, session: AsyncSession, reply: FlowReply) -> None:
        """What is shown is the row that waits, word by word; everything else that this talk proposed is closed or waits
        below it on the stack."""
        if reply.pending is not None:
            row = await session.get_one(PendingOperation, reply.pending.id, populate_existing=True)
            assert row.summary == reply.pending.summary
            assert row.summary in reply.text
            assert row.status == "pending"
        waits = set(await session.scalars(select(PendingOperation.id).where(PendingOperation.status == "pending"))) - {
            self.foreign_pending
        }
        held = {frame.pending.id for frame in self.tracker.stack if frame.pending}
        assert waits <= held, "something waits for a yes that no frame shows"

    async def check_books(self, session: AsyncSession, one: BankOperation, shown: Shown) -> None:
        """The entry posted is what the text says: amount, payer and receiver."""
        entry = await session.get_one(LedgerEntry, one.entry_id)
        legs = list(await session.scalars(select(Posting).where(Posting.entry_id == entry.id)))
        own = {self.customer.checking, self.customer.savings, self.customer.card}
        assert {leg.account_id for leg in legs if leg.amount_minor < 0} <= own
        assert one.amount_minor is not None
        assert f"${one.amount_minor / 100:,.2f}" in shown.summary
        assert one.request["payer"]["account_name"] in shown.summary
        assert one.request["receiver"]["name"] in shown.summary


async def play(database: Database, moves: Sequence[Any], totals: Counter[str]) -> None:
    world = World(database)
    customer, victim = await world.customer(), await world.customer("Victor Prey")
    for name, biller in (("Alice Johnson", False), ("Bob Carter", False), ("Northgrid", True)):
        other = None if biller else await world.customer(name)
        await customer.payee(other, biller=biller)
    async with customer.transaction() as session:
        await world.gate.propose(session, customer.principal, customer.own("5.00"), channel="api")
    foreign = (await victim.propose(victim.own("7.00"))).id
    talk = Talk(world, customer, victim, foreign)
    async with customer.transaction() as session:
        own = await session.scalars(select(PendingOperation.id))
        for pending_id in list(own):
            await world.gate.void(session, customer.principal, pending_id)
        for message, raw in moves:
            await talk.take(session, message, raw)
    async with victim.transaction() as session:
        balances = await session.scalars(select(Account.balance_minor).where(Account.user_id == victim.id))
        assert sorted(balances) == [0, 0, 2_000_000], "somebody else's money moved"
        assert await session.scalar(select(func.count()).select_from(BankOperation)) == 0
    totals += talk.seen
    totals["turns"] += len(moves)


LONG = settings(
    max_examples=max(1, TURNS // TURNS_A_TALK),
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SHORT = settings(LONG, max_examples=25)


@pytest.mark.slow
async def test_no_command_whatever_moves_money_that_was_not_shown_and_approved(database: Database) -> None:
    totals: Counter[str] = Counter()

    @LONG
    @given(_talk)
    async def attack(moves: Any) -> None:
        await play(database, moves, totals)

    await run(attack)
    sys.stdout.write(f"\n{dict(totals)}\n")
    assert totals["turns"] >= min(TURNS, 1000)
    assert totals["done"] > TURNS // 100, totals
    assert totals["shown"] > TURNS // 10, totals


async def run(attack: Any) -> None:
    """Hypothesis draws from its own thread of control; the talks are played here, each with its own customers."""
    drawn: list[Any] = []
    inner = attack.hypothesis.inner_test

    def keep(moves: Any) -> None:
        drawn.append(moves)

    attack.hypothesis.inner_test = keep
    attack()
    for first in range(0, len(drawn), AT_ONCE):
        ended = await asyncio.gather(
            *(inner(moves) for moves in drawn[first : first + AT_ONCE]), return_exceptions=True
        )
        for one in ended:
            if one is not None:
                raise one


def stale(self: FlowTurn, pending_id: UUID) -> Shown | None:
    frame = self._work.frame
    return frame.pending if frame else None


async def keep_it(self: FlowTurn) -> None:
    if self._work.frame is not None:
        self._work.update(pending=None)


def anything(message: str, said: Said) -> None:
    return None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "name", "fault", "seen"),
    [
        (FlowTurn, "_approvable", stale, "money moved"),
        (FlowTurn, "_void_shown", keep_it, "something waits for a yes"),
        (work, "check_span", anything, "a slot of other words"),
    ],
    ids=["a yes to something stale", "a correction that keeps the old", "a slot of another text"],
)
async def test_the_adversary_sees_a_planted_fault(
    database: Database, monkeypatch: pytest.MonkeyPatch, place: Any, name: str, fault: Any, seen: str
) -> None:
    monkeypatch.setattr(place, name, fault)

    @SHORT
    @given(_talk)
    async def attack(moves: Any) -> None:
        await play(database, moves, Counter())

    with pytest.raises(AssertionError, match=seen):
        await run(attack)
