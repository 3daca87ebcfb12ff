"""An administrator ends the sessions of one person, and an operator those of everybody (ASVS 5.0, 7.4.5)."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response
from sqlalchemy import update
from structlog.testing import capture_logs

from llm_banking.identity.authenticator import Authenticator
from llm_banking.identity.errors import InvalidCredentialError
from llm_banking.identity.models import TokenFamily, User
from llm_banking.identity.roles import Role
from llm_banking.identity.wiring import IdentityServices, build_identity
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, Scope
from llm_banking.settings import Settings
from tests.api.people import Person, bearer, code_of, on_a_clock
from tests.api.test_own_sessions import registered, signed_in, works


@pytest.fixture
async def admin(client: AsyncClient, database: Database) -> dict[str, Any]:
    """An administrator who signed in."""
    email = await registered(client)
    async with database.transaction(scope=Scope.IDENTITY) as session:
        await session.execute(update(User).where(User.email == email).values(account_type=Role.ADMIN.value))
    return await signed_in(client, email)


@pytest.fixture
def identity(app: FastAPI) -> IdentityServices:
    found: IdentityServices = app.state.services.identity
    return found


async def end_all_of(client: AsyncClient, admin: dict[str, Any], user_id: str) -> Response:
    return await client.post(f"/api/admin/users/{user_id}/sessions/end", headers=bearer(admin["access_token"]))


async def test_an_administrator_ends_all_sessions_of_one_person(client: AsyncClient, admin: dict[str, Any]) -> None:
    email, other = await registered(client), await signed_in(client, await registered(client))
    theirs = [await signed_in(client, email) for _ in range(2)]
    with capture_logs() as entries:
        response = await end_all_of(client, admin, theirs[0]["user"]["id"])
    assert (response.status_code, response.json()["data"]) == (200, {"ended": 2})
    assert [await works(client, one) for one in theirs] == [(401, 401)] * 2
    assert await works(client, other) == (200, 200)
    assert await works(client, admin) == (200, 200)
    (said,) = [one for one in entries if one["event"] == "sessions ended by an administrator"]
    assert (said["by"], said["user_id"]) == (admin["user"]["id"], theirs[0]["user"]["id"])
    assert await works(client, await signed_in(client, email)) == (200, 200), "the person may sign in again"


async def test_there_must_be_such_a_person(client: AsyncClient, admin: dict[str, Any]) -> None:
    assert code_of(await end_all_of(client, admin, str(uuid4()))) == (404, "NOT_FOUND")


async def test_a_sign_in_that_waits_for_its_second_factor_is_over(
    app: FastAPI, client: AsyncClient, database: Database, admin: dict[str, Any]
) -> None:
    with on_a_clock(app) as (clock, factors):
        person = await Person.register(client, database, clock, factors)
        begun = await person.first_step()
        assert (await end_all_of(client, admin, str(person.user_id))).json()["data"] == {"ended": 0}
        assert code_of(await person.second_step(begun)) == (401, "UNAUTHENTICATED")


async def test_everybodys_sessions_end_in_steps(
    client: AsyncClient, database: Database, identity: IdentityServices, settings: Settings
) -> None:
    """On another worker too. The sessions of the other tests end with them; each opens its own."""
    people = [await signed_in(client, await registered(client)) for _ in range(5)]
    worker = build_identity(settings)
    strict, began = Authenticator(worker.tokens, worker.revocations, demo=False), utc_now()
    later = await signed_in(client, await registered(client))
    async with database.transaction(scope=Scope.IDENTITY) as session:
        ids = [UUID(one["user"]["id"]) for one in people]
        past = update(TokenFamily).where(TokenFamily.user_id.in_(ids))
        await session.execute(past.values(expires_at=TokenFamily.created_at))
    steps: list[int] = []
    while not steps or steps[-1]:
        async with database.transaction(scope=Scope.IDENTITY) as session:
            steps.append(await identity.accounts.end_sessions_of_some(session, began, most=3, by="operator"))
    assert sum(steps) >= len(people)
    assert set(steps[:-2]) <= {3}
    for one in (identity, worker):
        async with database.transaction(scope=Scope.IDENTITY) as session:
            await one.revocations.refresh(session)
    for data in people:
        assert await works(client, data) == (401, 401), "though its end had come: an access token outlives it a little"
        with pytest.raises(InvalidCredentialError):
            await strict(bearer(data["access_token"]))
    assert await works(client, later) == (200, 200), "a sign-in after the beginning is not undone"
