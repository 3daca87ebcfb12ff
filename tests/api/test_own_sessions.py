"""A person's own sessions over HTTP: seen, and ended from another device."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response
from sqlalchemy import update

from llm_banking.identity.authenticator import Authenticator
from llm_banking.identity.errors import InvalidCredentialError
from llm_banking.identity.models import TokenFamily
from llm_banking.identity.recent_sign_in import SIGN_IN_IS_RECENT
from llm_banking.identity.wiring import build_identity
from llm_banking.kit.database import Database, Scope
from llm_banking.settings import Settings
from tests.api.people import PASSWORD, Person, bearer, code_of, on_a_clock

SESSIONS = "/api/auth/sessions"


@pytest.fixture
async def email(client: AsyncClient) -> str:
    """A customer who registered just now."""
    return await registered(client)


async def registered(client: AsyncClient) -> str:
    address = f"{uuid4().hex}@example.com"
    body = {"email": address, "password": PASSWORD, "display_name": "Zoe Quill"}
    assert (await client.post("/api/auth/register", json=body)).status_code == 202
    return address


async def signed_in(client: AsyncClient, email: str, **more: str) -> dict[str, Any]:
    response = await client.post("/api/auth/login", json={"email": email, "password": PASSWORD, **more})
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def listed(client: AsyncClient, data: dict[str, Any]) -> list[dict[str, Any]]:
    response = await client.get(SESSIONS, headers=bearer(data["access_token"]))
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["data"]["items"]
    return items


async def current_id(client: AsyncClient, data: dict[str, Any]) -> str:
    (found,) = [one["id"] for one in await listed(client, data) if one["current"]]
    return str(found)


async def works(client: AsyncClient, data: dict[str, Any]) -> tuple[int, int]:
    """What its access token and its refresh token are answered."""
    access = await client.get("/api/auth/me", headers=bearer(data["access_token"]))
    renewed = await client.post("/api/auth/refresh", json={"refresh_token": data["refresh_token"]})
    return access.status_code, renewed.status_code


async def grow_old(database: Database, session_id: str) -> None:
    async with database.transaction(scope=Scope.IDENTITY) as session:
        await session.execute(
            update(TokenFamily)
            .where(TokenFamily.id == UUID(session_id))
            .values(created_at=TokenFamily.created_at - SIGN_IN_IS_RECENT)
        )


async def end(client: AsyncClient, data: dict[str, Any], session_id: str) -> Response:
    return await client.delete(f"{SESSIONS}/{session_id}", headers=bearer(data["access_token"]))


async def end_others(client: AsyncClient, data: dict[str, Any]) -> Response:
    return await client.post(f"{SESSIONS}/others/end", headers=bearer(data["access_token"]))


async def test_a_person_sees_the_own_sessions_and_nobody_elses(client: AsyncClient, email: str) -> None:
    phone, laptop = await signed_in(client, email, device="phone"), await signed_in(client, email)
    await signed_in(client, await registered(client), device="somebody else's")
    items = await listed(client, laptop)
    assert [(one["device"], one["current"], one["methods"]) for one in items] == [
        (None, True, ["pwd"]),
        ("phone", False, ["pwd"]),
    ]
    assert all(one["started_at"] == one["last_used_at"] < one["expires_at"] for one in items)
    assert set(items[0]) == {"id", "device", "started_at", "last_used_at", "expires_at", "methods", "current"}
    await client.post("/api/auth/refresh", json={"refresh_token": phone["refresh_token"], "device": "phone"})
    first = (await listed(client, laptop))[0]
    assert (first["device"], first["current"]) == ("phone", False)
    assert first["started_at"] < first["last_used_at"]


async def test_a_session_that_is_over_is_not_listed(client: AsyncClient, database: Database, email: str) -> None:
    here, left, late = [await signed_in(client, email, device=name) for name in ("here", "left", "late")]
    await client.post("/api/auth/logout", headers=bearer(left["access_token"]))
    async with database.transaction(scope=Scope.IDENTITY) as session:
        over = update(TokenFamily).where(TokenFamily.id == UUID(await current_id(client, late)))
        await session.execute(over.values(expires_at=TokenFamily.created_at + timedelta(microseconds=1)))
    assert [one["device"] for one in await listed(client, here)] == ["here"]


async def test_a_person_ends_one_other_session(client: AsyncClient, email: str) -> None:
    here, lost, other = [await signed_in(client, email) for _ in range(3)]
    lost_id = await current_id(client, lost)
    response = await end(client, here, lost_id)
    assert (response.status_code, response.json()["data"]) == (200, {"ended": 1})
    assert await works(client, lost) == (401, 401)
    assert await works(client, other) == (200, 200)
    assert await works(client, here) == (200, 200)
    assert code_of(await end(client, here, lost_id)) == (404, "NOT_FOUND")


async def test_a_person_ends_all_other_sessions(client: AsyncClient, email: str) -> None:
    here, *others = [await signed_in(client, email) for _ in range(3)]
    stranger = await signed_in(client, await registered(client))
    response = await end_others(client, here)
    assert (response.status_code, response.json()["data"]) == (200, {"ended": 2})
    assert [await works(client, one) for one in others] == [(401, 401)] * 2
    assert await works(client, stranger) == (200, 200)
    assert (await end_others(client, here)).json()["data"] == {"ended": 0}
    assert await works(client, here) == (200, 200)


async def test_after_a_factor_was_set_up_the_others_can_be_ended(
    app: FastAPI, client: AsyncClient, database: Database
) -> None:
    """ASVS 5.0, 7.4.3: the sessions that were opened without the new factor."""
    with on_a_clock(app) as (clock, factors):
        person = await Person.register(client, database, clock, factors, app_too=False)
        before = (await person.login()).json()["data"]
        await person.add_app()
        after = (await person.second_step(await person.first_step())).json()["data"]
        assert (await end_others(client, after)).json()["data"] == {"ended": 1}
        assert await works(client, before) == (401, 401)
        assert await works(client, after) == (200, 200)


async def test_somebody_elses_session_is_as_if_it_were_not_there(client: AsyncClient, email: str) -> None:
    here, theirs = await signed_in(client, email), await signed_in(client, await registered(client))
    foreign = await end(client, here, await current_id(client, theirs))
    nothing = await end(client, here, str(uuid4()))
    assert code_of(foreign) == code_of(nothing) == (404, "NOT_FOUND")
    assert foreign.json()["error"] == nothing.json()["error"]
    assert await works(client, theirs) == (200, 200)


async def test_an_old_session_ends_itself_and_no_other(client: AsyncClient, database: Database, email: str) -> None:
    """Whoever holds a stolen session cannot put its owner out; a refresh makes it no younger."""
    old, other = await signed_in(client, email), await signed_in(client, email)
    old_id, other_id = await current_id(client, old), await current_id(client, other)
    await grow_old(database, old_id)
    old = {
        **old,
        **(await client.post("/api/auth/refresh", json={"refresh_token": old["refresh_token"]})).json()["data"],
    }
    for refused in (
        await end(client, old, other_id),
        await end(client, old, str(uuid4())),
        await end_others(client, old),
    ):
        assert code_of(refused) == (403, "STEP_UP_REQUIRED")
        assert refused.json()["error"]["details"] == {"reason": "sign_in_again"}
    assert await works(client, other) == (200, 200)
    assert (await end(client, old, old_id)).status_code == 200
    assert await works(client, old) == (401, 401)


async def test_another_worker_learns_of_an_ended_session(
    client: AsyncClient, email: str, settings: Settings, database: Database
) -> None:
    """Its own memory, the same database and key files; how soon it reads is `POLL_S`, half a second."""
    here, lost = await signed_in(client, email), await signed_in(client, email)
    worker = build_identity(settings)
    strict = Authenticator(worker.tokens, worker.revocations, demo=False)

    async def read() -> None:
        async with database.transaction(scope=Scope.IDENTITY) as session:
            await worker.revocations.refresh(session)

    await read()
    await strict(bearer(lost["access_token"]))
    assert (await end_others(client, here)).status_code == 200
    await read()
    with pytest.raises(InvalidCredentialError):
        await strict(bearer(lost["access_token"]))
    await strict(bearer(here["access_token"]))


async def test_a_program_has_no_sessions(client: AsyncClient, email: str) -> None:
    here = await signed_in(client, email)
    made = {"name": "program", "scopes": ["profile:read", "profile:write"], "lifetime_days": 1}
    response = await client.post("/api/auth/api-keys", json=made, headers=bearer(here["access_token"]))
    key = {"X-API-Key": response.json()["data"]["key"]}
    answers = [
        await client.get(SESSIONS, headers=key),
        await client.post(f"{SESSIONS}/others/end", headers=key),
        await client.delete(f"{SESSIONS}/{await current_id(client, here)}", headers=key),
    ]
    assert [code_of(one) for one in answers] == [(403, "FORBIDDEN")] * 3
    assert await works(client, here) == (200, 200)
