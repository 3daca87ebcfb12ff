"""Payees over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from llm_banking.kit.database import Database
from tests.api.customers import Signed, world_of
from tests.api.people import code_of
from tests.operations.world import World


@pytest.fixture
def world(app: FastAPI, client: AsyncClient, database: Database) -> Iterator[World]:
    with world_of(app, database) as found:
        yield found


@pytest.fixture
async def ana(app: FastAPI, client: AsyncClient, world: World) -> Signed:
    return Signed.of(app, client, await world.customer("Ana"))


@pytest.fixture
async def ben(app: FastAPI, client: AsyncClient, world: World) -> Signed:
    return Signed.of(app, client, await world.customer("Ben"))


async def test_add_list_pay_and_remove(ana: Signed, ben: Signed) -> None:
    await ana.customer.add_app()
    body = {"kind": "person", "name": "ben", "account_reference": str(ben.customer.checking)}
    response = await ana.post("/payees", body)
    assert response.status_code == 201, response.text
    data = response.json()["data"]
    assert (data["name"], data["at_this_bank"], data["first_paid_at"]) == ("ben", True, None)
    assert (await ana.get("/payees")).json()["data"]["items"] == [data]
    sent = {"from_account": str(ana.customer.checking), "payee_id": data["id"], "amount": "7.00", "currency": "USD"}
    operation = await ana.propose({"kind": "payee_transfer", **sent})
    done = await ana.post(f"/operations/{operation['id']}/confirm", await ana.code(operation["id"]))
    assert done.status_code == 200, done.text
    (paid,) = (await ana.get("/payees")).json()["data"]["items"]
    assert paid["first_paid_at"]
    assert (await ana.delete(f"/payees/{data['id']}")).json()["data"] == {"id": data["id"], "removed": True}
    assert (await ana.get("/payees")).json()["data"]["items"] == []
    assert code_of(await ana.delete(f"/payees/{data['id']}")) == (404, "NOT_FOUND")
    refused = await ana.post("/operations", {"kind": "payee_transfer", **sent}, key=uuid4().hex)
    assert code_of(refused) == (404, "NOT_FOUND")


async def test_an_account_elsewhere_is_shown_by_its_last_characters(ana: Signed) -> None:
    response = await ana.post("/payees", {"kind": "biller", "name": "Water", "account_number": "9988-7766-55"})
    assert response.json()["data"]["account_last4"] == "6655"
    assert "99887766" not in response.text.replace("-", "")
    assert not response.json()["data"]["at_this_bank"]


async def test_somebody_elses_payees_are_not_there(ana: Signed, ben: Signed) -> None:
    payee = await ana.customer.payee()
    assert (await ben.get("/payees")).json()["data"]["items"] == []
    assert code_of(await ben.delete(f"/payees/{payee}")) == (404, "NOT_FOUND")
    assert len((await ana.get("/payees")).json()["data"]["items"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"account_number": "123456", "account_reference": str(uuid4())},
        {"account_reference": "ABC"},
        {"account_reference": str(uuid4())},
        {"account_number": "12"},
        {"account_number": "123456", "name": "a\u202eb"},
        {"account_number": "123456", "kind": "friend"},
        {"account_number": "123456", "first_paid_at": "2020-01-01T00:00:00Z"},
    ],
)
async def test_what_makes_no_payee_is_refused(ana: Signed, body: dict[str, str]) -> None:
    response = await ana.post("/payees", {"kind": "person", "name": "Erika", **body})
    assert code_of(response) == (422, "INVALID_REQUEST")
    assert (await ana.get("/payees")).json()["data"]["items"] == []


async def test_a_name_is_taken_once(ana: Signed) -> None:
    body = {"kind": "person", "name": "Erika", "account_number": "123456"}
    assert (await ana.post("/payees", body)).status_code == 201
    assert code_of(await ana.post("/payees", body)) == (409, "CONFLICT")
