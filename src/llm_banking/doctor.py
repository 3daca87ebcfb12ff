"""Whether this installation is as it should be: a morning's look at everything that can go wrong quietly.

Nothing is started and nothing is written. Each finding says what is wrong and what to do about it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from asyncpg import PostgresError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from llm_banking.banking.invariants import broken_rules
from llm_banking.kit.cache import Cache
from llm_banking.kit.database import Database, Scope
from llm_banking.kit.embedded import embedded_redis_url, running_postgres
from llm_banking.kit.errors import ConfigurationError, LlmBankingError
from llm_banking.knowledge.service import load_knowledge
from llm_banking.migrations import reason_of
from llm_banking.nlu.reader import Reader
from llm_banking.nlu.taxonomy import BY_NAME
from llm_banking.settings import Settings, load_settings
from llm_banking.startup import check_database, check_secrets, durability_problems

LEDGER_TIMEOUT_MS = 600_000
"""Of one query over the whole ledger."""


WORKER_PATIENCE = timedelta(minutes=15)
_WAITS = text(
    """
    SELECT
        EXISTS (SELECT FROM scheduled_payments WHERE status = 'active' AND next_on < (now() - interval '1 day')::date),
        EXISTS (SELECT FROM outbox WHERE delivered_at IS NULL AND parked_at IS NULL AND attempts = 0
            AND created_at < now() - CAST(:patience AS interval)),
        EXISTS (SELECT FROM pending_operations WHERE status = 'pending'
            AND expires_at < now() - CAST(:patience AS interval))
    """
)
_GIVEN_UP = text("SELECT id FROM outbox WHERE parked_at IS NOT NULL ORDER BY position LIMIT 10")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `finding` is None where it is as it should be."""

    name: str
    finding: str | None = None


def examine() -> list[Check]:
    """Look at configuration, services, durability, model, knowledge, the ledger's rules and the worker's work.

    What cannot be looked at because of an earlier finding (no database, no ledger) is left out.
    """
    checks = [_tried("model", Reader.open), _tried("knowledge", lambda: load_knowledge(frozenset(BY_NAME)))]
    try:
        settings = load_settings()
    except ConfigurationError as error:
        return [Check("configuration", error.message), *checks]
    first = [Check("configuration"), _tried("secrets", lambda: check_secrets(settings))]
    return [*first, *checks, *asyncio.run(_services(settings))]


def _tried(name: str, look: Callable[[], object]) -> Check:
    try:
        look()
    except LlmBankingError as error:
        return Check(name, error.message)
    return Check(name)


async def _services(settings: Settings) -> list[Check]:
    return [await _cache(settings), *await _database(settings)]


async def _cache(settings: Settings) -> Check:
    named = settings.redis_url
    cache = Cache(embedded_redis_url(settings.home) if named is None else named.get_secret_value())
    answers = await cache.ping()
    await cache.close()
    if answers:
        return Check("cache")
    if named is None:
        return Check("cache", "No Redis runs here. Start `llm-banking serve`, or set REDIS_URL.")
    return Check("cache", "The Redis at REDIS_URL does not answer. Start it, or correct REDIS_URL.")


async def _database(settings: Settings) -> list[Check]:
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
    else:
        running = running_postgres(settings.home)
        if running is None:
            return [Check("database", "No PostgreSQL runs here. Start `llm-banking serve`, or set DATABASE_URL.")]
        url = running.application
    database = Database(url, max_pool_size=1)
    try:
        await check_database(database, durable=False)
        return [Check("database"), *await _durability(database), await _ledger(database), *await _worker(database)]
    except ConfigurationError as error:
        return [Check("database", error.message)]
    finally:
        await database.close()


async def _durability(database: Database) -> list[Check]:
    try:
        async with database.engine.connect() as connection:
            problems = [f"{problem}." for problem in await durability_problems(connection)]
    except (OSError, PostgresError, DBAPIError) as error:
        problems = [f"The database's settings cannot be read: {reason_of(error)}. Look at its log."]
    return [Check("durability", problem) for problem in problems] or [Check("durability")]


async def _worker(database: Database) -> list[Check]:
    """What waits for longer than a worker that runs would let it, and news that was given up."""
    try:
        async with database.transaction(scope=Scope.WORKER) as session:
            waits = (await session.execute(_WAITS, {"patience": WORKER_PATIENCE})).one()
            given_up = list(await session.scalars(_GIVEN_UP))
    except LlmBankingError as error:
        return [Check("worker", error.message)]
    lines = [Check("worker", "What is due is not done. Run `llm-banking worker`, or look at its log.")]
    named = ", ".join(str(one) for one in given_up)
    told = f"News was given up after too many tries, in the outbox: {named}. Its receiver does not take it; tell it so."
    return [*(lines if any(waits) else [Check("worker")]), Check("news", told if given_up else None)]


async def _ledger(database: Database) -> Check:
    try:
        async with database.transaction(scope=Scope.SYSTEM) as session:
            await session.execute(text("SET TRANSACTION READ ONLY"))
            await session.execute(text(f"SET LOCAL statement_timeout = {LEDGER_TIMEOUT_MS}"))
            broken = await broken_rules(session)
    except LlmBankingError as error:
        return Check("ledger", error.message)
    if not broken:
        return Check("ledger")
    return Check(
        "ledger",
        f"These rules of the ledger do not hold: {'; '.join(broken)}. Stop serving, keep the database as it is, and "
        "compare it with the last backup for which they hold.",
    )
