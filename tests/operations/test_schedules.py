"""Payments that are made later, and again and again: each once, as approved, and none dropped without a word."""

from __future__ import annotations

import asyncio
import pkgutil
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text

from llm_banking.banking import ledger_store
from llm_banking.banking.business_days import Roll, YearNotListedError, load_business_days
from llm_banking.banking.recurrence import Frequency, Recurrence, occurrences
from llm_banking.kit.database import Database, DatabaseFaultError
from llm_banking.kit.money import Money
from llm_banking.operations.drafts import CancelSchedule
from llm_banking.operations.errors import (
    AmountLimitError,
    NotPossibleError,
    PendingAlteredError,
    ScheduleNotFoundError,
    ScheduleOverError,
    TooManySchedulesError,
)
from llm_banking.operations.payment import Payment
from llm_banking.operations.policy import load_policy
from llm_banking.operations.schedules import Due
from llm_banking.operations.when import OnDay, Repeats
from tests.operations.world import Customer, World, tampered

MONDAY = date(2027, 1, 4)


@pytest.fixture
async def ana(world: World) -> Customer:
    to(world, MONDAY)
    return await world.customer("Ana Morales")


@pytest.fixture
async def ben(world: World) -> Customer:
    return await world.customer("Ben Carter", "0.00")


def to(world: World, day: date) -> None:
    """Noon of a day."""
    world.clock.now = datetime.combine(day, time(12), UTC)


async def rows_of(person: Customer, statement: str) -> list[tuple[Any, ...]]:
    async with person.transaction() as session:
        return [tuple(row) for row in await session.execute(text(statement))]


async def live(world: World, last: date, *customers: Customer) -> None:
    """Every day until a last one, as the worker sees them."""
    day = world.schedules.today(world.clock())
    while day < last:
        day += timedelta(days=1)
        to(world, day)
        await world.pay_due(*customers)


async def set_aside(person: Customer, amount_minor: int) -> UUID:
    """So much of what is on checking; the hold's id."""
    hold, amount = uuid4(), Money(amount_minor, "USD")
    async with person.transaction() as session:
        far = datetime(2100, 1, 1, tzinfo=UTC)
        await ledger_store.hold(session, hold, account_id=person.checking, amount=amount, reason="x", expires_at=far)
    return hold


RUNS = "SELECT number, due_on, status, reason, ran_at::date FROM payment_runs ORDER BY number, attempt"
SCHEDULE = "SELECT status, next_number, next_on, attempts FROM scheduled_payments"
NEWS = "SELECT topic, payload ->> 'reason', payload ->> 'again_on' FROM outbox ORDER BY position"


async def test_a_payment_on_a_day_is_shown_approved_and_made_on_that_day_once(
    world: World, ana: Customer, ben: Customer
) -> None:
    payee = await ana.payee(ben)
    pending = await ana.propose(ana.send(payee, "50.00", "rent", OnDay(date(2027, 1, 15))))
    assert pending.summary.endswith(
        "to Ben Carter (ending 1234) on Friday 15 January 2027. There is no fee. Note: “rent”"
    )
    done = await ana.done(pending.id)
    assert (done.status, done.entry_id, done.executed_at) == ("scheduled", None, None)
    assert await ana.balances() == (2_000_000, 0), "nothing moves when it is approved"
    to(world, date(2027, 1, 14))
    assert await world.pay_due(ana) == []
    to(world, date(2027, 1, 15))
    (run,) = await world.pay_due(ana)
    assert (run.status, run.number, run.due_on) == ("executed", 0, date(2027, 1, 15))
    assert (await ana.balances(), await ben.balances()) == ((1_995_000, 0), (5_000, 0))
    assert await rows_of(ana, SCHEDULE) == [("finished", 0, None, 0)]
    topics = [topic for topic, *_ in await rows_of(ana, NEWS)]
    assert topics == ["operation.scheduled", "scheduled_payment.executed", "scheduled_payment.ended"]
    to(world, date(2027, 2, 15))
    assert await world.pay_due(ana) == []


