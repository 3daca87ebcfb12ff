"""News from the outbox, told at least once, each user's in the order in which it was written.

Whoever hands news over holds a lock on its id: nobody else hands over the same news meanwhile, and the lock of a
process that ended is gone with it, so that another goes on at once. A try is counted in a transaction of its own before
that, so that a process which ends in the middle has used it up; so two connections are needed at a time. Of each user
only the earliest news that is neither delivered nor given up is handed over; what could not be delivered in
MAX_ATTEMPTS is parked, and named.
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
"""Shorter than a transaction may be idle (`kit.database`)."""
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


_WAITING = text(
    """
    SELECT id FROM outbox AS one
    WHERE delivered_at IS NULL AND parked_at IS NULL AND next_attempt_at <= :now AND attempts < :attempts
        AND NOT EXISTS (
            SELECT FROM outbox AS earlier
            WHERE earlier.user_id = one.user_id AND earlier.position < one.position
                AND earlier.delivered_at IS NULL AND earlier.parked_at IS NULL
        )
    ORDER BY position LIMIT :most
    """
)
_MINE = text("SELECT pg_try_advisory_xact_lock(hashtextextended(CAST(:id AS text), 0))")
_COUNT = text(
    """
    UPDATE outbox SET attempts = attempts + 1
    WHERE id = :id AND delivered_at IS NULL AND parked_at IS NULL AND next_attempt_at <= :now AND attempts < :attempts
    RETURNING id, user_id, topic, payload, created_at, attempts
    """
)
_PARK = text(
    """
    WITH late AS MATERIALIZED (
        SELECT id FROM outbox
        WHERE delivered_at IS NULL AND parked_at IS NULL AND attempts >= :attempts AND next_attempt_at <= :now
        ORDER BY position LIMIT :most
    )
    UPDATE outbox SET parked_at = :now
    WHERE id IN (SELECT id FROM late WHERE pg_try_advisory_xact_lock(hashtextextended(id::text, 0)))
        AND delivered_at IS NULL
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
        values = {"now": now, "attempts": MAX_ATTEMPTS, "most": BATCH}
        async with self._database.transaction(scope=Scope.WORKER) as session:
            await self._park(session, now)
            waiting = list(await session.scalars(_WAITING, values))
        return sum([await self._hand_over(news_id, now) for news_id in waiting])

    async def _hand_over(self, news_id: UUID, now: datetime) -> bool:
        """Hand over one piece of news, unless somebody else is at it. Returns whether it was tried."""
        async with self._database.transaction(scope=Scope.WORKER) as session:
            if not await session.scalar(_MINE, {"id": str(news_id)}):
                return False
            news = await self._counted(news_id, now)
            if news is None:
                return False
            changes = await self._told(news, now)
            await session.execute(update(OutboxRow).where(OutboxRow.id == news_id).values(changes))
            return True

    async def _counted(self, news_id: UUID, now: datetime) -> News | None:
        """The news with this try counted, for good; None where its turn is over."""
        async with self._database.transaction(scope=Scope.WORKER) as session:
            values = {"id": news_id, "now": now, "attempts": MAX_ATTEMPTS}
            row = (await session.execute(_COUNT, values)).mappings().one_or_none()
            return None if row is None else News(**row)

    async def _told(self, news: News, now: datetime) -> dict[str, datetime]:
        """Tell it; what then changes of its row."""
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
            return {"next_attempt_at": now + waits}
        return {"delivered_at": now}

    async def _park(self, session: AsyncSession, now: datetime) -> None:
        for row in await session.execute(_PARK, {"now": now, "attempts": MAX_ATTEMPTS, "most": BATCH}):
            self._log.error("news was given up", **_named(row.id, row.topic, row.user_id), attempts=MAX_ATTEMPTS)


def _named(news_id: UUID, topic: str, user_id: UUID) -> dict[str, str]:
    return {"news_id": str(news_id), "topic": topic, "user_id": str(user_id)}
