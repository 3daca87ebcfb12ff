"""What the database says of what customers were told: nothing lost, nothing twice, nothing that nobody asked for.

The rows are read as they are, with SQL of its own: what judges shares no code with what is judged.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.invariants import broken_rules
from llm_banking.kit.database import Database, Scope
from llm_banking.proof.crash_clients import CALLED_OFF, PLANNED, Order

MAX_EXAMPLES = 20
LOST, ALTERED, TWICE, UNASKED, LEDGER, NEWS = "lost", "altered", "twice", "unasked", "ledger", "news"
FAULTS = (LOST, ALTERED, TWICE, UNASKED, LEDGER, NEWS)
"""Acknowledged and not there; there and not as acknowledged; done twice; done and never asked for; a rule of the ledger
or a balance that does not hold; news of an operation that is not there once, or was not delivered in the end."""

_DONE = text(
    """
    SELECT one.pending_id, one.user_id, one.kind, one.status, one.amount_minor, one.currency, one.confirmation_code,
        (SELECT jsonb_object_agg(account_id, amount_minor) FROM postings WHERE entry_id = one.entry_id) AS legs
    FROM bank_operations AS one WHERE one.pending_id = ANY (:ids)
    """
)
_RUNS = text(
    """
    SELECT one.schedule_id, one.number, one.status, one.reason, schedule.status AS schedule_status,
        (SELECT jsonb_object_agg(account_id, amount_minor) FROM postings WHERE entry_id = one.entry_id) AS legs
    FROM scheduled_payments AS schedule JOIN payment_runs AS one ON one.schedule_id = schedule.id
    """
)
_SCHEDULES = text("SELECT id FROM scheduled_payments")
_UNPAID = text("SELECT count(*) FROM scheduled_payments WHERE status = 'active'")
_PROPOSED = text("SELECT id, user_id, status FROM pending_operations WHERE id = ANY (:ids)")
_ALL_PROPOSED = text("SELECT id FROM pending_operations")
_ALL_DONE = text("SELECT pending_id, count(*) AS times FROM bank_operations GROUP BY pending_id")
_ENTRIES = text(
    """
    SELECT count(*) AS posted, count(DISTINCT coalesce(one.entry_id, run.entry_id)) AS asked_for
    FROM ledger_entries AS entry LEFT JOIN bank_operations AS one ON one.entry_id = entry.id
    LEFT JOIN payment_runs AS run ON run.entry_id = entry.id
    WHERE entry.kind <> 'opening'
    """
)
_NEWS = text(
    """
    SELECT payload ->> 'operation_id' AS operation_id, topic, count(*) AS times,
        bool_and(delivered_at IS NOT NULL) AS told
    FROM outbox GROUP BY 1, 2
    """
)
_NEWS_SINCE = text(
    """
    SELECT count(*) FILTER (WHERE delivered_at > :moment) AS delivered,
        count(*) FILTER (WHERE delivered_at IS NULL AND created_at <= :moment) AS waiting
    FROM outbox
    """
)
_BALANCES = text("SELECT id, balance_minor FROM accounts WHERE kind <> 'internal'")


@dataclass(slots=True)
class Verdict:
    """How many faults of which kind, and the first of them in words."""

    faults: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, fault: str, example: str) -> None:
        """One more."""
        self.faults[fault] += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(f"{fault}: {example}")

    def extend(self, other: Verdict) -> None:
        """What another look found, too."""
        self.faults.update(other.faults)
        self.examples = [*self.examples, *other.examples][:MAX_EXAMPLES]


async def judge_meanwhile(database: Database, orders: Sequence[Order], total_minor: int) -> Verdict:
    """While customers go on: what was acknowledged in `orders` is there, and the ledger holds."""
    found = Verdict()
    async with database.transaction(scope=Scope.SYSTEM) as session:
        await _acknowledged(session, orders, found)
        await _ledger(session, total_minor, found)
    return found


async def judge_at_the_end(database: Database, orders: Sequence[Order], opening: Mapping[UUID, int]) -> Verdict:
    """When everybody has their answer: all of the above, and nothing beside what was acknowledged.

    `opening` are the balances before the first order.
    """
    found = Verdict()
    acknowledged = [one for one in orders if one.receipt is not None]
    async with database.transaction(scope=Scope.SYSTEM) as session:
        await _acknowledged(session, acknowledged, found)
        await _ledger(session, sum(opening.values()), found)
        await _balances(session, acknowledged, opening, found)
        await _planned(session, [one for one in acknowledged if one.way == PLANNED], found)
        await _nothing_else(session, orders, found)
        await _news(session, acknowledged, found)
    return found


async def news_since(database: Database, moment: datetime) -> tuple[int, int]:
    """How much news was delivered after a moment, and how much of before it still waits."""
    async with database.transaction(scope=Scope.SYSTEM) as session:
        row = (await session.execute(_NEWS_SINCE, {"moment": moment})).one()
        return row.delivered, row.waiting


async def unpaid(database: Database) -> int:
    """How many planned payments are not made yet."""
    async with database.transaction(scope=Scope.SYSTEM) as session:
        return int(await session.scalar(_UNPAID) or 0)


async def _acknowledged(session: AsyncSession, orders: Sequence[Order], found: Verdict) -> None:
    ids = [one.operation_id for one in orders]
    done = {row.pending_id: row for row in await session.execute(_DONE, {"ids": ids})}
    proposed = {row.id: row for row in await session.execute(_PROPOSED, {"ids": ids})}
    for order in orders:
        pending = proposed.get(order.operation_id)
        row = done.get(order.operation_id)
        if pending is None:
            found.add(LOST, f"the proposal {order.operation_id} is not there")
        elif order.way == CALLED_OFF:
            if (pending.status, row) != ("voided", None):
                found.add(ALTERED, f"{order.operation_id} was called off and is {pending.status}")
        elif row is None:
            found.add(LOST, f"{order.operation_id} was acknowledged and is {pending.status}")
        elif not _as_told(order, row) or pending.status != "consumed":
            found.add(ALTERED, f"{order.operation_id} is not as its customer was told")


def _as_told(order: Order, row: Any) -> bool:
    receipt, planned = order.receipt or {}, order.way == PLANNED
    status = "scheduled" if planned else "executed"
    told = (order.person.id, order.body["kind"], status, order.amount_minor, order.body["currency"])
    return (
        (row.user_id, row.kind, row.status, row.amount_minor, row.currency) == told
        and row.confirmation_code == receipt.get("confirmation_code")
        and row.legs == (None if planned else _legs(order))
    )


def _legs(order: Order) -> dict[str, int]:
    return {str(order.payer): -order.amount_minor, str(order.receiver): order.amount_minor}


async def _planned(session: AsyncSession, plans: Iterable[Order], found: Verdict) -> None:
    """Every planned payment was made once, as it was approved, at the first try; and no other was."""
    runs = defaultdict[UUID | None, list[Any]](list)
    for row in await session.execute(_RUNS):
        runs[row.schedule_id].append(row)
    known = {one.operation_id: one for one in plans}
    for schedule_id, order in known.items():
        tries = runs[schedule_id]
        done = [one for one in tries if one.status == "executed"]
        if not done:
            reasons = ", ".join(str(one.reason) for one in tries) or "never tried"
            found.add(LOST, f"the planned payment {schedule_id} was not made: {reasons}")
        elif len(tries) > 1:
            found.add(
                TWICE, f"the planned payment {schedule_id} was tried {len(tries)} times, and made {len(done)} times"
            )
        elif (done[0].number, done[0].legs, done[0].schedule_status) != (0, _legs(order), "finished"):
            found.add(ALTERED, f"the planned payment {schedule_id} is not as its customer approved it")
    for row in await session.execute(_SCHEDULES):
        if row.id not in known:
            found.add(UNASKED, f"{row.id} is planned, and its customer was not told so")


async def _ledger(session: AsyncSession, total_minor: int, found: Verdict) -> None:
    for rule in await broken_rules(session):
        found.add(LEDGER, rule)
    total = sum(row.balance_minor for row in await session.execute(_BALANCES))
    if total != total_minor:
        found.add(LEDGER, f"all balances were {total_minor} together and are {total}")


async def _balances(
    session: AsyncSession, acknowledged: Iterable[Order], opening: Mapping[UUID, int], found: Verdict
) -> None:
    """Balances are what the acknowledged orders make of the first ones."""
    expected = Counter(opening)
    for one in acknowledged:
        if one.way != CALLED_OFF:
            expected[one.payer] -= one.amount_minor
            expected[one.receiver] += one.amount_minor
    for row in await session.execute(_BALANCES):
        if row.balance_minor != expected[row.id]:
            found.add(LEDGER, f"the account {row.id} has {row.balance_minor} instead of {expected[row.id]}")


async def _nothing_else(session: AsyncSession, orders: Iterable[Order], found: Verdict) -> None:
    known = {one.operation_id: one for one in orders if one.operation_id is not None}
    for row in await session.execute(_ALL_PROPOSED):
        if row.id not in known:
            found.add(TWICE, f"{row.id} was proposed, and nobody was told of it")
    for row in await session.execute(_ALL_DONE):
        order = known.get(row.pending_id)
        if row.times != 1:
            found.add(TWICE, f"{row.pending_id} was executed {row.times} times")
        if order is None or order.way == CALLED_OFF or order.receipt is None:
            found.add(UNASKED, f"{row.pending_id} was executed, and its customer was not told so")
    entries = (await session.execute(_ENTRIES)).one()
    if entries.posted != entries.asked_for:
        found.add(TWICE, f"{entries.posted} entries are posted for {entries.asked_for} operations")


async def _news(session: AsyncSession, acknowledged: Iterable[Order], found: Verdict) -> None:
    written = {(row.operation_id, row.topic): (row.times, row.told) for row in await session.execute(_NEWS)}
    expected = {(str(one.operation_id), topic) for one in acknowledged for topic in _topics(one)}
    for news in expected | set(written):
        times, told = written.get(news, (0, False))
        if times != 1 or not told or news not in expected:
            found.add(NEWS, f"news {news[1]} of {news[0]} is there {times} times, {'' if told else 'not '}delivered")


def _topics(order: Order) -> tuple[str, ...]:
    """What is told of an order, each once."""
    if order.way == PLANNED:
        return "operation.scheduled", "scheduled_payment.executed", "scheduled_payment.ended"
    return () if order.way == CALLED_OFF else ("operation.executed",)
