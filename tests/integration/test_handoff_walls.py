"""What PostgreSQL lets an agent see and write, whatever the code asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from asyncpg import InsufficientPrivilegeError
from sqlalchemy import insert, text, update
from sqlalchemy.exc import DBAPIError

from llm_banking.dialogue.models import ChatMessage, Handoff
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, Scope, limit_sight
from llm_banking.kit.embedded import LOGIN_ROLE
from llm_banking.kit.outbox import OutboxRow
from tests.conftest import ServiceUrls
from tests.integration.test_row_level_security import refusal
from tests.integration.two_people import TABLES, Two, owner_column, two_people


@pytest.fixture
async def two(database: Database) -> AsyncIterator[Two]:
    """Two people; `ours` plays the agent, `theirs` is the customer."""
    async with database.engine.connect() as connection:
        transaction = await connection.begin()
        yield await two_people(connection)
        await transaction.rollback()


@pytest.fixture
async def owner(service_urls: ServiceUrls) -> AsyncIterator[Database]:
    """The database as who owns its tables."""
    found = Database(service_urls.database_owner, max_pool_size=1)
    yield found
    await found.close()


async def is_now(two: Two, status: str, taken_by: UUID | None) -> None:
    """Their handoff is like this, and the agent is at work."""
    await limit_sight(two.connection, scopes=[Scope.SYSTEM])
    values = {
        "status": status,
        "taken_by": taken_by,
        "taken_at": utc_now() if taken_by else None,
        "closed_at": utc_now() if status == "closed" else None,
    }
    await two.connection.execute(update(Handoff).where(Handoff.user_id == two.theirs.id).values(values))
    await two.see_as(two.ours, scopes=[Scope.AGENT])


async def seen(two: Two) -> set[str]:
    """The tables in which the agent sees rows of the customer."""
    return {table for table in TABLES if two.theirs.rows()[table][owner_column(table)] in await two.owners(table)}


async def test_an_agent_sees_of_who_waits_the_handoff_alone(two: Two) -> None:
    await is_now(two, "waiting", None)
    assert await seen(two) == {"handoffs"}


async def test_an_agent_sees_the_conversation_that_this_agent_took_and_no_more(two: Two) -> None:
    await is_now(two, "taken", two.ours.id)
    assert await seen(two) == {"handoffs", "chat_sessions", "chat_messages", "model_metrics"}


@pytest.mark.parametrize("status", ["taken", "closed"])
async def test_what_another_took_is_not_there(two: Two, status: str) -> None:
    await is_now(two, status, two.theirs.id)
    assert await seen(two) == set()


async def test_of_a_closed_one_an_agent_sees_that_it_was(two: Two) -> None:
    await is_now(two, "closed", two.ours.id)
    assert await seen(two) == {"handoffs"}


@pytest.mark.parametrize("scopes", [[], [Scope.IDENTITY]])
async def test_without_the_scope_nobody_sees_a_queue(two: Two, scopes: list[Scope]) -> None:
    await is_now(two, "waiting", None)
    await two.see_as(two.ours, scopes=scopes)
    assert "handoffs" not in await seen(two)


def words(two: Two, role: str, author: UUID | None) -> dict[str, Any]:
    return {
        "id": uuid4(),
        "session_id": two.theirs.session_id,
        "role": role,
        "author_id": author,
        "content": "words",
        "suggested_next_steps": [],
        "created_at": utc_now(),
    }


async def refused(two: Two, table: Any, row: dict[str, Any]) -> None:
    with pytest.raises(DBAPIError) as error:
        async with two.connection.begin_nested():
            await two.connection.execute(insert(table), row)
    assert isinstance(error.value.orig, BaseException)
    assert isinstance(error.value.orig.__cause__, InsufficientPrivilegeError)


async def test_an_agent_speaks_as_an_agent_where_this_agent_is(two: Two) -> None:
    await is_now(two, "taken", two.ours.id)
    await two.connection.execute(insert(ChatMessage), words(two, "agent", two.ours.id))
    for row in (words(two, "user", None), words(two, "assistant", None), words(two, "agent", two.theirs.id)):
        await refused(two, ChatMessage, row)
    for status, agent in (("waiting", None), ("taken", two.theirs.id), ("closed", two.ours.id)):
        await is_now(two, status, agent)
        await refused(two, ChatMessage, words(two, "agent", two.ours.id))


async def test_a_customer_does_not_speak_as_an_agent(two: Two) -> None:
    await two.see_as(two.theirs)
    await refused(two, ChatMessage, words(two, "agent", two.theirs.id))


async def test_an_agent_changes_nothing_of_a_conversation_but_its_count(two: Two) -> None:
    await is_now(two, "taken", two.ours.id)
    await two.connection.execute(text("UPDATE chat_sessions SET message_count = message_count + 1"))
    for change in ("tracker = '{\"turn\": 1}'", "title = 'another'"):
        said = await refusal(two.connection, f"UPDATE chat_sessions SET {change}")  # noqa: S608 - ours
        assert "an agent adds messages" in said
    assert "permission denied" in await refusal(two.connection, "UPDATE chat_sessions SET user_id = user_id")


async def test_an_agent_takes_for_oneself_and_what_waits_alone(two: Two) -> None:
    take = "UPDATE handoffs SET status = 'taken', taken_by = :agent, taken_at = now(), closed_at = NULL"
    await is_now(two, "waiting", None)
    assert "row-level security" in await refusal(two.connection, take, agent=two.theirs.id)
    for status, agent in (("taken", two.theirs.id), ("closed", two.ours.id), ("closed", two.theirs.id)):
        await is_now(two, status, agent)
        both = {"agent": two.ours.id, "user": two.theirs.id}
        done = await two.connection.execute(text(f"{take} WHERE user_id = :user"), both)
        assert done.rowcount == 0, (status, agent)
    for column in ("summary = ''", "reason = 'policy'", "user_id = user_id", "session_id = session_id"):
        assert "permission denied" in await refusal(two.connection, f"UPDATE handoffs SET {column}")  # noqa: S608 - ours
    assert "permission denied" in await refusal(two.connection, "DELETE FROM handoffs")


async def test_an_agent_tells_news_of_handoffs_and_no_other(two: Two) -> None:
    def news(topic: str) -> dict[str, Any]:
        return {"id": uuid4(), "user_id": two.theirs.id, "topic": topic, "payload": {}, "created_at": utc_now()}

    await is_now(two, "taken", two.ours.id)
    await two.connection.execute(insert(OutboxRow), news("handoff.replied"))
    await refused(two, OutboxRow, news("operation.executed"))
    await is_now(two, "waiting", None)
    await refused(two, OutboxRow, news("handoff.replied"))


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("DROP POLICY agents_speak_as_agents ON chat_messages", test_an_agent_speaks_as_an_agent_where_this_agent_is),
        (
            "ALTER POLICY agents_see_what_they_took ON chat_sessions USING (has_scope('agent'))",
            test_an_agent_sees_of_who_waits_the_handoff_alone,
        ),
        (
            "DROP TRIGGER agents_only_count ON chat_sessions",
            test_an_agent_changes_nothing_of_a_conversation_but_its_count,
        ),
    ],
    ids=["an agent speaks as a customer", "an agent reads any conversation", "an agent writes what a yes means"],
)
async def test_these_tests_see_a_wall_that_is_missing(
    owner: Database, fault: str, check: Callable[[Two], Awaitable[None]]
) -> None:
    async with owner.engine.connect() as connection:
        transaction = await connection.begin()
        await connection.execute(text(fault))
        await connection.execute(text(f"SET LOCAL ROLE {LOGIN_ROLE}"))
        two = await two_people(connection)
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            await check(two)
        await transaction.rollback()
