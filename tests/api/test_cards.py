"""Cards over HTTP, and what the log keeps of a change."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from llm_banking.banking.cards import CardStatus
from llm_banking.identity.principal import Permission
from llm_banking.kit.database import Database
from llm_banking.migrations.metadata import product_metadata
from tests.api.customers import Signed, world_of
from tests.api.people import code_of
from tests.api.test_accounts import ANA, BEN, signed_in


async def cards_of(client: AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get("/api/v2/cards")).json()["data"]["items"]
    return found


async def operations_of(client: AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get("/api/v2/operations")).json()["data"]["items"]
    return found


def changes(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The lines of the log about cards."""
    lines = [dict(record.msg) for record in caplog.records if isinstance(record.msg, dict)]
    return [line for line in lines if line["event"] == "card status changed"]


async def test_a_card_is_frozen_through_the_gate_and_each_change_is_one_line_of_ids(
    app: FastAPI, client: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with signed_in(app, ANA):
        debit, credit = sorted(await cards_of(client), key=lambda card: str(card["kind"]), reverse=True)
        assert (debit["kind"], credit["kind"], debit["status"]) == ("debit", "credit", "active")
        before = await operations_of(client)
        for _ in range(2):
            response = await client.post(f"/api/v2/cards/{debit['id']}/freeze")
            assert (response.status_code, response.json()["data"]["status"]) == (200, "frozen"), response.text
        assert {card["id"]: card["status"] for card in await cards_of(client)}[credit["id"]] == "active"
        done = [one for one in await operations_of(client) if one not in before]
        assert [(one["kind"], one["status"]) for one in done] == [("card_freeze", "executed")]
        lines = changes(caplog)
        refused = await client.post(f"/api/v2/cards/{debit['id']}/unfreeze")
        details = refused.json()["error"]["details"]
        assert code_of(refused) == (403, "STEP_UP_REQUIRED")
        assert details["methods"] == ["totp", "webauthn"]
        waiting = (await operations_of(client))[0]
        assert (waiting["id"], waiting["kind"], waiting["status"]) == (
            *(details["operation_id"], "card_unfreeze", "pending"),
        )
    assert [(line["kind"], line["after"], line["card_id"]) for line in lines] == [
        ("card_freeze", "frozen", debit["id"])
    ]
    assert lines[0]["operation_id"] == done[0]["id"]
    assert {line["user_id"] for line in lines} == {str(ANA.user_id)}
    assert all(line["request_id"] for line in lines)
    said = json.dumps(lines)
    assert debit["name"] not in said
    assert ANA.name not in said
    assert f'"{debit["number_last4"]}"' not in said


async def test_a_card_is_unfrozen_with_a_proof_and_freezing_is_taken_however_many_wait(
    app: FastAPI, client: AsyncClient, database: Database
) -> None:
    with world_of(app, database) as world:
        ana = Signed.of(app, client, await world.customer("Ana"))
        await ana.customer.add_app()
        card_id = await ana.customer.add_card()
        for _ in range(20):
            await ana.propose(ana.own("1.00"))
        frozen = await ana.post(f"/cards/{card_id}/freeze")
        assert (frozen.status_code, frozen.json()["data"]["status"]) == (200, "frozen")
        assert code_of(await ana.post(f"/cards/{card_id}/unfreeze")) == (409, "LIMIT_EXCEEDED")
        world.clock.advance(minutes=5)
        refused = await ana.post(f"/cards/{card_id}/unfreeze")
        named = refused.json()["error"]["details"]["operation_id"]
        done = await ana.post(f"/operations/{named}/confirm", await ana.code(named))
        assert (done.status_code, done.json()["data"]["status"]) == (200, "executed"), done.text
        assert done.json()["data"]["amount"] is None
        again = await ana.post(f"/cards/{card_id}/unfreeze")
        assert (again.status_code, again.json()["data"]["status"]) == (200, "active")


async def test_everything_else_of_a_card_is_an_operation(app: FastAPI, client: AsyncClient, database: Database) -> None:
    with world_of(app, database) as world:
        ana = Signed.of(app, client, await world.customer("Ana"))
        card_id = str(await ana.customer.add_card())
        limits = {"kind": "card_limits", "card_id": card_id, "daily_limit": "250.00", "currency": "USD"}
        data = await ana.propose(limits)
        assert (data["requires"], data["amount"]) == ([], None)
        assert (await ana.post(f"/operations/{data['id']}/confirm")).status_code == 200
        card = (await ana.get("/cards")).json()["data"]["items"][0]
        assert card["daily_limit"] == {"amount": "250.00", "currency": "USD"}
        replaced = await ana.propose({"kind": "card_replace", "card_id": card_id})
        assert (replaced["requires"], replaced["amount"], replaced["fee"]) == (["totp", "webauthn"], "7.50", None)
        assert "$7.50" in replaced["summary"]
        for wrong in (
            {**limits, "daily_limit": "-1"},
            {"kind": "card_limits", "card_id": card_id},
            {"kind": "card_block", "card_id": card_id, "daily_limit": "1.00"},
        ):
            assert code_of(await ana.post("/operations", wrong, key=uuid4().hex)) == (422, "INVALID_REQUEST")


async def test_a_foreign_card_is_not_there_and_stays_as_it_is(app: FastAPI, client: AsyncClient) -> None:
    with signed_in(app, BEN):
        theirs = await cards_of(client)
    with signed_in(app, ANA):
        for card_id in (theirs[0]["id"], str(uuid4())):
            for action in ("freeze", "unfreeze"):
                response = await client.post(f"/api/v2/cards/{card_id}/{action}")
                assert (response.status_code, response.json()["error"]["code"]) == (404, "NOT_FOUND")
    with signed_in(app, BEN):
        assert await cards_of(client) == theirs


async def test_a_blocked_card_stays_blocked(app: FastAPI, client: AsyncClient, database: Database) -> None:
    with signed_in(app, BEN):
        card = (await cards_of(client))[0]
        rows = product_metadata().tables["cards"]

        async def put(status: CardStatus) -> None:
            async with database.transaction(visible_to=[BEN.user_id]) as session:
                await session.execute(rows.update().where(rows.c.id == card["id"]).values(status=status.value))

        await put(CardStatus.BLOCKED)
        try:
            for action in ("freeze", "unfreeze"):
                response = await client.post(f"/api/v2/cards/{card['id']}/{action}")
                assert (response.status_code, response.json()["error"]["code"]) == (409, "CONFLICT")
        finally:
            await put(CardStatus.ACTIVE)


async def test_who_may_only_read_changes_nothing(app: FastAPI, client: AsyncClient) -> None:
    with signed_in(app, ANA, frozenset({Permission.BANKING_READ})):
        card = (await cards_of(client))[0]
        assert (await client.post(f"/api/v2/cards/{card['id']}/freeze")).status_code == 403
        assert (await client.post("/api/v2/cards/7/freeze")).status_code == 403
