from __future__ import annotations

from uuid import UUID, uuid4

from httpx import AsyncClient
from sqlalchemy import select

from llm_banking.dialogue.models import ModelMetrics
from llm_banking.kit.database import Database, Scope


async def test_a_rating_is_kept_with_the_metrics_and_a_later_one_replaces_it(
    client: AsyncClient, database: Database
) -> None:
    data = (await client.post("/api/v2/chat", json={"message": "hello"})).json()["data"]
    path = f"/api/v2/messages/{data['message_id']}/feedback"
    for body in ({"rating": -1, "comment": "not what I asked"}, {"rating": 1}):
        response = await client.post(path, json=body)
        assert response.status_code == 200
        assert response.json()["data"] == {"message_id": data["message_id"], "rating": body["rating"]}
        async with database.transaction(scope=Scope.SYSTEM) as session:
            kept = (
                await session.scalars(select(ModelMetrics).where(ModelMetrics.query_id == UUID(data["message_id"])))
            ).one()
        assert (kept.user_feedback, kept.user_comment) == (body["rating"], body.get("comment"))


async def test_bad_ratings_and_unknown_replies_are_clear_errors(client: AsyncClient) -> None:
    path = f"/api/v2/messages/{uuid4()}/feedback"
    assert (await client.post(path, json={"rating": 1})).status_code == 404
    for body in ({"rating": 0}, {"rating": "1"}, {"rating": True}, {}, {"rating": 1, "comment": ""}):
        response = await client.post(path, json=body)
        assert response.status_code == 422, body
