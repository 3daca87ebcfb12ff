from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

MESSAGE = "What is my account balance?"
BODIES = {
    "/api/v2/chat": {"message": MESSAGE, "user_id": "CUST001"},
    "/api/v1/chat": {"message": MESSAGE, "customer_id": "CUST001"},
}


@pytest.fixture
def full(app: FastAPI) -> Iterator[None]:
    """As many texts wait to be read as may."""
    readings = app.state.services.readings
    readings._inside += readings._most
    yield
    readings._inside -= readings._most


@pytest.mark.usefixtures("full")
@pytest.mark.parametrize("path", list(BODIES))
async def test_a_message_that_finds_no_room_is_told_to_come_again(client: AsyncClient, path: str) -> None:
    response = await client.post(path, json=BODIES[path])
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
    assert "INTENT_CLASSIFICATION_FAILED" in response.text
    assert MESSAGE not in response.text


@pytest.mark.usefixtures("full")
async def test_what_reads_no_text_answers_meanwhile(client: AsyncClient) -> None:
    assert (await client.get("/api/v2/intents")).status_code == 200
    assert (await client.get("/health")).status_code == 200


async def test_there_is_room_again_afterwards(client: AsyncClient) -> None:
    assert (await client.post("/api/v2/chat", json=BODIES["/api/v2/chat"])).status_code == 200
