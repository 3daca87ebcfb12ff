from __future__ import annotations

from uuid import UUID, uuid4

from httpx import AsyncClient
from sqlalchemy import func, select

from llm_banking.dialogue.models import ChatMessage, ModelMetrics
from llm_banking.kit.database import Database, Scope


async def start(client: AsyncClient, message: str = "hello", user_id: str = "CUST003") -> str:
    response = await client.post("/api/v2/chat", json={"message": message, "user_id": user_id})
    return response.json()["data"]["session_id"]


async def test_a_conversation_can_be_listed_read_renamed_and_deleted(client: AsyncClient, database: Database) -> None:
    session_id = await start(client)
    listed = (await client.get("/api/v2/sessions", params={"user_id": "CUST003"})).json()["data"]["items"]
    assert listed[0]["id"] == session_id
    assert listed[0]["message_count"] == 2
    messages = (await client.get(f"/api/v2/sessions/{session_id}/messages")).json()["data"]["items"]
    assert [one["role"] for one in messages] == ["user", "assistant"]
    assert messages[1]["suggested_next_steps"]
    renamed = await client.patch(f"/api/v2/sessions/{session_id}", json={"title": "About my card"})
    assert renamed.json()["data"]["title"] == "About my card"
    assert (await client.get(f"/api/v2/sessions/{session_id}")).json()["data"]["title"] == "About my card"
    assert (await client.delete(f"/api/v2/sessions/{session_id}")).json()["data"]["deleted"] is True
    assert (await client.get(f"/api/v2/sessions/{session_id}")).status_code == 404
    async with database.transaction(scope=Scope.SYSTEM) as session:
        left = select(func.count()).select_from(ChatMessage).where(ChatMessage.session_id == UUID(session_id))
        assert await session.scalar(left) == 0
        orphans = select(func.count()).select_from(ModelMetrics).where(ModelMetrics.query_id == UUID(messages[1]["id"]))
        assert await session.scalar(orphans) == 0


async def test_pages_cover_every_row_once(client: AsyncClient) -> None:
    made = [await start(client, f"hello number {n}", "CUST002") for n in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        params = {"limit": "2", "user_id": "CUST002", **({"cursor": cursor} if cursor else {})}
        page = (await client.get("/api/v2/sessions", params=params)).json()["data"]
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert [one for one in seen if one in made] == made[::-1]


async def test_message_pages_keep_the_order(client: AsyncClient) -> None:
    session_id = await start(client)
    for text in ("what is the exchange rate", "thanks"):
        await client.post("/api/v2/chat", json={"message": text, "session_id": session_id})
    whole = (await client.get(f"/api/v2/sessions/{session_id}/messages")).json()["data"]["items"]
    assert len(whole) == 6
    first = (await client.get(f"/api/v2/sessions/{session_id}/messages", params={"limit": 4})).json()["data"]
    rest = (
        await client.get(f"/api/v2/sessions/{session_id}/messages", params={"limit": 4, "cursor": first["next_cursor"]})
    ).json()["data"]
    assert first["items"] + rest["items"] == whole
    assert rest["next_cursor"] is None


async def test_bad_pages_and_unknown_conversations_are_clear_errors(client: AsyncClient) -> None:
    for path, status, code in (
        (f"/api/v2/sessions/{uuid4()}", 404, "NOT_FOUND"),
        (f"/api/v2/sessions/{uuid4()}/messages", 404, "NOT_FOUND"),
        ("/api/v2/sessions/7", 422, "INVALID_REQUEST"),
        ("/api/v2/sessions?limit=0", 422, "INVALID_REQUEST"),
        ("/api/v2/sessions?limit=1000", 422, "INVALID_REQUEST"),
        ("/api/v2/sessions?cursor=abc", 422, "INVALID_REQUEST"),
        ("/api/v2/sessions?cursor=OTk5OTl8Nw==", 422, "INVALID_REQUEST"),
        ("/api/v2/sessions?user_id=CUST999", 403, "FORBIDDEN"),
    ):
        response = await client.get(path)
        assert (response.status_code, response.json()["error"]["code"]) == (status, code), path
    for body in ({"title": ""}, {"title": "a" * 101}, {"title": "a\u0007"}, {}):
        response = await client.patch(f"/api/v2/sessions/{uuid4()}", json=body)
        assert response.status_code == 422, body
    assert (await client.delete(f"/api/v2/sessions/{uuid4()}")).status_code == 404