async def test_a_day_on_which_the_bank_is_closed_says_on_which_it_is_made(world: World, ana: Customer) -> None:
    pending = await ana.propose(ana.own("5.00", OnDay(date(2027, 1, 16))))
    assert "on Tuesday 19 January 2027, the first business day from Saturday 16 January 2027." in pending.summary
    await ana.done(pending.id)
    await live(world, date(2027, 1, 18), ana)
    assert await ana.balances() == (2_000_000, 0)
    await live(world, date(2027, 1, 19), ana)
    assert await ana.balances() == (1_999_500, 500)


QUARTERLY = "every 3 months on the 31st or, where a month is shorter, on its last day"


@pytest.mark.parametrize(
    ("repeats", "words"),
    [
        (
            Repeats(Recurrence(Frequency.MONTHLY, date(2027, 2, 1)), count=12),
            "on the 1st of each month, starting on Monday 1 February 2027, 12 times in all.",
        ),
        (
            Repeats(Recurrence(Frequency.MONTHLY, date(2027, 1, 31), 3), last_day=date(2028, 1, 31)),
            f"{QUARTERLY}, starting on Sunday 31 January 2027, until Monday 31 January 2028.",
        ),
        (
            Repeats(Recurrence(Frequency.WEEKLY, date(2027, 1, 8))),
            "every Friday, starting on Friday 8 January 2027, until you cancel it.",
        ),
        (
            Repeats(Recurrence(Frequency.WEEKLY, date(2027, 1, 8), 2), count=1),
            "every 2 weeks on Friday, starting on Friday 8 January 2027, once.",
        ),
        (
            Repeats(Recurrence(Frequency.MONTH_END, date(2027, 1, 8))),
            "on the last day of each month, starting on Sunday 31 January 2027, until you cancel it.",
        ),
    ],
)
async def test_the_text_says_when_and_how_often(ana: Customer, repeats: Repeats, words: str) -> None:
    pending = await ana.propose(ana.own("5.00", repeats))
    assert f" {words} There is no fee." in pending.summary
    assert pending.summary.endswith("When the bank is closed on such a day, it is done on the next business day.")
    payload = Payment.of(pending.payload)
    assert (payload.document(), payload.summary()) == (pending.payload, pending.summary)


async def test_two_years_of_several_rhythms_day_by_day(world: World, ana: Customer) -> None:
    """Months' ends, leap days, holidays and weekends: what was paid is what the calendar says, each once."""
    rules = [
        Recurrence(Frequency.MONTHLY, date(2027, 1, 31)),
        Recurrence(Frequency.MONTH_END, date(2027, 1, 5)),
        Recurrence(Frequency.WEEKLY, date(2027, 1, 8), 2),
        Recurrence(Frequency.MONTHLY, date(2027, 1, 5), 3),
    ]
    plans = {await ana.planned(ana.own("1.00", Repeats(rule))): rule for rule in rules}
    last = date(2029, 1, 5)
    await live(world, last, ana)
    calendar, total = load_business_days(), 0
    for schedule_id, rule in plans.items():
        rolled = Recurrence(rule.frequency, rule.first_day, rule.every, Roll.FOLLOWING)
        wanted = [(one.number, one.due_on, one.pays_on) for one in occurrences(rolled, calendar, MONDAY, last)]
        wanted = [one for one in wanted if one[2] <= last]
        made = await rows_of(
            ana,
            "SELECT number, due_on, ran_at::date FROM payment_runs "  # noqa: S608 - our own id
            f"WHERE schedule_id = '{schedule_id}' AND status = 'executed' ORDER BY number",
        )
        assert made == wanted
        total += len(made)
    assert total > 100
    assert await ana.balances() == (2_000_000 - 100 * total, 100 * total)
    assert await rows_of(ana, "SELECT count(*) FROM payment_runs WHERE status = 'failed'") == [(0,)]


@given(
    frequency=st.sampled_from(Frequency),
    every=st.integers(1, 4),
    first=st.integers(0, 40),
    count=st.none() | st.integers(1, 6),
    steps=st.lists(st.integers(1, 7), min_size=10, max_size=25),
)
@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_what_is_paid_is_what_the_calendar_says_however_the_worker_comes_by(
    world: World, frequency: Frequency, every: int, first: int, count: int | None, steps: Sequence[int]
) -> None:
    to(world, MONDAY)
    person = await world.customer()
    rule = Recurrence(frequency, MONDAY + timedelta(days=first), every, Roll.FOLLOWING)
    await person.planned(person.own("1.00", Repeats(rule, count=count)))
    day = MONDAY
    for step in steps:
        day += timedelta(days=step)
        to(world, day)
        await world.pay_due(person)
    wanted = [
        (one.number, one.due_on, "executed", None)
        for one in occurrences(rule, load_business_days(), MONDAY, day)
        if one.pays_on <= day and (count is None or one.number < count)
    ]
    assert [row[:4] for row in await rows_of(person, RUNS)] == wanted


