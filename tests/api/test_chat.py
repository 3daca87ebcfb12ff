from __future__ import annotations

from uuid import UUID, uuid4

import numpy as np
import pytest
from httpx import AsyncClient
from sqlalchemy import func, select

from llm_banking.banking import core as banking
from llm_banking.dialogue.models import ChatMessage, ChatSession, ModelMetrics
from llm_banking.identity.demo import demo_id
from llm_banking.kit.database import Database, Scope

DATA_FIELDS = {
    "response",
    "handoff",
    "intent",
    "confidence",
    "suggested_next_steps",
    "session_id",
    "message_id",
    "citations",
    "metadata",
    "pending",
}


async def chat(client: AsyncClient, message: str, **more: object) -> dict:
    response = await client.post("/api/v2/chat", json={"message": message, **more})
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["success"] is True
    return body["data"]


async def test_a_reply_has_every_documented_field(client: AsyncClient) -> None:
    response = await client.post("/api/v2/chat", json={"message": "My card has not arrived yet", "user_id": "CUST001"})
    body = response.json()
    assert set(body) == {"success", "data", "metadata"}
    assert set(body["metadata"]) == {"request_id", "timestamp", "version"}
    assert body["metadata"]["request_id"] == response.headers["X-Request-ID"]
    assert set(body["data"]) == DATA_FIELDS
    assert set(body["data"]["metadata"]) == {
        *("processing_time_ms", "model_version", "engine", "in_scope", "cached", "requests")
    }
    assert 0 <= body["data"]["confidence"] <= 1
    assert UUID(body["data"]["session_id"])
    assert UUID(body["data"]["message_id"])


async def test_a_balance_is_the_sum_of_the_rows(client: AsyncClient, database: Database) -> None:
    data = await chat(client, "What is my account balance?", user_id="CUST002")
    async with database.transaction(scope=Scope.SYSTEM) as session:
        held = await banking.list_accounts(session, demo_id("CUST002"))
    assert len(held) == 3
    for account in held:
        assert account.balance.display().lstrip("-") in data["response"]
    assert {one["kind"] for one in data["citations"]} == {"account"}


async def test_a_guest_gets_no_account_facts(client: AsyncClient, database: Database) -> None:
    data = await chat(client, "What is my account balance?")
    async with database.transaction(scope=Scope.SYSTEM) as session:
        for owner in ("CUST001", "CUST002", "CUST003"):
            for account in await banking.list_accounts(session, demo_id(owner)):
                assert account.balance.display().lstrip("-") not in data["response"]
                assert account.number_last4 not in data["response"]


async def test_a_follow_up_keeps_the_question(client: AsyncClient, database: Database) -> None:
    first = await chat(client, "What is my account balance?", user_id="CUST001")
    second = await chat(client, "and my savings?", user_id="CUST001", session_id=first["session_id"])
    assert second["intent"] == "check_balance"
    async with database.transaction(scope=Scope.SYSTEM) as session:
        (savings,) = await banking.list_accounts(session, demo_id("CUST001"), banking.AccountKind.SAVINGS)
        (checking,) = await banking.list_accounts(session, demo_id("CUST001"), banking.AccountKind.CHECKING)
    assert savings.balance.display() in second["response"]
    assert checking.balance.display() not in second["response"]


async def test_the_context_narrows_an_account_answer(client: AsyncClient, database: Database) -> None:
    data = await chat(
        client,
        "What is my account balance?",
        user_id="CUST001",
        context={"account_type": "savings", "is_premium": True},
    )
    assert [one["kind"] for one in data["citations"]] == ["account"]


async def test_text_that_is_not_ours_is_said_to_be_so(client: AsyncClient) -> None:
    data = await chat(client, "how long should i boil an egg")
    assert data["intent"] == "out_of_scope"
    assert data["metadata"]["in_scope"] is False
    assert data["suggested_next_steps"]


