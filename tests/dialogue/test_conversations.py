"""The conversations of tests/conversations, each against a real database and the shipped model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from httpx import AsyncClient
from pydantic import BaseModel, ConfigDict

FOLDER = Path(__file__).parents[1] / "conversations"


class Turn(BaseModel):
    """What is said, and what must and must not come back."""

    model_config = ConfigDict(extra="forbid")

    says: str
    intent: str | None = None
    contains: list[str] = []
    lacks: list[str] = []
    cites: str | None = None
    asks_back: bool = False
    in_order: list[str] = []
    requests: list[str] | None = None


class Conversation(BaseModel):
    """Turns of one customer, or of a guest."""

    model_config = ConfigDict(extra="forbid")

    title: str
    customer: str | None = None
    turns: list[Turn]


def problems(turn: Turn, data: dict[str, Any]) -> list[str]:
    """How a reply differs from what the turn asks for."""
    found = []
    if turn.intent is not None and data["intent"] != turn.intent:
        found.append(f"intent is {data['intent']}")
    found += [f"lacks {text!r}" for text in turn.contains if text not in data["response"]]
    found += [f"contains {text!r}" for text in turn.lacks if text in data["response"]]
    if turn.cites is not None and turn.cites not in [one["id"] for one in data["citations"]]:
        found.append(f"cites {data['citations']}")
    if turn.asks_back and "Which do you mean" not in data["response"]:
        found.append("does not ask back")
    places = [data["response"].find(text) for text in turn.in_order]
    if places != sorted(places) or -1 in places:
        found.append(f"{turn.in_order} stand at {places}")
    if turn.requests is not None:
        requests = [one["intent"] for one in data["metadata"]["requests"]]
        found += [f"requests are {requests}"] if requests != turn.requests else []
    return found


def conversations() -> Iterator[Any]:
    """Every written conversation, checked for its form."""
    for path in sorted(FOLDER.rglob("*.yml")):
        parsed = Conversation.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        yield pytest.param(parsed, id=f"{path.parent.name}/{path.stem}")


@pytest.mark.parametrize("conversation", list(conversations()))
async def test_a_conversation_goes_as_written(client: AsyncClient, conversation: Conversation) -> None:
    session_id: str | None = None
    for number, turn in enumerate(conversation.turns, start=1):
        body = {"message": turn.says}
        if conversation.customer:
            body["user_id"] = conversation.customer
        if session_id:
            body["session_id"] = session_id
        response = await client.post("/api/v2/chat", json=body)
        assert response.status_code == 200, response.text
        data = response.json()["data"]
        session_id = data["session_id"]
        assert problems(turn, data) == [], f"turn {number}: {turn.says!r}: {data['response']!r}"


def test_the_runner_sees_each_kind_of_difference() -> None:
    data: dict[str, Any] = {"intent": "greeting", "response": "Hello, $5.", "citations": [{"id": "greeting"}]}
    turn = Turn(says="x", intent="thanks", contains=["Bye"], lacks=["$"], cites="thanks", asks_back=True)
    assert len(problems(turn, data)) == 5
    data["metadata"] = {"requests": [{"intent": "greeting"}]}
    assert len(problems(Turn(says="x", in_order=["$5", "Hello"], requests=["thanks"]), data)) == 2
    assert problems(Turn(says="x", in_order=["Hello", "$5"], requests=["greeting"]), data) == []
    assert problems(Turn(says="x", intent="greeting", contains=["$5"], cites="greeting"), data) == []