async def test_after_an_outage_each_due_payment_is_made_once(world: World, ana: Customer) -> None:
    week = Repeats(Recurrence(Frequency.WEEKLY, date(2027, 1, 6)))
    for _ in range(3):
        await ana.planned(ana.own("10.00", week))
    to(world, date(2027, 1, 9))
    runs = await world.pay_due(ana)
    assert [(run.number, run.status) for run in runs] == [(0, "executed")] * 3
    assert await world.pay_due(ana) == []
    assert await ana.balances() == (2_000_000 - 3_000, 3_000)


async def test_what_comes_up_too_late_is_told_and_not_paid(world: World, ana: Customer) -> None:
    """A worker that was away for a month does not send a month's payments at once."""
    await ana.planned(ana.own("10.00", Repeats(Recurrence(Frequency.WEEKLY, date(2027, 1, 6)))))
    to(world, date(2027, 2, 5))
    await world.pay_due(ana)
    assert [(number, status, reason) for number, _, status, reason, _ in await rows_of(ana, RUNS)] == [
        (0, "failed", "missed"),
        (1, "failed", "missed"),
        (2, "failed", "missed"),
        (3, "failed", "missed"),
        (4, "executed", None),
    ]
    assert await rows_of(ana, SCHEDULE) == [("active", 5, date(2027, 2, 10), 0)]


async def test_a_payment_that_cannot_be_made_is_tried_on_the_next_business_days_and_told_each_time(
    world: World, ana: Customer
) -> None:
    await ana.planned(ana.own("10.00", OnDay(date(2027, 1, 14))))
    await set_aside(ana, 1_999_999)
    await live(world, date(2027, 1, 31), ana)
    failed = [
        (0, date(2027, 1, 14), "failed", "insufficient_funds", day)
        for day in (date(2027, 1, 14), date(2027, 1, 15), date(2027, 1, 19))
    ]
    assert await rows_of(ana, RUNS) == failed
    assert (await rows_of(ana, NEWS))[-4:] == [
        ("scheduled_payment.failed", "insufficient_funds", "2027-01-15"),
        ("scheduled_payment.failed", "insufficient_funds", "2027-01-19"),
        ("scheduled_payment.failed", "insufficient_funds", None),
        ("scheduled_payment.ended", None, None),
    ]
    assert await rows_of(ana, SCHEDULE) == [("failed", 0, None, 0)]
    assert await ana.balances() == (2_000_000, 0)


async def test_a_try_that_succeeds_later_goes_on_with_the_next_payment(world: World, ana: Customer) -> None:
    await ana.planned(ana.own("10.00", Repeats(Recurrence(Frequency.WEEKLY, date(2027, 1, 7)), count=2)))
    hold = await set_aside(ana, 2_000_000)
    await live(world, date(2027, 1, 7), ana)
    async with ana.transaction() as session:
        await ledger_store.release(session, hold)
    await live(world, date(2027, 1, 20), ana)
    assert [row[:1] + row[2:] for row in await rows_of(ana, RUNS)] == [
        (0, "failed", "insufficient_funds", date(2027, 1, 7)),
        (0, "executed", None, date(2027, 1, 8)),
        (1, "executed", None, date(2027, 1, 14)),
    ]
    assert await rows_of(ana, SCHEDULE) == [("finished", 1, None, 0)]


async def test_a_payee_who_was_removed_ends_the_schedule(world: World, ana: Customer, ben: Customer) -> None:
    payee = await ana.payee(ben)
    await ana.planned(ana.send(payee, "5.00", when=Repeats(Recurrence(Frequency.WEEKLY, date(2027, 1, 7)))))
    async with ana.transaction() as session:
        await world.payees.remove(session, ana.id, payee)
    await live(world, date(2027, 1, 31), ana)
    assert [row[2:4] for row in await rows_of(ana, RUNS)] == [("failed", "payee_removed")]
    assert (await rows_of(ana, SCHEDULE))[0][0] == "failed"


