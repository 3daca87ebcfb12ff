"""The worker: its jobs on a real database, its loop, and its processes, ended at random."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from llm_banking.kit import idempotency
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, DatabaseUnavailableError, Scope
from llm_banking.operations.overdue import close_overdue
from llm_banking.operations.when import OnDay
from llm_banking.proof.bench import running_server
from llm_banking.settings import Settings
from llm_banking.worker import Job, Worker, jobs_of, pay_due
from tests.conftest import ServiceUrls
from tests.identity.people import Clock
from tests.integration.test_server import eventually
from tests.operations.world import Customer, World

COMMAND = [sys.executable, "-m", "llm_banking.cli", "worker"]


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


async def test_overdue_operations_are_closed_and_those_in_work_are_passed_over(world: World) -> None:
    ana = await world.customer()
    overdue, held = [await ana.propose(ana.own("1.00")) for _ in range(2)]
    later = world.clock() + timedelta(hours=1)
    async with ana.transaction() as session:
        await session.execute(text("SELECT FROM pending_operations WHERE id = :id FOR UPDATE"), {"id": held.id})
        async with world.database.transaction(scope=Scope.WORKER) as other:
            assert await close_overdue(other, later, most=1_000) >= 1
    async with ana.transaction() as session:
        found = await session.execute(text("SELECT id, status FROM pending_operations"))
        assert dict(found.all()) == {overdue.id: "expired", held.id: "pending"}


async def test_keys_are_forgotten_when_their_promise_is_over(world: World) -> None:
    ana, now = await world.customer(), utc_now()
    async with ana.transaction() as session:
        await idempotency.claim(session, ana.id, "k" * 8, route="POST /x", body_hash=bytes(32))
    for at, left in ((now + timedelta(hours=23), 1), (now + timedelta(hours=25), 0)):
        async with world.database.transaction(scope=Scope.WORKER) as session:
            while await idempotency.purge(session, at, most=2):
                pass
        async with ana.transaction() as session:
            assert await session.scalar(text("SELECT count(*) FROM idempotency_keys")) == left


async def test_holds_that_expired_are_given_back(world: World, settings: Settings) -> None:
    ana = await world.customer()
    async with ana.transaction() as session:
        held = "SELECT ledger_hold(:id, :account, 500, 'x', clock_timestamp())"
        await session.execute(text(held), {"id": uuid4(), "account": ana.checking})
    (job,) = [one for one in jobs_of(world.database, settings) if one.name == "holds"]
    while await job.batch(utc_now()):
        pass
    async with ana.transaction() as session:
        assert await session.scalar(text("SELECT sum(held_minor) FROM accounts")) == 0


async def test_a_schedule_that_cannot_be_paid_holds_up_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.clock = Clock(datetime(2027, 1, 4, 12, tzinfo=UTC))
    world.__post_init__()
    people = [await world.customer() for _ in range(3)]
    ids = [await one.planned(one.own("1.00", OnDay(datetime(2027, 1, 5, tzinfo=UTC).date()))) for one in people]
    world.clock.advance(days=1)
    pay = world.schedules.pay

    async def fails(session: object, due: object, now: object) -> object:
        if getattr(due, "id", None) == ids[1]:
            raise ZeroDivisionError
        return await pay(session, due, now)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(world.schedules, "pay", fails)
        with pytest.raises(ZeroDivisionError):
            await pay_due(world.database, world.schedules, world.clock())
    assert [await one.balances() for one in people] == [(1_999_900, 100), (2_000_000, 0), (1_999_900, 100)]
    assert str(ids[1]) in str(logs)
    await pay_due(world.database, world.schedules, world.clock())
    assert await people[1].balances() == (1_999_900, 100)


async def test_a_job_that_fails_waits_longer_each_time_and_holds_up_no_other() -> None:
    away, turns = [True], {"fails": 0, "goes on": 0}

    async def fails(_: datetime) -> int:
        turns["fails"] += 1
        if away[0]:
            raise DatabaseUnavailableError
        return 0

    async def goes_on(_: datetime) -> int:
        turns["goes on"] += 1
        if turns["goes on"] == 40:
            away[0] = False
        if turns["goes on"] > 60 and jobs[0].failures == 0:
            stop.set()
        return 0

    stop = asyncio.Event()
    jobs = [Job("fails", fails, 0.01), Job("goes on", goes_on, 0.01)]
    with capture_logs() as logs:
        await Worker(jobs).run(stop)
    assert turns["fails"] < turns["goes on"] / 2
    told = [(one["event"], one["log_level"]) for one in logs if one.get("job") == "fails"]
    assert told == [("a job fails", "error"), ("a job is well again", "info")]
    away[0] = True
    with pytest.raises(DatabaseUnavailableError):
        await Worker(jobs).once()


@pytest.fixture
def environment(service_urls: ServiceUrls, tmp_path: Path) -> dict[str, str]:
    own = {"ENVIRONMENT": "test", "LLM_BANKING_HOME": str(tmp_path), "DATABASE_URL": service_urls.database}
    return {**os.environ, **own, "WORKER_INTERVAL_S": "0.05"}


def started(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(COMMAND, env=environment, stdout=subprocess.PIPE, text=True)


def ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if "worker ready" in line:
            return
    pytest.fail("the worker did not begin")


async def due_today(world: World, people: int, each: int) -> list[Customer]:
    """Customers with payments that have been due for some days by the real clock."""
    world.clock.now = utc_now() - timedelta(days=6)
    day = (world.clock() + timedelta(days=1)).date()
    found = [await world.customer() for _ in range(people)]
    for one in found:
        for _ in range(each):
            await one.planned(one.own("1.00", OnDay(day)))
    return found


@pytest.mark.slow
async def test_two_processes_killed_at_random_pay_each_once(world: World, environment: dict[str, str]) -> None:
    people = await due_today(world, 6, 12)
    chance, kills = random.Random(7), 0  # noqa: S311 - when to kill, no secret
    for _ in range(3):
        both = [started(environment) for _ in range(2)]
        for process in both:
            await asyncio.to_thread(ready, process)
        await asyncio.sleep(chance.uniform(0.0, 0.15))
        for process in both:
            process.kill()
            process.communicate()
            kills += process.returncode == -signal.SIGKILL
    assert kills == 6
    for _ in range(2):
        done = await asyncio.create_subprocess_exec(*COMMAND, "--once", env=environment, stdout=subprocess.DEVNULL)
        assert await done.wait() == 0
    for one in people:
        async with one.transaction() as session:
            counted = "SELECT status, count(*), count(DISTINCT entry_id) FROM payment_runs GROUP BY 1"
            runs = await session.execute(text(counted))
            assert [tuple(row) for row in runs] == [("executed", 12, 12)]
        assert await one.balances() == (2_000_000 - 1_200, 1_200)


@pytest.mark.slow
async def test_a_process_goes_on_after_its_connections_were_cut_and_ends_on_sigterm(
    world: World, environment: dict[str, str], service_urls: ServiceUrls
) -> None:
    process = started(environment)
    try:
        await asyncio.to_thread(ready, process)
        owner = Database(service_urls.database_owner, max_pool_size=1)
        async with owner.engine.begin() as connection:
            cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            await connection.execute(text(f"{cut} AND application_name = 'llm-banking'"))
        await owner.close()
        (ana,) = await due_today(world, 1, 1)
        for _ in range(200):
            if await ana.balances() == (1_999_900, 100):
                break
            await asyncio.sleep(0.05)
        assert await ana.balances() == (1_999_900, 100)
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = await asyncio.to_thread(process.communicate, timeout=20)
    assert process.returncode == 0
    assert "worker stopped" in said


def workers_of(server: int) -> list[psutil.Process]:
    living = [one for one in psutil.Process(server).children() if one.status() != psutil.STATUS_ZOMBIE]
    return [one for one in living if "worker" in one.cmdline()]


@pytest.mark.slow
def test_serve_keeps_a_worker_and_starts_it_again(home: Path) -> None:
    with running_server(home) as server:
        assert eventually(lambda: len(workers_of(server.pid)) == 1)
        (first,) = workers_of(server.pid)
        time.sleep(0.5)
        first.kill()
        assert eventually(lambda: [one.pid for one in workers_of(server.pid)] not in ([], [first.pid]))
        (second,) = workers_of(server.pid)
    assert not second.is_running()
