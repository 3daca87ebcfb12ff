"""What a turn keeps to beside its words: who may move money, what a fault leaves, what is asked again."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from sqlalchemy import func, select

from llm_banking.api.limits import RequestLimits
from llm_banking.dialogue.engine import FlowTurn
from llm_banking.dialogue.flow_files import Flows, load_flows
from llm_banking.dialogue.models import ChatSession
from llm_banking.dialogue.service import guest_reply
from llm_banking.dialogue.tracker import MAX_FRAMES, Tracker
from llm_banking.dialogue.wording import SIGN_IN
from llm_banking.identity.demo import demo_id
from llm_banking.identity.tokens import Subject
from llm_banking.kit.database import Database, Scope
from llm_banking.kit.errors import LlmBankingError
from llm_banking.kit.rate_limits import RateLimiter
from llm_banking.knowledge.service import Knowledge
from llm_banking.nlu.reader import Reader
from llm_banking.nlu.taxonomy import BY_NAME
from llm_banking.operations.gate import Gate
from llm_banking.operations.models import BankOperation, PendingOperation
from llm_banking.settings import Settings
from tests.conftest import PATIENT_S
from tests.conversations.stage import Player, Stage, playing
from tests.identity.people import add_session, add_user


@pytest.fixture
async def stage(app: FastAPI, client: AsyncClient, database: Database) -> AsyncIterator[Stage]:
    with playing(app, client, database) as found:
        yield found


async def says(client: AsyncClient, text: str, headers: dict[str, str], **more: Any) -> dict[str, Any]:
    response = await client.post("/api/v2/chat", json={"message": text, **more}, headers=headers)
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def tracker_of(database: Database, session_id: str) -> Tracker:
    async with database.transaction(scope=Scope.SYSTEM) as session:
        return Tracker.model_validate((await session.get_one(ChatSession, UUID(session_id))).tracker)


async def test_the_demo_principal_cannot_go_on_where_a_customer_is(stage: Stage, database: Database) -> None:
    """It may read the demo customers' conversations, and a yes of it is none; nor is one after it spoke."""
    owner = demo_id("CUST001")
    async with database.transaction(scope=Scope.IDENTITY) as session:
        family_id = await add_session(session, owner, stage.clock())
    token = stage.app.state.services.identity.tokens.issue(Subject(owner, "premium", family_id, 0, ("pwd",)))
    headers = {"Authorization": f"Bearer {token}"}
    shown = await says(stage.client, "transfer $20 from checking to savings", headers)
    assert shown["pending"] is not None
    same = {"session_id": shown["session_id"], "user_id": "CUST001"}
    other = await says(stage.client, "yes", {}, **same)
    assert other["pending"] is None
    after = await says(stage.client, "yes", headers, session_id=shown["session_id"])
    assert "Done." not in after["response"]
    async with database.transaction(visible_to={owner}) as session:
        assert await session.scalar(select(func.count()).select_from(BankOperation)) == 0
        statuses = await session.scalars(select(PendingOperation.status).where(PendingOperation.user_id == owner))
        assert set(statuses) == {"pending"}
    await says(stage.client, "never mind", headers, session_id=shown["session_id"])


async def test_what_is_pending_has_every_documented_field(stage: Stage) -> None:
    player = await stage.customer()
    data = await says(stage.client, "send 500 to Alice Johnson from checking", player.headers)
    (row,) = await player.pending()
    assert set(data["pending"]) == {"id", "kind", "summary", "expires_at", "requires"}
    assert (data["pending"]["id"], data["pending"]["requires"]) == (str(row.id), ["totp", "webauthn"])
    assert (data["pending"]["kind"], data["pending"]["summary"]) == (row.kind, row.summary)
    assert (row.session_id, row.message_id) == (UUID(data["session_id"]), UUID(data["message_id"]))


