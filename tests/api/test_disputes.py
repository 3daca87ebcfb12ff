"""Disputes over HTTP: filed by their customer, listed, decided by an agent."""

from __future__ import annotations

from uuid import uuid4

from fastapi import FastAPI
from httpx import AsyncClient

from llm_banking.identity.tokens import Subject
from llm_banking.kit.database import Database
from tests.api.customers import Signed, world_of
from tests.api.people import bearer, code_of


async def test_a_charge_is_disputed_and_an_agent_decides(app: FastAPI, client: AsyncClient, database: Database) -> None:
    with world_of(app, database) as world:
        ana = Signed.of(app, client, await world.customer("Ana"))
        agent = await world.customer("Agent", "0.00")
        subject = Subject(agent.id, "agent", uuid4(), 0, ("pwd",))
        headers = bearer(app.state.services.identity.tokens.issue(subject))
        entry_id = str(await ana.customer.charge("42.10"))
        data = await ana.propose({"kind": "dispute", "entry_id": entry_id, "reason": "not_recognised"})
        assert (data["amount"], data["fee"], data["requires"]) == ("42.10", None, [])
        assert (await ana.post(f"/operations/{data['id']}/confirm")).status_code == 200
        (mine,) = (await ana.get("/disputes")).json()["data"]["items"]
        assert (mine["id"], mine["entry_id"], mine["status"], mine["credited"]) == (
            *(data["id"], entry_id, "provisional_credit", True),
        )
        assert mine["amount"] == {"amount": "42.10", "currency": "USD"}
        assert len(mine["evidence"]) == 2
        place = f"/api/agent/disputes/{mine['id']}/decision"
        refused = await client.post(place, json={"outcome": "for_customer"}, headers=bearer(ana.token))
        assert code_of(refused) == (403, "FORBIDDEN")
        waiting = (await client.get("/api/agent/disputes", headers=headers)).json()["data"]["items"]
        assert mine["id"] in [one["id"] for one in waiting]
        decided = await client.post(place, json={"outcome": "for_merchant"}, headers=headers)
        assert (decided.status_code, decided.json()["data"]["status"]) == (200, "resolved_for_merchant"), decided.text
        assert await ana.customer.balances() == (2_000_000 - 4_210, 0)
        assert code_of(await client.post(place, json={"outcome": "for_customer"}, headers=headers)) == (409, "CONFLICT")
        (mine,) = (await ana.get("/disputes")).json()["data"]["items"]
        assert (mine["status"], mine["evidence"]) == ("resolved_for_merchant", [])
        wrong = {"kind": "dispute", "entry_id": entry_id, "reason": "because"}
        assert code_of(await ana.post("/operations", wrong, key=uuid4().hex)) == (422, "INVALID_REQUEST")