async def test_a_suspended_customer_pays_nothing(world: World, ana: Customer, owner: Database) -> None:
    await ana.planned(ana.own("5.00", OnDay(date(2027, 1, 7))))
    await tampered(owner, "UPDATE users SET status = 'suspended' WHERE id = :id", id=ana.id)
    await live(world, date(2027, 1, 7), ana)
    assert [row[2:4] for row in await rows_of(ana, RUNS)] == [("failed", "owner_suspended")]


async def test_the_limit_of_a_day_holds_over_schedules_and_payments_at_once(world: World, ana: Customer) -> None:
    await ana.add_passkey()
    for _ in range(3):
        pending = await ana.propose(ana.own("4000.00", OnDay(date(2027, 1, 7))))
        await ana.done(pending.id, await ana.prove(pending.id))
    await live(world, date(2027, 1, 7), ana)
    runs = await rows_of(ana, "SELECT status, reason FROM payment_runs ORDER BY status")
    assert runs == [("executed", None), ("executed", None), ("failed", "limit_exceeded")]
    with pytest.raises(AmountLimitError, match="for a day"):
        await ana.propose(ana.own("2500.00"))
    assert await ana.propose(ana.own("2000.00"))


async def test_a_plan_is_proved_as_a_payment_is(ana: Customer, ben: Customer) -> None:
    later = OnDay(date(2027, 1, 7))
    assert (await ana.propose(ana.own("200.01", later))).requires == {"totp", "webauthn"}
    assert (await ana.propose(ana.send(await ana.payee(ben, known=False), "1.00", when=later))).requires
    assert not (await ana.propose(ana.own("200.00", later))).requires
    with pytest.raises(AmountLimitError):
        await ana.propose(ana.own("5000.01", later))
    assert await ana.propose(ana.own("4999.00", Repeats(Recurrence(Frequency.WEEKLY, date(2027, 1, 7)))))


@pytest.mark.parametrize(
    "wish",
    [
        OnDay(MONDAY),
        OnDay(MONDAY - timedelta(days=1)),
        OnDay(MONDAY + timedelta(days=367)),
        Repeats(Recurrence(Frequency.WEEKLY, MONDAY - timedelta(days=1))),
        Repeats(Recurrence(Frequency.WEEKLY, MONDAY + timedelta(days=367))),
        Repeats(Recurrence(Frequency.WEEKLY, MONDAY), last_day=MONDAY - timedelta(days=1)),
        Repeats(Recurrence(Frequency.WEEKLY, MONDAY), last_day=MONDAY, count=2),
        Repeats(Recurrence(Frequency.WEEKLY, MONDAY), count=0),
        Repeats(Recurrence(Frequency.WEEKLY, MONDAY), count=1_001),
    ],
)
async def test_what_cannot_be_planned_is_refused_in_words(ana: Customer, wish: OnDay | Repeats) -> None:
    with pytest.raises(NotPossibleError):
        await ana.propose(ana.own("1.00", wish))


async def test_there_is_a_limit_on_plans(ana: Customer) -> None:
    most = load_policy().schedules.most
    for number in range(most):
        await ana.planned(ana.own("1.00", OnDay(MONDAY + timedelta(days=1 + number % 9))))
    with pytest.raises(TooManySchedulesError):
        await ana.propose(ana.own("1.00", OnDay(date(2027, 1, 7))))


async def test_a_year_that_nobody_listed_is_told_and_not_taken_for_business_days(world: World, ana: Customer) -> None:
    to(world, date(2031, 12, 1))
    with pytest.raises(YearNotListedError):
        await ana.propose(ana.own("1.00", OnDay(date(2032, 1, 7))))
    await ana.planned(ana.own("1.00", Repeats(Recurrence(Frequency.MONTHLY, date(2031, 12, 3)))))
    await live(world, date(2032, 1, 10), ana)
    assert [row[1:4] for row in await rows_of(ana, RUNS)] == [
        (date(2031, 12, 3), "executed", None),
        *[(date(2032, 1, 3), "failed", "year_not_listed")] * 3,
    ]


