"""News is told at least once, each user's in its order, and never lost without a word."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, text
from structlog.testing import capture_logs

from llm_banking.identity.models import User
from llm_banking.kit import delivery, outbox
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, Scope
from llm_banking.kit.delivery import MAX_ATTEMPTS, Delivery, LogSink, News


class Listener:
    """Hears news, and refuses some."""

    def __init__(self, *refused: str) -> None:
        self.refused = set(refused)
        self.heard: dict[UUID, list[str]] = defaultdict(list)
        self.tries: dict[str, int] = defaultdict(int)

    async def deliver(self, news: News) -> None:
        self.tries[news.topic] += 1
        await asyncio.sleep(0)
        if news.topic in self.refused:
            raise ConnectionError
        self.heard[news.user_id].append(news.topic)


@pytest.fixture
async def empty(database: Database) -> AsyncIterator[Database]:
    """The database without news from other tests."""
    await everything(Delivery(database, Listener()))
    yield database
    await everything(Delivery(database, Listener()))


async def everything(told: Delivery, now: datetime | None = None) -> None:
    while await told.deliver(now or utc_now()):
        pass


async def somebody(database: Database, *topics: str) -> UUID:
    user_id = uuid4()
    async with database.transaction(visible_to={user_id}) as session:
        row = {"id": user_id, "display_name": "Somebody", "account_type": "user", "created_at": utc_now()}
        await session.execute(insert(User), [row])
        for topic in topics:
            outbox.tell(session, user_id, topic, {"id": topic})
    return user_id


async def state(database: Database, user_id: UUID) -> list[tuple[str, int, bool, bool]]:
    async with database.transaction(visible_to={user_id}) as session:
        found = await session.execute(
            text(
                "SELECT topic, attempts, delivered_at IS NOT NULL, parked_at IS NOT NULL FROM outbox "
                "WHERE user_id = :id ORDER BY position"
            ),
            {"id": user_id},
        )
        return [tuple(row) for row in found]


async def test_each_users_news_comes_in_its_order_and_once(empty: Database) -> None:
    topics = [f"t{number}" for number in range(12)]
    ana, ben = [await somebody(empty, *topics) for _ in range(2)]
    listener = Listener()
    await asyncio.gather(*(everything(Delivery(empty, listener)) for _ in range(3)))
    await everything(Delivery(empty, listener))
    assert listener.heard[ana] == listener.heard[ben] == topics
    assert await state(empty, ana) == [(topic, 1, True, False) for topic in topics]


async def test_what_fails_waits_longer_each_time_holds_up_its_user_alone_and_is_parked_by_name(empty: Database) -> None:
    ana, ben = await somebody(empty, "poison", "after it"), await somebody(empty, "fine")
    listener, now = Listener("poison"), utc_now()
    told, waits = Delivery(empty, listener), []
    with capture_logs() as logs:
        for _ in range(MAX_ATTEMPTS):
            await everything(told, now)
            assert listener.heard[ana] == []
            (wait,) = [one["again_in_s"] for one in logs[-1:] if one["event"] == "news was not delivered"]
            waits.append(wait)
            await everything(told, now + timedelta(seconds=wait - 1))
            assert listener.tries["poison"] == len(waits), "not before its time"
            now += timedelta(seconds=wait)
        await everything(told, now)
    assert waits == [min(2.0 * 2**number, 3600) for number in range(MAX_ATTEMPTS)]
    assert listener.heard[ben] == ["fine"]
    assert listener.heard[ana] == ["after it"]
    assert await state(empty, ana) == [("poison", MAX_ATTEMPTS, False, True), ("after it", 1, True, False)]
    (given_up,) = [one for one in logs if one["event"] == "news was given up"]
    assert (given_up["topic"], given_up["user_id"], given_up["log_level"]) == ("poison", str(ana), "error")


async def test_whoever_ends_while_telling_has_used_up_a_try_and_it_is_told_again(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await somebody(empty, "news")
    listener, now = Listener(), utc_now()

    async def ends(*_: object) -> None:
        raise KeyboardInterrupt

    for after in (False, True):
        with monkeypatch.context() as patch:
            if after:
                patch.setattr(listener, "deliver", ends)
            else:
                patch.setattr(Delivery, "_told", ends)
            with pytest.raises(KeyboardInterrupt):
                await Delivery(empty, listener).deliver(now)
        assert listener.heard[ana] == []
    await everything(Delivery(empty, listener), now)
    assert listener.heard[ana] == ["news"]
    assert await state(empty, ana) == [("news", 3, True, False)]


async def test_who_takes_too_long_is_not_waited_for(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    ana = await somebody(empty, "slow")
    monkeypatch.setattr(delivery, "HAND_OVER_TIMEOUT_S", 0.01)
    listener = Listener()

    async def slow(_: News) -> None:
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(listener, "deliver", slow)
        await Delivery(empty, listener).deliver(utc_now())
    assert await state(empty, ana) == [("slow", 1, False, False)]


async def test_the_planted_fault_is_seen_without_the_order_news_overtakes(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await somebody(empty, "refused", "second")
    waiting = str(delivery._WAITING).replace("earlier.position < one.position", "false")
    monkeypatch.setattr(delivery, "_WAITING", text(waiting))
    listener = Listener("refused")
    await everything(Delivery(empty, listener))
    assert listener.heard[ana] == ["second"]


async def test_the_log_names_the_news(empty: Database) -> None:
    ana = await somebody(empty, "operation.executed")
    with capture_logs() as logs:
        await everything(Delivery(empty, LogSink()))
    (line,) = [one for one in logs if one.get("user_id") == str(ana)]
    assert (line["event"], line["topic"], line["payload"]) == (
        *("news", "operation.executed", {"id": "operation.executed"}),
    )


async def test_news_is_seen_in_the_workers_scope_alone(empty: Database) -> None:
    await somebody(empty, "news")
    async with empty.transaction(scope=Scope.IDENTITY) as session:
        assert await session.scalar(text("SELECT count(*) FROM outbox")) == 0
