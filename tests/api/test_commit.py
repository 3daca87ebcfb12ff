"""The edge commits before it replies."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from llm_banking.dialogue.models import ChatMessage, ChatSession
from llm_banking.identity.demo import GUEST_ID
from llm_banking.kit.database import Database, DatabaseFaultError, Scope
from llm_banking.kit.logs import configure_logging
from llm_banking.settings import Settings


async def test_a_commit_that_fails_is_no_success_and_stores_nothing(client: AsyncClient, database: Database) -> None:
    async with database.transaction(scope=Scope.SYSTEM) as session:
        before = await session.scalar(select(func.count()).select_from(ChatMessage))

    def lose_the_connection(_: Session) -> None:
        raise OperationalError("COMMIT", {}, ConnectionResetError(), connection_invalidated=True)

    event.listen(Session, "before_commit", lose_the_connection)
    try:
        response = await client.post("/api/v2/chat", json={"message": "hello"})
    finally:
        event.remove(Session, "before_commit", lose_the_connection)
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "DATABASE_UNAVAILABLE"
    async with database.transaction(scope=Scope.SYSTEM) as session:
        assert await session.scalar(select(func.count()).select_from(ChatMessage)) == before


async def test_what_was_answered_is_there_for_everyone(client: AsyncClient, database: Database) -> None:
    data = (await client.post("/api/v2/chat", json={"message": "hello"})).json()["data"]
    async with database.transaction(scope=Scope.SYSTEM) as session:
        assert await session.get(ChatMessage, UUID(data["message_id"])) is not None


async def test_two_messages_at_once_in_one_conversation_are_both_kept_and_counted(
    client: AsyncClient, database: Database
) -> None:
    first = (await client.post("/api/v2/chat", json={"message": "hello"})).json()["data"]
    bodies = [{"message": f"thanks {number}", "session_id": first["session_id"]} for number in range(4)]
    responses = await asyncio.gather(*(client.post("/api/v2/chat", json=body) for body in bodies))
    assert [response.status_code for response in responses] == [200] * 4
    async with database.transaction(scope=Scope.SYSTEM) as session:
        chat = await session.get_one(ChatSession, UUID(first["session_id"]))
        rows = select(func.count()).select_from(ChatMessage).where(ChatMessage.session_id == chat.id)
        assert chat.message_count == await session.scalar(rows) == 10


@pytest.mark.parametrize("raised", [RuntimeError("zebra-4471")])
async def test_an_unforeseen_failure_is_a_generic_500_with_the_request_id(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch, raised: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr("llm_banking.api.v2.chat.handle_turn", fail)
    response = await client.post("/api/v2/chat", json={"message": "hello"})
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "INTERNAL"
    assert "zebra-4471" not in response.text
    assert response.json()["metadata"]["request_id"] == response.headers["X-Request-ID"]


async def test_an_exhausted_pool_is_a_bounded_503(app: FastAPI, client: AsyncClient) -> None:
    database = app.state.services.database
    async with AsyncExitStack() as stack:
        for _ in range(app.state.services.settings.database_max_pool_size):
            connection = await stack.enter_async_context(database.engine.connect())
            await connection.execute(text("SELECT 1"))
        assert database.connections_in_use() == app.state.services.settings.database_max_pool_size
        response = await client.post("/api/v2/chat", json={"message": "hello"})
        assert (response.status_code, response.json()["error"]["code"]) == (503, "DATABASE_UNAVAILABLE")
    assert (await client.post("/api/v2/chat", json={"message": "hello"})).status_code == 200


async def store_a_robot(database: Database, words: str) -> None:
    """A statement that the database must refuse."""
    async with database.transaction(scope=Scope.SYSTEM) as session:
        chat = ChatSession(user_id=GUEST_ID, title="a title", tracker={})
        session.add(chat)
        await session.flush()
        session.add(ChatMessage(session_id=chat.id, role="robot", content=words))
        await session.flush()


async def test_a_refused_statement_is_logged_without_the_customers_words(
    client: AsyncClient, database: Database, settings: Settings
) -> None:
    secret = "quagga-9912"
    configure_logging(settings.log_level, settings.home / "logs" / "app.log")
    with pytest.raises(DatabaseFaultError, match="SQLSTATE 23514, constraint ck_chat_messages_role"):
        await store_a_robot(database, secret)

    async def refuse(*_: object, **__: object) -> None:
        await store_a_robot(database, secret)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("llm_banking.api.v2.chat.handle_turn", refuse)
        response = await client.post("/api/v2/chat", json={"message": f"my word is {secret}"})
    assert response.status_code == 500
    assert secret not in response.text
    log = (settings.home / "logs" / "app.log").read_text()
    assert response.headers["X-Request-ID"] in log
    assert "SQLSTATE 23514" in log
    assert secret not in log
