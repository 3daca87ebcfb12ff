"""Routes of API keys: shown once, scoped, rotated, revoked, and managed by people alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response

from llm_banking.identity.api_keys import VerifiedKey
from llm_banking.identity.authenticator import Authenticator
from llm_banking.identity.errors import InvalidCredentialError
from llm_banking.identity.principal import Permission, Principal
from llm_banking.identity.roles import permissions_of
from llm_banking.identity.wiring import api_key_verifier
from llm_banking.kit.database import Database, Scope
from tests.api.test_policies import letting_in, telling_by
from tests.identity.people import committed_user

URL = "/api/auth/api-keys"
BODY = {"name": "till 4", "scopes": ["chat:read"], "lifetime_days": 30}


def signed_in(user_id: UUID, permissions: frozenset[Permission] | None = None) -> Principal:
    held = permissions_of("user") if permissions is None else permissions
    return Principal(user_id, "somebody", held, frozenset({user_id}))


@pytest.fixture
async def owner(app: FastAPI, database: Database) -> AsyncIterator[UUID]:
    """A customer, signed in."""
    async with committed_user(database) as user_id:
        with letting_in(app, lambda _: signed_in(user_id)):
            yield user_id


async def verify(app: FastAPI, database: Database, key: str) -> VerifiedKey:
    async with database.transaction(scope=Scope.IDENTITY) as session:
        return await app.state.services.identity.api_keys.verify(session, key)


async def created(client: AsyncClient) -> dict[str, str]:
    response = await client.post(URL, json=BODY)
    assert response.status_code == 201, response.text
    return response.json()["data"]


async def test_a_key_is_shown_once(app: FastAPI, database: Database, client: AsyncClient, owner: UUID) -> None:
    response = await client.post(URL, json=BODY)
    assert response.status_code == 201
    assert response.headers["Cache-Control"] == "no-store"
    made = response.json()["data"]
    assert made["key"].startswith(made["prefix"])
    assert (made["scopes"], made["revoked_at"], made["last_used_at"]) == (["chat:read"], None, None)
    verified = await verify(app, database, made["key"])
    assert (verified.user_id, verified.scopes) == (owner, frozenset({Permission.CHAT_READ}))
    listing = await client.get(URL)
    assert made["key"][16:] not in listing.text
    (item,) = listing.json()["data"]["items"]
    assert item["id"] == made["id"]
    assert item["last_used_at"] is not None


async def test_a_key_is_rotated_and_revoked_at_once(
    app: FastAPI, database: Database, client: AsyncClient, owner: UUID
) -> None:
    old = await created(client)
    response = await client.post(f"{URL}/{old['id']}/rotate", json={"lifetime_days": 90, "overlap_hours": 1})
    assert response.status_code == 201
    assert response.headers["Cache-Control"] == "no-store"
    new = response.json()["data"]
    assert new["rotated_from"] == old["id"]
    for key in (old, new):
        assert (await verify(app, database, key["key"])).user_id == owner
        gone = await client.delete(f"{URL}/{key['id']}")
        assert gone.status_code == 200
        assert gone.json()["data"]["revoked_at"] is not None
        with pytest.raises(InvalidCredentialError):
            await verify(app, database, key["key"])
    assert (await client.post(f"{URL}/{old['id']}/rotate", json={"lifetime_days": 90})).status_code == 409


async def every_route(client: AsyncClient, key_id: str) -> list[Response]:
    return [
        await client.get(URL),
        await client.post(URL, json=BODY),
        await client.post(f"{URL}/{key_id}/rotate", json={"lifetime_days": 1}),
        await client.delete(f"{URL}/{key_id}"),
    ]


async def test_a_key_manages_no_keys(app: FastAPI, database: Database, client: AsyncClient, owner: UUID) -> None:
    made = await created(client)
    verified = await verify(app, database, made["key"])
    with letting_in(app, lambda _: signed_in(owner, verified.scopes)):
        assert [response.status_code for response in await every_route(client, made["id"])] == [403] * 4
    for scope in ("keys:manage", "mfa:manage"):
        refused = await client.post(URL, json={**BODY, "scopes": ["chat:read", scope]})
        assert refused.json()["error"]["code"] == "FORBIDDEN"


async def test_the_demo_principal_manages_no_keys(client: AsyncClient) -> None:
    assert [response.status_code for response in await every_route(client, str(uuid4()))] == [403] * 4


async def test_somebody_elses_key_is_not_there(
    app: FastAPI, database: Database, client: AsyncClient, owner: UUID
) -> None:
    made = await created(client)
    async with committed_user(database) as other:
        with letting_in(app, lambda _: signed_in(other)):
            for response in (await every_route(client, made["id"]))[2:]:
                assert (response.status_code, response.json()["error"]["code"]) == (404, "NOT_FOUND")
            theirs = (await client.get(URL)).json()["data"]["items"]
    assert made["id"] not in [item["id"] for item in theirs]
    assert (await verify(app, database, made["key"])).user_id == owner


@pytest.mark.parametrize(
    "change",
    [
        {"lifetime_days": 366},
        {"lifetime_days": 0},
        {"lifetime_days": True},
        {"lifetime_days": None},
        {"scopes": []},
        {"scopes": ["zebra-4471"]},
        {"scopes": ["chat:read"] * 99},
        {"name": ""},
        {"name": "x" * 101},
        {"zebra-4471": 1},
    ],
)
async def test_a_bad_request_is_refused_without_an_echo(
    client: AsyncClient, owner: UUID, change: dict[str, object]
) -> None:
    response = await client.post(URL, json={**BODY, **change})
    assert (response.status_code, response.json()["error"]["code"]) == (422, "INVALID_REQUEST")
    assert "zebra" not in response.text


async def test_a_scope_that_is_not_held_and_a_key_too_many_are_refused(client: AsyncClient, owner: UUID) -> None:
    refused = await client.post(URL, json={**BODY, "scopes": ["admin:read"]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
    for _ in range(20):
        await created(client)
    response = await client.post(URL, json=BODY)
    assert (response.status_code, response.json()["error"]["code"]) == (409, "LIMIT_EXCEEDED")


async def test_a_key_lets_in_by_either_header_until_it_is_revoked(
    app: FastAPI, client: AsyncClient, owner: UUID
) -> None:
    key = await created(client)
    told_by_key = Authenticator(
        app.state.services.identity.tokens,
        app.state.services.identity.revocations,
        demo=False,
        verify_api_key=api_key_verifier(app.state.services.identity.api_keys, app.state.services.database),
    )
    headers = ({"Authorization": f"Bearer {key['key']}"}, {"X-API-Key": key["key"]})
    with telling_by(app, told_by_key):
        for header in headers:
            assert (await client.get("/api/v2/intents", headers=header)).status_code == 200
            assert (await client.post("/api/v2/chat", json={"message": "hi"}, headers=header)).status_code == 403
            other = {name: value[:-1] + ("a" if value[-1] != "a" else "b") for name, value in header.items()}
            assert (await client.get("/api/v2/intents", headers=other)).status_code == 401
        assert (await client.get("/api/v2/intents", headers=headers[0] | headers[1])).status_code == 401
    assert (await client.delete(f"{URL}/{key['id']}")).status_code == 200
    with telling_by(app, told_by_key):
        for header in headers:
            assert (await client.get("/api/v2/intents", headers=header)).status_code == 401
