"""The agents' desk over HTTP, and what the customer sees of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response
from sqlalchemy import func, select

from llm_banking.dialogue import agent_desk
from llm_banking.dialogue.models import ChatMessage, ChatSession, Handoff
from llm_banking.dialogue.tracker import Tracker
from llm_banking.kit.database import Database, Scope
from llm_banking.kit.outbox import OutboxRow
from tests.conversations.stage import Player, Stage, playing

ASKS = "I want to talk to a human"
KNOWN = "destination Alice Johnson, amount $50.00, source Everyday Checking ending in 4144"
CARD = "4111 1111 1111 1111"


@pytest.fixture
async def stage(app: FastAPI, client: AsyncClient, database: Database) -> AsyncIterator[Stage]:
    with playing(app, client, database) as found:
        yield found


@dataclass
class Agent:
    """An agent who signed in."""

    stage: Stage
    headers: dict[str, str]

    async def queue(self, **query: Any) -> dict[str, Any]:
        response = await self.stage.client.get("/api/v2/agent/queue", params=query, headers=self.headers)
        assert response.status_code == 200, response.text
        data: dict[str, Any] = response.json()["data"]
        return data

    async def do(self, handoff_id: str, what: str, body: dict[str, Any] | None = None) -> Response:
        path = f"/api/v2/agent/handoffs/{handoff_id}/{what}"
        return await self.stage.client.post(path, json=body, headers=self.headers)

    async def read(self, handoff_id: str) -> Response:
        return await self.stage.client.get(f"/api/v2/agent/handoffs/{handoff_id}", headers=self.headers)


async def an_agent(stage: Stage) -> Agent:
    return Agent(stage, await stage.agent())


@dataclass
class Talk:
    """A conversation of a customer."""

    player: Player
    session_id: str | None = None
    handoff_id: str = ""
    replies: list[dict[str, Any]] = field(default_factory=list)

    async def says(self, text: str) -> dict[str, Any]:
        body = {"message": text, **({"session_id": self.session_id} if self.session_id else {})}
        client, headers = self.player.stage.client, self.player.headers
        self.player.stage.clock.advance(seconds=1)
        response = await client.post("/api/v2/chat", json=body, headers=headers)
        assert response.status_code == 200, response.text
        data: dict[str, Any] = response.json()["data"]
        self.session_id = data["session_id"]
        self.handoff_id = data["handoff"]["id"] if data["handoff"] else self.handoff_id
        return data

    async def session(self) -> dict[str, Any]:
        path = f"/api/v2/sessions/{self.session_id}"
        data: dict[str, Any] = (await self.player.stage.client.get(path, headers=self.player.headers)).json()["data"]
        return data

    async def messages(self) -> list[tuple[str, str]]:
        path = f"/api/v2/sessions/{self.session_id}/messages"
        read = await self.player.stage.client.get(path, params={"limit": 100}, headers=self.player.headers)
        return [(one["role"], one["content"]) for one in read.json()["data"]["items"]]

    async def leave(self) -> Response:
        path = f"/api/v2/sessions/{self.session_id}/hand-back"
        return await self.player.stage.client.post(path, headers=self.player.headers)


async def handed_over(stage: Stage, *before: str) -> Talk:
    talk = Talk(await stage.customer())
    for text in (*before, ASKS):
        await talk.says(text)
    return talk


def code(response: Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


async def news_of(stage: Stage, talk: Talk) -> list[tuple[str, dict[str, Any]]]:
    async with stage.database.transaction(visible_to={talk.player.id}) as session:
        rows = await session.scalars(
            select(OutboxRow).where(OutboxRow.user_id == talk.player.id, OutboxRow.topic.like("handoff.%"))
        )
        return [(one.topic, one.payload) for one in sorted(rows, key=lambda one: one.id)]


async def rows_and_count(stage: Stage, talk: Talk) -> tuple[int, int]:
    assert talk.session_id is not None
    async with stage.database.transaction(visible_to={talk.player.id}) as session:
        query = select(func.count()).select_from(ChatMessage).where(ChatMessage.session_id == UUID(talk.session_id))
        chat = await session.get_one(ChatSession, UUID(talk.session_id))
        return await session.scalar(query) or 0, chat.message_count


async def test_a_conversation_goes_to_an_agent_and_back(stage: Stage) -> None:
    talk = await handed_over(stage, "send 50 to Alice Johnson from checking")
    agent = await an_agent(stage)
    waiting = [one for one in (await agent.queue(limit=100))["items"] if one["id"] == talk.handoff_id]
    assert [(one["status"], one["reason"], one["taken_at"]) for one in waiting] == [("waiting", "request", None)]
    assert waiting[0]["summary"].splitlines() == [
        "Zoe Quill asked for a person.",
        "Wrote: “send 50 to Alice Johnson from checking”",
        f"Wrote: “{ASKS}”",
        f"Stopped: transfer ({KNOWN}; shown for approval, then voided).",
    ]
    assert (await talk.session())["handoff"] == {"id": talk.handoff_id, "status": "waiting"}
    assert (await agent.do(talk.handoff_id, "take")).json()["data"]["status"] == "taken"
    assert (await talk.session())["handoff"] == {"id": talk.handoff_id, "status": "taken"}
    said = await talk.says("are you there?")
    assert (said["metadata"]["engine"], said["handoff"]["status"]) == ("agent", "taken")
    replied = await agent.do(talk.handoff_id, "reply", {"text": "Hello, this is Gil."})
    assert (replied.status_code, replied.json()["data"]["role"]) == (200, "agent")
    read = (await agent.read(talk.handoff_id)).json()["data"]
    assert [one["role"] for one in read["messages"]["items"]][-3:] == ["user", "assistant", "agent"]
    closed = await agent.do(talk.handoff_id, "hand-back", {"note": "All settled. Good-bye!"})
    assert closed.json()["data"]["status"] == "closed"
    assert (await talk.messages())[-2:] == [("agent", "Hello, this is Gil."), ("agent", "All settled. Good-bye!")]
    assert (await talk.session())["handoff"] is None
    back = await talk.says("what is my balance?")
    assert (back["handoff"], back["metadata"]["engine"]) == (None, "template")
    assert "Everyday Checking" in back["response"]
    rows, counted = await rows_and_count(stage, talk)
    assert rows == counted == (await talk.session())["message_count"]
    ids = {"handoff_id": talk.handoff_id, "session_id": talk.session_id}
    topics = ["handoff.opened", "handoff.taken", "handoff.replied", "handoff.closed"]
    assert await news_of(stage, talk) == [(topic, ids) for topic in topics]


async def test_the_assistant_says_once_that_a_person_answers(stage: Stage) -> None:
    talk = await handed_over(stage)
    first = await talk.says("hello?")
    assert "a person answers you" in first["response"]
    before = await talk.messages()
    second = await talk.says("are you there?")
    assert second["response"] == ""
    assert second["suggested_next_steps"] == ["Back to the assistant"]
    after = await talk.messages()
    assert after == [*before, ("user", "are you there?")]
    assert await rows_and_count(stage, talk) == (len(after), len(after))
    feedback = f"/api/v2/messages/{second['message_id']}/feedback"
    rated = await stage.client.post(feedback, json={"rating": 1}, headers=talk.player.headers)
    assert code(rated) == (404, "NOT_FOUND")


async def test_the_next_step_takes_the_conversation_back(stage: Stage, database: Database) -> None:
    talk = await handed_over(stage, "send 50 to Alice Johnson")
    (step,) = (await talk.says("hm"))["suggested_next_steps"]
    data = await talk.says(step)
    assert (data["handoff"], data["pending"], data["intent"]) == (None, None, "help")
    assert talk.session_id is not None
    async with database.transaction(scope=Scope.SYSTEM) as session:
        tracker = Tracker.model_validate((await session.get_one(ChatSession, UUID(talk.session_id))).tracker)
    assert (tracker.stack, tracker.prompt, tracker.offered, tracker.last_intent) == ((), None, (), None)
    assert [one.what for one in tracker.events][-3:] == ["handed_off", "left_to_person", "taken_back"]


async def test_a_second_handoff_is_announced_anew(stage: Stage) -> None:
    talk = await handed_over(stage)
    first = talk.handoff_id
    await talk.says("hello?")
    assert (await talk.leave()).json()["data"]["handoff"] is None
    await talk.says(ASKS)
    assert talk.handoff_id != first
    assert "a person answers you" in (await talk.says("hello?"))["response"]


async def test_leaving_a_person_who_is_not_there_changes_nothing(stage: Stage) -> None:
    talk = Talk(await stage.customer())
    await talk.says("hello")
    assert (await talk.leave()).status_code == 200
    assert await news_of(stage, talk) == []


async def test_what_another_agent_has_cannot_be_read_answered_or_closed(stage: Stage) -> None:
    talk = await handed_over(stage)
    gil, eve = await an_agent(stage), await an_agent(stage)
    for one in (gil, eve):
        assert code(await one.read(talk.handoff_id)) == (404, "NOT_FOUND"), "waiting: the summary alone, in the queue"
    assert (await gil.do(talk.handoff_id, "take")).status_code == 200
    assert (await gil.do(talk.handoff_id, "take")).status_code == 200, "whoever asks again has it"
    assert code(await eve.do(talk.handoff_id, "take")) == (409, "CONFLICT")
    assert code(await eve.do(str(uuid4()), "take")) == (409, "CONFLICT")
    assert code(await eve.read(talk.handoff_id)) == (404, "NOT_FOUND")
    assert code(await eve.do(talk.handoff_id, "reply", {"text": "Hello"})) == (404, "NOT_FOUND")
    assert code(await eve.do(talk.handoff_id, "hand-back", {})) == (404, "NOT_FOUND")
    assert talk.handoff_id not in str(await eve.queue(limit=100))
    assert talk.handoff_id in str(await gil.queue(limit=100))


async def test_after_it_is_closed_an_agent_reads_and_says_nothing_more(stage: Stage) -> None:
    talk = await handed_over(stage)
    agent = await an_agent(stage)
    await agent.do(talk.handoff_id, "take")
    await talk.leave()
    assert code(await agent.read(talk.handoff_id)) == (404, "NOT_FOUND")
    assert code(await agent.do(talk.handoff_id, "reply", {"text": "Hello"})) == (404, "NOT_FOUND")
    assert code(await agent.do(talk.handoff_id, "take")) == (409, "CONFLICT")
    assert "agent" not in [role for role, _ in await talk.messages()]


async def test_an_agent_reads_no_secrets(stage: Stage) -> None:
    talk = await handed_over(stage, f"my card {CARD} was declined, and my PIN is 4821")
    agent = await an_agent(stage)
    await agent.do(talk.handoff_id, "take")
    page = await agent.read(talk.handoff_id)
    for secret in (CARD, "4821"):
        assert secret not in page.text
    assert "[card ending 1111]" in page.json()["data"]["handoff"]["summary"]
    assert "[card ending 1111]" in page.json()["data"]["messages"]["items"][0]["content"]
    assert (await talk.messages())[0][1].count(CARD) == 1, "the customer reads what the customer wrote"


async def test_customers_and_guests_have_no_desk_and_agents_no_conversations(stage: Stage) -> None:
    talk = await handed_over(stage)
    for headers in (talk.player.headers, {}):
        response = await stage.client.get("/api/v2/agent/queue", headers=headers)
        assert code(response) == (403, "FORBIDDEN")
    agent = await an_agent(stage)
    await agent.do(talk.handoff_id, "take")
    path = f"/api/v2/sessions/{talk.session_id}"
    for reads in (path, f"{path}/messages"):
        assert code(await stage.client.get(reads, headers=agent.headers)) == (404, "NOT_FOUND")
    for method, where, body in (
        ("POST", f"{path}/hand-back", None),
        ("POST", "/api/v2/chat", {"message": "yes", "session_id": talk.session_id}),
        ("GET", "/api/v2/accounts", None),
        ("POST", f"/api/v2/chat/confirmations/{uuid4()}", {"approve": True}),
    ):
        assert code(await stage.client.request(method, where, json=body, headers=agent.headers)) == (403, "FORBIDDEN")


async def test_the_queue_has_pages_and_who_waits_longest_comes_first(stage: Stage) -> None:
    talks = [await handed_over(stage) for _ in range(3)]
    agent, seen, cursor = await an_agent(stage), [], None
    while True:
        page = await agent.queue(limit=2, **({"cursor": cursor} if cursor else {}))
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen))
    assert [one for one in seen if one in {talk.handoff_id for talk in talks}] == [one.handoff_id for one in talks]


async def test_a_deleted_conversation_leaves_the_queue(stage: Stage) -> None:
    talk = await handed_over(stage)
    path = f"/api/v2/sessions/{talk.session_id}"
    assert (await stage.client.delete(path, headers=talk.player.headers)).status_code == 200
    assert talk.handoff_id not in str(await (await an_agent(stage)).queue(limit=100))


async def test_a_program_that_may_only_talk_hands_over_what_its_owner_began(stage: Stage) -> None:
    """Whoever may speak in a conversation can call a person; then nothing in it waits for a yes."""
    talk = Talk(await stage.customer())
    shown = await talk.says("send 50 to Alice Johnson from checking")
    key = {"name": "a key", "scopes": ["chat:write"], "lifetime_days": 1}
    made = await stage.client.post("/api/auth/api-keys", json=key, headers=talk.player.headers)
    assert made.status_code == 201, made.text
    headers = {"X-API-Key": made.json()["data"]["key"]}
    body = {"message": ASKS, "session_id": talk.session_id}
    said = (await stage.client.post("/api/v2/chat", json=body, headers=headers)).json()["data"]
    assert said["handoff"]["status"] == "waiting"
    assert [one.status for one in await talk.player.pending()] == ["voided"]
    assert await talk.player.decide(shown["pending"]["id"], approve=True, factor=False) == 409


async def test_a_customer_has_so_many_conversations_with_the_team_and_no_more(stage: Stage) -> None:
    services = stage.app.state.services
    stage.app.state.services = replace(services, handoff_rules=replace(services.handoff_rules, open_at_most=1))
    first = await handed_over(stage)
    second = Talk(first.player)
    await second.says("send 50 to Alice Johnson from checking")
    refused = await second.says(ASKS)
    assert (refused["handoff"], refused["pending"]) == (None, None)
    assert "several conversations" in refused["response"]
    assert [one.status for one in await first.player.pending()] == ["voided"]
    assert (await second.says("what is my balance?"))["metadata"]["engine"] == "template"
    await first.leave()
    assert (await second.says(ASKS))["handoff"]["status"] == "waiting"


async def test_the_legacy_chat_hands_over_too(stage: Stage, client: AsyncClient) -> None:
    body = {"message": ASKS, "customer_id": "CUST003"}
    first = (await client.post("/api/v1/chat", json=body)).json()
    assert "handing you over" in first["message"]
    session_id = first["metadata"]["session_id"]
    again = {**body, "message": "What is my balance?", "session_id": session_id}
    assert "$" not in (await client.post("/api/v1/chat", json=again)).json()["message"]


async def test_of_agents_who_take_at_once_one_wins(stage: Stage) -> None:
    talk = await handed_over(stage)
    agents = [await an_agent(stage) for _ in range(4)]
    done = await asyncio.gather(*(one.do(talk.handoff_id, "take") for one in agents))
    assert sorted(one.status_code for one in done) == [200, 409, 409, 409]
    assert [topic for topic, _ in await news_of(stage, talk)] == ["handoff.opened", "handoff.taken"]


async def test_who_answers_while_the_customer_leaves_is_heard_or_told(stage: Stage) -> None:
    for _ in range(4):
        talk = await handed_over(stage)
        agent = await an_agent(stage)
        await agent.do(talk.handoff_id, "take")
        replied, left, said = await asyncio.gather(
            agent.do(talk.handoff_id, "reply", {"text": "Hello"}), talk.leave(), talk.says("hello?")
        )
        assert left.status_code == 200
        assert replied.status_code in (200, 404)
        words = await talk.messages()
        assert (("agent", "Hello") in words) == (replied.status_code == 200)
        assert await rows_and_count(stage, talk) == (len(words), len(words))
        assert said["message_id"]


async def test_two_who_call_a_person_at_once_open_one_handoff(stage: Stage) -> None:
    talk = Talk(await stage.customer())
    await talk.says("hello")
    await asyncio.gather(*(talk.says(ASKS) for _ in range(3)))
    assert talk.session_id is not None
    async with stage.database.transaction(visible_to={talk.player.id}) as session:
        query = select(Handoff).where(Handoff.session_id == UUID(talk.session_id))
        assert [one.status for one in await session.scalars(query)] == ["waiting"]
    assert [topic for topic, _ in await news_of(stage, talk)] == ["handoff.opened"]


async def test_an_agent_who_reads_any_conversation_is_found_out_and_the_second_wall_holds(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault: the desk forgets whose hands a conversation is in. PostgreSQL still shows nobody else's."""
    talk = await handed_over(stage)
    gil, eve = await an_agent(stage), await an_agent(stage)

    async def anybodys(session: Any, _: UUID, handoff_id: UUID) -> Handoff:
        found: Handoff = await session.get_one(Handoff, handoff_id)
        return found

    monkeypatch.setattr(agent_desk, "taken_by", anybodys)
    naked = (await eve.read(talk.handoff_id)).json()["data"]
    assert naked["handoff"]["id"] == talk.handoff_id, "the fault lets the summary through that the queue shows anyway"
    assert naked["messages"]["items"] == []
    await gil.do(talk.handoff_id, "take")
    assert (await eve.read(talk.handoff_id)).status_code == 500