async def test_its_owner_cancels_a_schedule_and_nothing_more_is_paid(
    world: World, ana: Customer, ben: Customer
) -> None:
    schedule = await ana.planned(ana.own("10.00", Repeats(Recurrence(Frequency.WEEKLY, date(2027, 1, 7)))))
    await live(world, date(2027, 1, 8), ana)
    with pytest.raises(ScheduleNotFoundError):
        await ben.propose(CancelSchedule(schedule))
    pending = await ana.propose(CancelSchedule(schedule))
    assert pending.summary.startswith("Cancel this planned payment, so that nothing more is paid by it: Move $10.00")
    assert not pending.requires
    twice = await ana.propose(CancelSchedule(schedule))
    assert (await ana.done(pending.id)).status == "executed"
    with pytest.raises(ScheduleOverError):
        await ana.approve(twice.id)
    await live(world, date(2027, 1, 31), ana)
    assert await ana.balances() == (1_999_000, 1_000)


async def test_a_schedule_ends_once(ana: Customer) -> None:
    schedule = await ana.planned(ana.own("1.00", OnDay(date(2027, 1, 7))))
    await ana.done((await ana.propose(CancelSchedule(schedule))).id)
    for change in ("status = 'active', next_on = now(), ended_at = NULL", "attempts = 0"):
        with pytest.raises(DatabaseFaultError, match="SQLSTATE 42501"):
            await rows_of(ana, f"UPDATE scheduled_payments SET {change} RETURNING 1")  # noqa: S608 - our own words


async def test_two_workers_at_once_pay_once(world: World, ana: Customer) -> None:
    for _ in range(4):
        await ana.planned(ana.own("10.00", OnDay(date(2027, 1, 7))))
    to(world, date(2027, 1, 7))
    done = await asyncio.gather(*(world.pay_due(ana) for _ in range(4)))
    assert sum(len(one) for one in done) <= 4
    await world.pay_due(ana)
    assert await rows_of(ana, "SELECT count(*) FROM payment_runs") == [(4,)]
    assert await ana.balances() == (2_000_000 - 4_000, 4_000)


async def test_a_cancellation_and_the_worker_at_once_come_one_after_the_other(world: World, ana: Customer) -> None:
    for _ in range(5):
        schedule = await ana.planned(ana.own("10.00", OnDay(date(2027, 1, 7))))
        pending = await ana.propose(CancelSchedule(schedule))
        to(world, date(2027, 1, 7))
        cancelled, _ = await asyncio.gather(ana.approve(pending.id), world.pay_due(ana), return_exceptions=True)
        await world.pay_due(ana)
        (status,) = (await rows_of(ana, f"SELECT status FROM scheduled_payments WHERE id = '{schedule}'"))[0]  # noqa: S608
        runs = await rows_of(ana, f"SELECT count(*) FROM payment_runs WHERE schedule_id = '{schedule}'")  # noqa: S608
        assert (status, runs) in (("cancelled", [(0,)]), ("finished", [(1,)])), cancelled
        to(world, MONDAY)


class PlantedError(Exception):
    """Ends a transaction where a process would have ended."""