@pytest.mark.parametrize("by", ["yes", "button"])
async def test_what_was_done_names_the_message_that_showed_it(stage: Stage, database: Database, by: str) -> None:
    player = await stage.customer()
    data = await says(stage.client, "move $20 from checking to savings", player.headers)
    if by == "yes":
        await says(stage.client, "yes", player.headers, session_id=data["session_id"])
    else:
        route = f"/api/v2/chat/confirmations/{data['pending']['id']}"
        assert (await stage.client.post(route, json={"approve": True}, headers=player.headers)).status_code == 200
    async with database.transaction(visible_to={player.id}) as session:
        query = select(BankOperation.message_id).where(BankOperation.user_id == player.id)
        assert list(await session.scalars(query)) == [UUID(data["message_id"])]


async def test_a_correction_voids_what_was_shown(stage: Stage) -> None:
    player = await stage.customer()
    first = await says(stage.client, "send 50 to Alice Johnson from checking", player.headers)
    second = await says(stage.client, "no, 60", player.headers, session_id=first["session_id"])
    assert first["pending"]["id"] != second["pending"]["id"]
    assert [one.status for one in await player.pending()] == ["voided", "pending"]
    assert await player.decide(first["pending"]["id"], approve=True, factor=False) == 409
    assert await player.operations() == []


async def test_a_slot_names_the_turn_and_the_place_of_its_words(stage: Stage, database: Database) -> None:
    player = await stage.customer()
    texts = ["send 50 to Alice Johnson", "from checking"]
    data: dict[str, Any] = {}
    for text in texts:
        data = await says(stage.client, text, player.headers, **({"session_id": data["session_id"]} if data else {}))
    (frame,) = (await tracker_of(database, data["session_id"])).stack
    assert {name: one.turn for name, one in frame.slots.items()} == {"destination": 1, "amount": 1, "source": 2}
    for one in frame.slots.values():
        assert texts[one.turn - 1][one.start : one.end] == one.text


async def test_a_flow_that_cannot_go_on_stops_and_voids(stage: Stage, database: Database) -> None:
    player = await stage.customer()
    first = await says(stage.client, "send 50 to Alice Johnson from checking", player.headers)
    services = stage.app.state.services
    whole = services.flows.by_name["transfer"]
    broken = replace(whole, steps={name: one for name, one in whole.steps.items() if name != "payee"})
    stage.app.state.services = replace(services, flows=Flows({"transfer": broken}))
    data = await says(stage.client, "make it 60", player.headers, session_id=first["session_id"])
    assert "Nothing was sent" in data["response"]
    assert data["pending"] is None
    assert [one.status for one in await player.pending()] == ["voided"]
    tracker = await tracker_of(database, first["session_id"])
    assert (tracker.stack, tracker.prompt, tracker.events[-1].what) == ((), None, "fault")


async def test_a_flow_that_is_gone_since_stops(stage: Stage) -> None:
    player = await stage.customer()
    first = await says(stage.client, "send 50 to Alice Johnson from checking", player.headers)
    stage.app.state.services = replace(stage.app.state.services, flows=Flows({}))
    data = await says(stage.client, "yes?", player.headers, session_id=first["session_id"])
    assert "Nothing was sent" in data["response"]
    assert [one.status for one in await player.pending()] == ["voided"]


async def test_so_many_flows_are_open_at_once_and_no_more(stage: Stage, database: Database) -> None:
    player = await stage.customer()
    data = await says(stage.client, "send 11 to Alice Johnson from checking", player.headers)
    session_id = data["session_id"]
    for text in ("also send 12 to Bob Carter", "also send 13 to Bobbie Carver", "also send 14 to Alice Johnson"):
        await says(stage.client, text, player.headers, session_id=session_id)
    refused = await says(stage.client, "also send 15 to Bob Carter", player.headers, session_id=session_id)
    assert "at once" in refused["response"]
    assert len((await tracker_of(database, session_id)).stack) == MAX_FRAMES


