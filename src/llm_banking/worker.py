"""The worker: what is due by the clock, done beside the server by one process or by several at once (ADR 0015).

Every job does a small batch in transactions of its own, says how much it did, and is safe to be ended at any moment:
what it claimed, did and marked is committed together. A job that fails waits longer each time, and holds up no other.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from llm_banking.banking import core
from llm_banking.banking.bank_days import load_bank_days
from llm_banking.identity.keyed_hash import KeyedHash
from llm_banking.identity.master_key import load_master_keys
from llm_banking.identity.secret_box import SecretBox
from llm_banking.kit import idempotency
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, DatabaseUnavailableError, Scope
from llm_banking.kit.delivery import Delivery, LogSink, Sink
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.logs import configure_logging, get_logger
from llm_banking.operations.contact_codes import ContactCodes
from llm_banking.operations.contact_letters import ContactLetters
from llm_banking.operations.mailing import mail_of
from llm_banking.operations.overdue import close_overdue
from llm_banking.operations.schedules import Schedules, due_schedules
from llm_banking.operations.wiring import open_schedules
from llm_banking.settings import Environment, Settings
from llm_banking.startup import check_database, check_secrets, check_transport

BATCH = 100
BATCHES_AT_ONCE = 50
"""Of one job, until the others have their turn."""
LONGEST_WAIT_S = 60.0
HOUSEKEEPING_EVERY_S = 60.0
POOL_SIZE = 2
"""One for the news whose row is held, and one for what its letter says."""


@dataclass(slots=True)
class Job:
    """Something that is done again and again. `batch` returns how much it did; it is called again while it did some."""

    name: str
    batch: Callable[[datetime], Awaitable[int]]
    every_s: float
    next_at: float = field(default=0.0, init=False)
    failures: int = field(default=0, init=False)


class Worker:
    """Runs jobs, each on its own interval."""

    def __init__(self, jobs: Sequence[Job], *, clock: Callable[[], datetime] = utc_now) -> None:
        self._jobs = jobs
        self._clock = clock
        self._log = get_logger("llm_banking.worker")

    async def once(self) -> None:
        """Every job until it finds no more to do. Raises the first job's error, after all of them had their turn."""
        errors = [error for job in self._jobs if (error := await self._run(job)) is not None]
        if errors:
            raise errors[0]

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. A job at work ends its batch first."""
        self._log.info("worker ready", jobs=[job.name for job in self._jobs])
        while not stop.is_set():
            for job in self._jobs:
                if not stop.is_set() and job.next_at <= time.monotonic():
                    await self._run(job, stop)
            wait_s = min(job.next_at for job in self._jobs) - time.monotonic()
            try:
                await asyncio.wait_for(stop.wait(), max(wait_s, 0.01))
            except TimeoutError:
                continue
        self._log.info("worker stopped")

    async def _run(self, job: Job, stop: asyncio.Event | None = None) -> Exception | None:
        """One turn of a job. Its failure is logged when it begins and when it ends, and returned."""
        done = 0
        try:
            for _ in range(BATCHES_AT_ONCE):
                some = await job.batch(self._clock())
                done += some
                if not some or (stop is not None and stop.is_set()):
                    break
        except Exception as error:  # noqa: BLE001 - the other jobs go on, and this one comes again
            job.failures += 1
            if job.failures == 1:
                self._log.error("a job fails", job=job.name, reason=type(error).__name__, problem=str(error))
            job.next_at = time.monotonic() + min(job.every_s * 2**job.failures, LONGEST_WAIT_S)
            return error
        if job.failures:
            self._log.info("a job is well again", job=job.name, failures=job.failures)
        job.failures = 0
        job.next_at = time.monotonic() + job.every_s
        if done:
            self._log.info("job done", job=job.name, count=done)
        return None


async def pay_due(database: Database, schedules: Schedules, now: datetime) -> int:
    """Make one payment of every schedule that has one due, each in a transaction of its own; how many were looked at.

    Raises the first error that one of them met, after all had their turn.
    """
    done, first_error, last = 0, None, None
    while True:
        async with database.transaction(scope=Scope.WORKER) as session:
            page = await due_schedules(session, schedules.today(now), most=BATCH, after=last)
        for due in page:
            try:
                async with database.transaction(visible_to={due.user_id}) as session:
                    done += await schedules.pay(session, due, now) is not None
            except DatabaseUnavailableError:
                raise
            except Exception as error:  # noqa: BLE001 - one schedule holds up no other; it is raised below
                get_logger("llm_banking.worker").error(
                    "a planned payment cannot be made", schedule_id=str(due.id), reason=type(error).__name__
                )
                first_error = first_error or error
        if len(page) < BATCH:
            break
        last = page[-1]
    if first_error is not None:
        raise first_error
    return done


def news_sink(database: Database, settings: Settings) -> Sink:
    """Where news goes: letters to those who are told by one, and every piece to the log. Raises ConfigurationError."""
    keys = load_master_keys(settings.home, settings.master_key_file)
    codes = ContactCodes(KeyedHash.of(keys), SecretBox(keys))
    return ContactLetters(database, codes, mail_of(settings), then=LogSink())


def jobs_of(database: Database, settings: Settings, *, sink: Sink | None = None) -> list[Job]:
    """What the worker does. Raises ConfigurationError."""
    delivery = Delivery(database, sink or news_sink(database, settings))
    schedules = open_schedules(days=load_bank_days(settings.bank_time_zone))

    async def pay(now: datetime) -> int:
        return await pay_due(database, schedules, now)

    async def release(_now: datetime) -> int:
        async with database.transaction(scope=Scope.WORKER) as session:
            return await core.release_expired(session, most=BATCH)

    async def close(now: datetime) -> int:
        async with database.transaction(scope=Scope.WORKER) as session:
            return await close_overdue(session, now, most=BATCH)

    async def forget(now: datetime) -> int:
        async with database.transaction(scope=Scope.WORKER) as session:
            return await idempotency.purge(session, now, most=BATCH)

    often_s = settings.worker_interval_s
    return [
        Job("planned payments", pay, often_s),
        Job("outbox", delivery.deliver, often_s),
        Job("holds", release, often_s),
        Job("overdue operations", close, often_s),
        Job("idempotency keys", forget, HOUSEKEEPING_EVERY_S),
    ]


async def work(settings: Settings, *, once: bool) -> None:
    """Run the worker until a signal ends it, or once. Raises ConfigurationError; with `once`, a job's error as well."""
    check_secrets(settings)
    check_transport(settings)
    if settings.database_url is None:
        raise ConfigurationError(
            "DATABASE_URL is needed here. `llm-banking serve` starts a worker by itself, also on its own database."
        )
    configure_logging(settings.log_level, settings.home / "logs" / "app.log")
    database = Database(settings.database_url.get_secret_value(), max_pool_size=POOL_SIZE)
    try:
        await check_database(database, durable=settings.environment is not Environment.DEVELOPMENT)
        worker = Worker(jobs_of(database, settings))
        if once:
            await worker.once()
        else:
            await worker.run(_ended_by_signal())
    finally:
        await database.close()


def _ended_by_signal() -> asyncio.Event:
    """Set by SIGTERM and SIGINT, and when the process that started this one is gone."""
    stop, parent = asyncio.Event(), os.getppid()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def look() -> None:
        if os.getppid() != parent:
            stop.set()
        else:
            loop.call_later(1.0, look)

    look()
    return stop