@pytest.mark.parametrize(
    "step",
    [
        "llm_banking.operations.schedules.as_shown",
        "llm_banking.operations.payments.core.post",
        "llm_banking.operations.payments.note_first_payment",
        "llm_banking.operations.schedules.PaymentRun",
        "llm_banking.operations.schedules.Schedules._go_on",
        "llm_banking.operations.schedules._tell",
        "llm_banking.operations.schedules.outbox.tell",
    ],
)
@pytest.mark.parametrize("after", [False, True])
async def test_an_end_at_any_step_leaves_nothing_and_the_next_worker_pays_once(
    world: World, ana: Customer, ben: Customer, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    payee = await ana.payee(ben)
    await ana.planned(ana.send(payee, "10.00", when=OnDay(date(2027, 1, 7))))
    to(world, date(2027, 1, 7))
    module, _, name = step.rpartition(".")
    real = getattr(pkgutil.resolve_name(module), name)

    async def ends_async(*given: Any, **named: Any) -> None:
        if after:
            await real(*given, **named)
        raise PlantedError

    def ends(*given: Any, **named: Any) -> None:
        if after:
            real(*given, **named)
        raise PlantedError

    with monkeypatch.context() as patch:
        patch.setattr(step, ends_async if asyncio.iscoroutinefunction(real) else ends)
        with pytest.raises(PlantedError):
            await world.pay_due(ana)
    assert (await ana.balances(), await ben.balances()) == ((2_000_000, 0), (0, 0))
    assert await rows_of(ana, "SELECT count(*) FROM payment_runs") == [(0,)]
    await world.pay_due(ana)
    assert (await ana.balances(), await ben.balances()) == ((1_999_000, 0), (1_000, 0))


async def test_a_schedule_that_was_altered_is_not_paid(world: World, ana: Customer, owner: Database) -> None:
    schedule = await ana.planned(ana.own("10.00", OnDay(date(2027, 1, 7))))
    change = "UPDATE pending_operations SET payload = jsonb_set(payload, '{amount_minor}', '999900') WHERE id = :id"
    await tampered(owner, change, id=schedule)
    to(world, date(2027, 1, 7))
    with pytest.raises(PendingAlteredError):
        await world.pay_due(ana)
    assert await ana.balances() == (2_000_000, 0)
    end = "UPDATE scheduled_payments SET status = 'failed', next_on = NULL, ended_at = now() WHERE id = :id"
    await tampered(owner, end, id=schedule)


def run_row(schedule: UUID, **changes: Any) -> dict[str, Any]:
    plain = {"schedule_id": schedule, "number": 0, "attempt": 1, "due_on": date(2027, 1, 7), "entry_id": None}
    return plain | changes


INSERT_RUN = (
    "INSERT INTO payment_runs (schedule_id, number, attempt, due_on, status, reason, entry_id, ran_at) "
    "VALUES (:schedule_id, :number, :attempt, :due_on, CASE WHEN :entry_id ::uuid IS NULL THEN 'failed' ELSE "
    "'executed' END, CASE WHEN :entry_id ::uuid IS NULL THEN 'planted' END, :entry_id, now())"
)


async def test_the_database_refuses_a_run_that_is_not_what_was_approved(world: World, ana: Customer) -> None:
    """Whatever the worker's code does: another amount, another day, one payment more, one after a cancellation."""
    schedule = await ana.planned(ana.own("10.00", OnDay(date(2027, 1, 7))))
    other = await ana.done((await ana.propose(ana.own("11.00"))).id)
    cancelled = await ana.planned(ana.own("11.00", OnDay(date(2027, 1, 7))))
    await ana.done((await ana.propose(CancelSchedule(cancelled))).id)
    for changes in (
        {"entry_id": other.entry_id},
        {"number": 1},
        {"due_on": date(2027, 1, 6)},
        {"schedule_id": cancelled, "entry_id": other.entry_id},
        {"schedule_id": other.pending_id},
    ):
        with pytest.raises(DatabaseFaultError, match=r"run_was_approved|SQLSTATE 42501"):
            async with ana.transaction() as session:
                await session.execute(text(INSERT_RUN), run_row(schedule, **changes))
    with pytest.raises(DatabaseFaultError, match="schedule_was_approved"):
        async with ana.transaction() as session:
            await session.execute(
                text(
                    "INSERT INTO scheduled_payments (id, user_id, status, next_number, next_on, attempts, created_at) "
                    "VALUES (:id, :user, 'active', 0, now(), 0, now())"
                ),
                {"id": other.pending_id, "user": ana.id},
            )


async def test_the_worker_works_for_the_owner_alone(world: World, ana: Customer, ben: Customer) -> None:
    """A due schedule named with somebody else's id finds nothing, and pays nothing."""
    schedule = await ana.planned(ana.own("10.00", OnDay(date(2027, 1, 7))))
    to(world, date(2027, 1, 7))
    async with ben.transaction() as session:
        assert await world.schedules.pay(session, Due(schedule, ana.id, MONDAY), world.clock()) is None
        assert await world.schedules.pay(session, Due(schedule, ben.id, MONDAY), world.clock()) is None
    await world.pay_due(ana)
    assert await ana.balances() == (1_999_000, 1_000)