async def test_a_failure_in_the_gate_leaves_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that no customer can act on ends the turn: the money, the messages and the tracker are as before."""
    player = await stage.customer()
    first = await says(stage.client, "send 50 to Alice Johnson from checking", player.headers)
    whole = FlowTurn._confirm

    async def fails(self: FlowTurn, pending_id: UUID) -> None:
        await whole(self, pending_id)
        raise LlmBankingError("planted")

    monkeypatch.setattr(FlowTurn, "_confirm", fails)
    body = {"message": "yes", "session_id": first["session_id"]}
    response = await stage.client.post("/api/v2/chat", json=body, headers=player.headers)
    assert response.status_code == 500
    assert await player.operations() == []
    monkeypatch.undo()
    done = await says(stage.client, "yes", player.headers, session_id=first["session_id"])
    assert "Done." in done["response"]


async def test_of_many_yeses_at_once_one_counts(stage: Stage) -> None:
    """One turn of a conversation at a time: the others find that nothing waits."""
    player = await stage.customer()
    first = await says(stage.client, "send 50 to Alice Johnson from checking", player.headers)
    same = {"session_id": first["session_id"]}
    replies = await asyncio.gather(*(says(stage.client, "yes", player.headers, **same) for _ in range(4)))
    assert ["Done." in one["response"] for one in replies].count(True) == 1
    assert len(await player.operations()) == 1


async def test_a_yes_and_the_button_at_once_are_one_approval(stage: Stage) -> None:
    player = await stage.customer()
    first = await says(stage.client, "send 50 to Alice Johnson from checking", player.headers)
    body = {"message": "yes", "session_id": first["session_id"]}
    said, pressed = await asyncio.gather(
        stage.client.post("/api/v2/chat", json=body, headers=player.headers),
        player.decide(first["pending"]["id"], approve=True, factor=False),
    )
    assert said.status_code == 200
    assert pressed in (200, 409)
    assert len(await player.operations()) == 1


async def test_the_legacy_route_takes_the_same_turn(stage: Stage) -> None:
    player = await stage.customer()
    body = {"message": "send 50 to Alice Johnson from checking", "customer_id": str(player.id)}
    first = await stage.client.post("/api/v1/chat", json=body, headers=player.headers)
    assert first.status_code == 200, first.text
    (pending,) = await player.pending()
    assert pending.summary in first.json()["message"]
    again = {**body, "message": "yes", "session_id": first.json()["metadata"]["session_id"]}
    assert "Done." in (await stage.client.post("/api/v1/chat", json=again, headers=player.headers)).json()["message"]
    assert len(await player.operations()) == 1


async def test_a_customer_without_accounts_begins_nothing(stage: Stage) -> None:
    player = await nobody(stage)
    data = await says(stage.client, "send 50 to Alice Johnson", player.headers)
    assert data["pending"] is None
    assert "Done." not in data["response"]


async def nobody(stage: Stage) -> Player:
    async with stage.database.transaction(scope=Scope.IDENTITY) as session:
        user_id = await add_user(session)
        family_id = await add_session(session, user_id, stage.clock())
    token = stage.app.state.services.identity.tokens.issue(Subject(user_id, "user", family_id, 0, ("pwd",)))
    return Player(stage, user_id, {}, {"Authorization": f"Bearer {token}"}, b"")


@pytest.mark.parametrize("at", ["slot", "approval"])
async def test_each_next_step_is_understood(stage: Stage, at: str) -> None:
    text = "send 50 to Alice Johnson" + ("" if at == "slot" else " from checking")
    player = await stage.customer()
    steps = (await says(stage.client, text, player.headers))["suggested_next_steps"]
    assert steps[-1] == "Cancel"
    for step in steps:
        other = await stage.customer()
        begun = await says(stage.client, text, other.headers)
        data = await says(stage.client, step, other.headers, session_id=begun["session_id"])
        assert "did not understand" not in data["response"], step


def test_a_guest_is_told_to_sign_in(reader: Reader, knowledge: Knowledge) -> None:
    flows = load_flows(frozenset(BY_NAME))
    reply = guest_reply(reader.read("send 50 to Alice"), knowledge, flows, reader.artifact.answer_confidence)
    assert reply.text.endswith(SIGN_IN)
    assert reply.pending is None
    other = guest_reply(reader.read("hello"), knowledge, flows, reader.artifact.answer_confidence)
    assert SIGN_IN not in other.text


@pytest.fixture
async def without_redis(stage: Stage, tmp_path: Path) -> AsyncIterator[RequestLimits]:
    """The limits of the application, whose Redis can be taken away: `limiter` is what stands in then."""
    limits: RequestLimits = stage.app.state.services.limits
    before = limits.limiter
    away = RateLimiter(f"unix://{tmp_path}/no.sock", key=secrets.token_bytes(32), workers=1)
    limits.limiter = away
    yield limits
    limits.limiter = before
    await away.close()


@pytest.mark.parametrize("path", ["/api/v2/chat", "/api/v1/chat"])
async def test_a_yes_is_taken_only_where_the_confirmation_route_would_take_it(
    stage: Stage, without_redis: RequestLimits, path: str
) -> None:
    """While limits are not counted a yes does nothing, by words as by the button, and what waits is not lost."""
    player = await stage.customer()
    shown = await says(stage.client, "send 50 to Alice Johnson from checking", player.headers)
    body = {"message": "yes", "session_id": shown["session_id"], "customer_id": str(player.id)}
    if path == "/api/v2/chat":
        del body["customer_id"]
    refused = await stage.client.post(path, json=body, headers=player.headers)
    assert refused.status_code == 200, refused.text
    assert "cannot take a confirmation" in refused.text
    assert await player.decide(shown["pending"]["id"], approve=True, factor=False) == 503
    assert await player.operations() == []
    assert [one.status for one in await player.pending()] == ["pending"]


async def test_what_waited_while_limits_were_not_counted_is_approved_after(
    stage: Stage, without_redis: RequestLimits, settings: Settings
) -> None:
    player = await stage.customer()
    shown = await says(stage.client, "send 50 to Alice Johnson from checking", player.headers)
    refused = await says(stage.client, "yes", player.headers, session_id=shown["session_id"])
    assert refused["pending"]["id"] == shown["pending"]["id"]
    assert settings.redis_url is not None
    without_redis.limiter = RateLimiter(
        settings.redis_url.get_secret_value(), key=secrets.token_bytes(32), workers=1, timeout_s=PATIENT_S
    )
    done = await says(stage.client, "yes", player.headers, session_id=shown["session_id"])
    await without_redis.limiter.close()
    assert "Done." in done["response"]
    assert [one.kind for one in await player.operations()] == ["payee_transfer"]


async def test_deleting_a_conversation_calls_off_what_waits_in_it(stage: Stage) -> None:
    player = await stage.customer()
    here = await says(stage.client, "send 50 to Alice Johnson from checking", player.headers)
    there = await says(stage.client, "send 60 to Alice Johnson from checking", player.headers)
    gone = await stage.client.delete(f"/api/v2/sessions/{here['session_id']}", headers=player.headers)
    assert gone.status_code == 200
    assert {str(one.id): one.status for one in await player.pending()} == {
        here["pending"]["id"]: "voided",
        there["pending"]["id"]: "pending",
    }
    assert await player.decide(here["pending"]["id"], approve=True, factor=False) == 409
    assert await player.operations() == []


async def test_a_conversation_stays_where_what_waits_in_it_cannot_be_called_off(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both or none: they are one transaction."""
    player = await stage.customer()
    here = await says(stage.client, "send 50 to Alice Johnson from checking", player.headers)

    async def fails(*_: object) -> int:
        raise LlmBankingError("not now")

    with monkeypatch.context() as planted:
        planted.setattr(Gate, "void_open", fails)
        address = f"/api/v2/sessions/{here['session_id']}"
        assert (await stage.client.delete(address, headers=player.headers)).status_code == 500
    assert (await stage.client.get(address, headers=player.headers)).status_code == 200
    assert [one.status for one in await player.pending()] == ["pending"]


async def test_what_was_done_is_told_from_what_was_frozen(stage: Stage) -> None:
    player = await stage.customer()
    shown = await says(stage.client, "send 50 to Alice Johnson from checking", player.headers)
    done = await says(stage.client, "yes", player.headers, session_id=shown["session_id"])
    (one,) = await player.operations()
    assert done["response"] == (
        "Done. You sent $50.00 from Everyday Checking (ending 4144) to Alice Johnson (ending 1234). There was no fee. "
        f"Your confirmation code is {one.confirmation_code}."
    )
