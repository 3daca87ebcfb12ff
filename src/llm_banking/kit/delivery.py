"""News from the outbox, told at least once, each user's in the order in which it was written.

A try is counted and leased in a transaction of its own before the news is handed over, so that a process which ends in
the middle has used up a try, and nobody else hands over the same news meanwhile. Of each user only the earliest news
that is neither delivered nor given up is handed over; what could not be delivered in MAX_ATTEMPTS is parked, and named.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.kit.database import Database, DatabaseUnavailableError, Scope
from llm_banking.kit.logs import get_logger
from llm_banking.kit.outbox import OutboxRow

MAX_ATTEMPTS = 10
FIRST_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(hours=1)
HAND_OVER_TIMEOUT_S = 5.0
LEASE = timedelta(seconds=60)
"""Longer than a batch can take: who holds the lease is the only one who delivers."""
BATCH = 10


@dataclass(frozen=True, slots=True)
class News:
    """One piece of news. `id` stays the same when it is told again, so that a receiver can know it."""

    id: UUID
    user_id: UUID
    topic: str
    payload: dict[str, Any]
    created_at: datetime
    attempts: int


class Sink(Protocol):
    """Where news goes."""

    async def deliver(self, news: News) -> None:
        """Hand it over, or raise: it comes again then."""


class LogSink:
    """News as lines of the structured log, for whatever collects them; a log line was delivered when it was written."""

    async def deliver(self, news: News) -> None:
        """Write one line."""
        get_logger("llm_banking.news").info(
            "news",
            topic=news.topic,
            news_id=str(news.id),
            user_id=str(news.user_id),
            payload=news.payload,
            created_at=news.created_at.isoformat(),
        )


_CLAIM = text(
    """
    WITH head AS (
        SELECT one.id FROM outbox AS one
        WHERE one.delivered_at IS NULL AND one.parked_at IS NULL AND one.next_attempt_at <= :now
            AND one.attempts < :attempts AND NOT EXISTS (
                SELECT FROM outbox AS earlier
                WHERE earlier.user_id = one.user_id AND earlier.position < one.position
                    AND earlier.delivered_at IS NULL AND earlier.parked_at IS NULL
            )
        ORDER BY one.position LIMIT :most FOR UPDATE OF one SKIP LOCKED
    )
    UPDATE outbox SET attempts = outbox.attempts + 1, next_attempt_at = :leased_until
    FROM head WHERE outbox.id = head.id
    RETURNING outbox.id, user_id, topic, payload, created_at, attempts
    """
)
_PARK = text(
    """
    UPDATE outbox SET parked_at = :now
    WHERE id IN (
        SELECT id FROM outbox
        WHERE delivered_at IS NULL AND parked_at IS NULL AND attempts >= :attempts AND next_attempt_at <= :now
        ORDER BY position LIMIT :most FOR UPDATE SKIP LOCKED
    )
    RETURNING id, topic, user_id
    """
)


class Delivery:
    """Delivers what waits in the outbox of one database to one sink."""

    def __init__(self, database: Database, sink: Sink) -> None:
        self._database = database
        self._sink = sink
        self._log = get_logger("llm_banking.news")

    async def deliver(self, now: datetime) -> int:
        """Hand over the earliest news of some users, and park what was tried too often. Returns how many were tried."""
        async with self._database.transaction(scope=Scope.WORKER) as session:
            await self._park(session, now)
            claimed = await _claimed(session, now)
        for news in claimed:
            await self._hand_over(news, now)
        return len(claimed)

    async def _hand_over(self, news: News, now: datetime) -> None:
        try:
            async with asyncio.timeout(HAND_OVER_TIMEOUT_S):
                await self._sink.deliver(news)
        except DatabaseUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a sink raises, this news waits and the next one is told
            waits = min(FIRST_WAIT * 2 ** (news.attempts - 1), LONGEST_WAIT)
            self._log.warning(
                "news was not delivered",
                **_named(news.id, news.topic, news.user_id),
                attempt=news.attempts,
                reason=type(error).__name__,
                again_in_s=waits.total_seconds(),
            )
            changes: dict[str, datetime] = {"next_attempt_at": now + waits}
        else:
            changes = {"delivered_at": now}
        async with self._database.transaction(scope=Scope.WORKER) as session:
            await session.execute(update(OutboxRow).where(OutboxRow.id == news.id).values(changes))

    async def _park(self, session: AsyncSession, now: datetime) -> None:
        for row in await session.execute(_PARK, {"now": now, "attempts": MAX_ATTEMPTS, "most": BATCH}):
            self._log.error("news was given up", **_named(row.id, row.topic, row.user_id), attempts=MAX_ATTEMPTS)


async def _claimed(session: AsyncSession, now: datetime) -> list[News]:
    values = {"now": now, "attempts": MAX_ATTEMPTS, "most": BATCH, "leased_until": now + LEASE}
    return [News(**row) for row in (await session.execute(_CLAIM, values)).mappings()]


def _named(news_id: UUID, topic: str, user_id: UUID) -> dict[str, str]:
    return {"news_id": str(news_id), "topic": topic, "user_id": str(user_id)}
