"""News from the outbox, told at least once, each user's in the order in which it was written.

A try is counted in a transaction of its own before the news is handed over, so that a process which ends in the
middle has used up a try. While it is handed over its row is locked: nobody else hands over the same news meanwhile, and
the lock of a process that ended is gone with it, so that another goes on at once. Of each user only the earliest news
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
        ORDER BY one.position LIMIT 1 FOR UPDATE OF one SKIP LOCKED
    )
    UPDATE outbox SET attempts = outbox.attempts + 1 FROM head WHERE outbox.id = head.id
    RETURNING outbox.id, user_id, topic, payload, created_at, attempts
    """
)
_LOCK = text(
    """
    SELECT id FROM outbox
    WHERE id = :id AND attempts = :attempts AND delivered_at IS NULL AND parked_at IS NULL
    FOR UPDATE SKIP LOCKED
    """
)
"""Nothing where somebody else has counted a try of their own since."""
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
        tried = 0
        while tried < BATCH and (news := await self._counted(now)) is not None:
            await self._hand_over(news, now)
            tried += 1
        return tried

    async def _counted(self, now: datetime) -> News | None:
        """The news whose turn it is, with this try counted."""
        async with self._database.transaction(scope=Scope.WORKER) as session:
            values = {"now": now, "attempts": MAX_ATTEMPTS}
            row = (await session.execute(_CLAIM, values)).mappings().one_or_none()
            return None if row is None else News(**row)

    async def _hand_over(self, news: News, now: datetime) -> None:
        async with self._database.transaction(scope=Scope.WORKER) as session:
            if await session.scalar(_LOCK, {"id": news.id, "attempts": news.attempts}) is None:
                return
            changes = await self._told(news, now)
            await session.execute(update(OutboxRow).where(OutboxRow.id == news.id).values(changes))

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
