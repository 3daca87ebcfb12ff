"""News when whoever delivers it ends in the middle: the next one goes on at once, and nobody tells it beside him."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, text

from llm_banking.identity.models import User
from llm_banking.kit import outbox
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, Scope
from llm_banking.kit.delivery import Delivery, News
from tests.conftest import ServiceUrls


class Sink:
    """Keeps what it is told; the first time it waits until it is let go."""

    def __init__(self) -> None:
        self.told: list[UUID] = []
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def deliver(self, news: News) -> None:
        self.told.append(news.id)
        if len(self.told) == 1:
            self.begun.set()
            await self.go_on.wait()


@pytest.fixture
async def other(service_urls: ServiceUrls) -> AsyncIterator[Database]:
    found = Database(service_urls.database, max_pool_size=2)
    yield found
    await found.close()


@pytest.fixture
async def person(database: Database) -> AsyncIterator[UUID]:
    """Somebody, and nobody else's news waiting."""
    async with database.transaction(scope=Scope.WORKER) as session:
        await session.execute(text("UPDATE outbox SET delivered_at = now() WHERE delivered_at IS NULL"))
    user_id = uuid4()
    async with database.transaction(scope=Scope.SYSTEM) as session:
        row = {"id": user_id, "display_name": "Zoe", "account_type": "user", "created_at": utc_now()}
        await session.execute(insert(User), [row])
    yield user_id
    async with database.transaction(scope=Scope.WORKER) as session:
        await session.execute(text("UPDATE outbox SET delivered_at = now() WHERE delivered_at IS NULL"))


async def tell(database: Database, user_id: UUID) -> None:
    async with database.transaction(visible_to={user_id}) as session:
        outbox.tell(session, user_id, "test", {"number": 1})


async def row_of(database: Database, user_id: UUID) -> tuple[int, datetime | None]:
    async with database.transaction(visible_to={user_id}) as session:
        row = (await session.execute(text("SELECT attempts, delivered_at FROM outbox"))).one()
        return row.attempts, row.delivered_at


async def test_who_comes_after_one_that_ended_tells_it_at_once(
    database: Database, other: Database, person: UUID
) -> None:
    await tell(database, person)
    sink = Sink()
    ended = asyncio.create_task(Delivery(other, sink).deliver(utc_now()))
    await sink.begun.wait()
    async with database.engine.connect() as connection:
        killed = await connection.scalar(
            text(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND state = 'idle in transaction' AND query LIKE '%advisory%'"
            )
        )
    assert killed == 1
    sink.go_on.set()
    with pytest.raises(Exception, match="database"):
        await ended
    assert await row_of(database, person) == (1, None), "the try is counted"
    assert await Delivery(database, sink).deliver(utc_now()) == 1
    attempts, delivered_at = await row_of(database, person)
    assert (attempts, delivered_at is None) == (2, False)
    assert len(sink.told) == 2
    assert len(set(sink.told)) == 1, "it is told again under its own id"


async def test_nobody_else_tells_what_is_being_told(database: Database, other: Database, person: UUID) -> None:
    await tell(database, person)
    sink = Sink()
    first = asyncio.create_task(Delivery(other, sink).deliver(utc_now()))
    await sink.begun.wait()
    assert await Delivery(database, sink).deliver(utc_now()) == 0
    sink.go_on.set()
    assert await first == 1
    assert len(sink.told) == 1
    assert (await row_of(database, person))[0] == 1
