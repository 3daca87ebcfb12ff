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
from tests.api.test_accounts import ANA, BEN, signed_in


async def cards_of(client: AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get("/api/v2/cards")).json()["data"]["items"]
    return found


def changes(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The lines of the log about cards."""
    lines = [dict(record.msg) for record in caplog.records if isinstance(record.msg, dict)]
    return [line for line in lines if line["event"] == "card status changed"]


async def test_a_card_is_frozen_and_unfrozen_and_each_change_is_one_line_of_ids(
    app: FastAPI, client: AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with signed_in(app, ANA):
        debit, credit = sorted(await cards_of(client), key=lambda card: str(card["kind"]), reverse=True)
        assert (debit["kind"], credit["kind"], debit["status"]) == ("debit", "credit", "active")
        seen = []
        for action in ("freeze", "freeze", "unfreeze", "unfreeze"):
            response = await client.post(f"/api/v2/cards/{debit['id']}/{action}")
            assert response.status_code == 200, response.text
            seen.append(response.json()["data"]["status"])
        assert seen == ["frozen", "frozen", "active", "active"]
        assert {card["id"]: card["status"] for card in await cards_of(client)}[credit["id"]] == "active"
    lines = changes(caplog)
    assert [(line["action"], line["before"], line["after"]) for line in lines] == [
        ("freeze", "active", "frozen"),
        ("unfreeze", "frozen", "active"),
    ]
    assert {line["card_id"] for line in lines} == {debit["id"]}
    assert {line["user_id"] for line in lines} == {str(ANA.user_id)}
    assert all(line["request_id"] for line in lines)
    said = json.dumps(lines)
    assert debit["name"] not in said
    assert ANA.name not in said
    assert f'"{debit["number_last4"]}"' not in said


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