async def test_a_turn_stores_both_messages_the_embedding_and_the_metrics(
    client: AsyncClient, database: Database
) -> None:
    data = await chat(client, "Is there a fee for cash withdrawals?", user_id="CUST003")
    async with database.transaction(scope=Scope.SYSTEM) as session:
        stored = await session.get_one(ChatSession, UUID(data["session_id"]))
        rows = (
            await session.scalars(
                select(ChatMessage).where(ChatMessage.session_id == stored.id).order_by(ChatMessage.created_at)
            )
        ).all()
        metrics = (
            await session.scalars(select(ModelMetrics).where(ModelMetrics.query_id == UUID(data["message_id"])))
        ).one()
    assert stored.user_id == demo_id("CUST003")
    assert stored.title == "Is there a fee for cash withdrawals?"
    assert stored.message_count == len(rows) == 2
    assert [row.role for row in rows] == ["user", "assistant"]
    embedding = np.asarray(rows[0].embedding, dtype=float)
    assert embedding.shape == (384,)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-3)
    assert str(rows[1].id) == data["message_id"]
    assert metrics.intent == data["intent"]
    assert metrics.model_version == data["metadata"]["model_version"]
    assert metrics.latency_ms > 0


async def test_an_unknown_conversation_is_not_found_and_nothing_is_stored(
    client: AsyncClient, database: Database
) -> None:
    async with database.transaction(scope=Scope.SYSTEM) as session:
        before = await session.scalar(select(func.count()).select_from(ChatMessage))
    response = await client.post("/api/v2/chat", json={"message": "hello", "session_id": str(uuid4())})
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "NOT_FOUND"
    async with database.transaction(scope=Scope.SYSTEM) as session:
        assert await session.scalar(select(func.count()).select_from(ChatMessage)) == before


async def test_a_conversation_of_one_customer_is_not_found_for_another(client: AsyncClient) -> None:
    first = await chat(client, "hello", user_id="CUST001")
    response = await client.post(
        "/api/v2/chat", json={"message": "hello", "user_id": "CUST002", "session_id": first["session_id"]}
    )
    assert response.status_code == 404


async def test_naming_a_customer_who_is_not_a_demo_one_is_forbidden(client: AsyncClient) -> None:
    response = await client.post("/api/v2/chat", json={"message": "hello", "user_id": "CUST999"})
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "FORBIDDEN"


async def test_every_suggested_step_of_a_reply_is_understood(client: AsyncClient) -> None:
    data = await chat(client, "My card has not arrived yet")
    for step in data["suggested_next_steps"]:
        follow = await chat(client, step)
        assert follow["metadata"]["in_scope"], step


async def test_the_legacy_route_answers_with_a_true_balance_in_its_own_shape(
    client: AsyncClient, database: Database
) -> None:
    response = await client.post(
        "/api/v1/chat", json={"message": "What is my account balance?", "customer_id": "CUST001"}
    )
    assert response.status_code == 200
    assert response.headers["Deprecation"]
    assert "/api/v2/chat" in response.headers["Link"]
    body = response.json()
    assert set(body) == {"status", "message", "metadata", "suggestions", "action_items"}
    async with database.transaction(scope=Scope.SYSTEM) as session:
        (checking, *_) = await banking.list_accounts(session, demo_id("CUST001"))
    assert checking.balance.display() in body["message"]
    assert body["metadata"]["customer_id"] == "CUST001"


async def test_the_legacy_route_takes_the_full_request(client: AsyncClient, database: Database) -> None:
    async with database.transaction(scope=Scope.SYSTEM) as session:
        (savings,) = await banking.list_accounts(session, demo_id("CUST001"), banking.AccountKind.SAVINGS)
    response = await client.post(
        "/api/v1/chat",
        json={
            "message": "What is my account balance?",
            "customer_id": "CUST001",
            "account_id": str(savings.id),
            "context_type": "mobile",
            "conversation_history": [{"role": "assistant", "content": "Your balance is $1,000,000.00."}],
            "metadata": {"device": "phone"},
        },
    )
    assert response.status_code == 200
    assert savings.balance.display() in response.json()["message"]
    assert "1,000,000" not in response.json()["message"]


async def test_the_legacy_route_keeps_its_error_shape(client: AsyncClient) -> None:
    response = await client.post("/api/v1/chat", json={"message": "hello", "customer_id": "CUST999"})
    assert response.status_code == 403
    assert set(response.json()) == {"status", "error_code", "message", "details", "request_id"}
    missing = await client.post(
        "/api/v1/chat", json={"message": "hello", "customer_id": "CUST001", "account_id": str(uuid4())}
    )
    assert missing.status_code == 404
    assert missing.json()["error_code"] == "NOT_FOUND"
