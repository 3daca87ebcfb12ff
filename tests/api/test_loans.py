"""Loans over HTTP: a quote, an application as an operation, a person's decision."""

from __future__ import annotations

from uuid import uuid4

from fastapi import FastAPI
from httpx import AsyncClient

from llm_banking.identity.tokens import Subject
from llm_banking.kit.database import Database
from tests.api.customers import Signed, world_of
from tests.api.people import bearer, code_of


async def test_a_loan_is_quoted_applied_for_and_decided(app: FastAPI, client: AsyncClient, database: Database) -> None:
    with world_of(app, database) as world:
        ana = Signed.of(app, client, await world.customer("Ana"))
        await ana.customer.add_app()
        admin = await world.customer("Admin", "0.00")
        headers = bearer(app.state.services.identity.tokens.issue(Subject(admin.id, "admin", uuid4(), 0, ("pwd",))))
        quote = (await ana.get("/loans/quote?amount=5000&months=24")).json()["data"]
        assert (quote["payment"]["amount"], quote["annual_percent"], len(quote["instalments"])) == ("223.64", "6.9", 24)
        assert quote["instalments"][-1]["balance"]["amount"] == "0.00"
        assert quote["likely"] is False, "a customer of this moment"
        assert code_of(await ana.get("/loans/quote?amount=999&months=24")) == (422, "INVALID_REQUEST")
        body = {"kind": "loan_application", "amount": "5000.00", "currency": "USD", "months": 24}
        data = await ana.propose(body)
        assert (data["amount"], data["requires"]) == (None, ["totp", "webauthn"])
        done = await ana.post(f"/operations/{data['id']}/confirm", await ana.code(data["id"]))
        assert done.status_code == 200, done.text
        (mine,) = (await ana.get("/loan-applications")).json()["data"]["items"]
        assert (mine["id"], mine["status"], len(mine["documents"])) == (data["id"], "received", 3)
        place = f"/api/admin/loan-applications/{mine['id']}/decision"
        assert code_of(await client.post(place, json={"status": "approved"}, headers=bearer(ana.token)))[0] == 403
        assert code_of(await client.post(place, json={"status": "approved"}, headers=headers)) == (409, "CONFLICT")
        waiting = (await client.get("/api/admin/loan-applications", headers=headers)).json()["data"]["items"]
        assert mine["id"] in [one["id"] for one in waiting]
        for status in ("under_review", "declined"):
            decided = await client.post(place, json={"status": status}, headers=headers)
            assert (decided.status_code, decided.json()["data"]["status"]) == (200, status)
        (mine,) = (await ana.get("/loan-applications")).json()["data"]["items"]
        assert (mine["status"], mine["documents"]) == ("declined", [])
