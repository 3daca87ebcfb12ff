"""Account types that must sign in with a second factor: without one they may set one up, and nothing else."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any, get_args
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient, Response
from sqlalchemy import update

from llm_banking.api.dependencies import policy_of
from llm_banking.identity.factor_rule import TO_SET_ONE_UP, FactorRule
from llm_banking.identity.models import User
from llm_banking.identity.roles import PERMISSIONS, Role
from llm_banking.identity.wiring import build_identity
from llm_banking.kit.database import Database, Scope
from llm_banking.kit.errors import ConfigurationError
from llm_banking.settings import AccountType, Settings, load_settings
from tests.api.people import Person, bearer, code_of, on_a_clock
from tests.api.test_policies import api_routes
from tests.identity.people import code_now, decode_secret

STAFF = ("admin", "agent", "auditor")
LITTLE = sorted(TO_SET_ONE_UP)


@contextmanager
def demanding(app: FastAPI, settings: Settings, *account_types: str) -> Iterator[None]:
    """The application as if it had been started with the setting; what it knew of revocations is kept."""
    before = app.state.services
    ruled = build_identity(settings.model_copy(update={"second_factor_required_for": account_types}), before.database)
    ruled.revocations.__dict__.update(before.identity.revocations.__dict__)
    app.state.services = replace(before, identity=ruled, authenticate=ruled.authenticate)
    try:
        yield
    finally:
        app.state.services = before


@asynccontextmanager
async def somebody(app: FastAPI, client: AsyncClient, database: Database, role: Role) -> AsyncIterator[Person]:
    """A person of a role, without a second factor."""
    with on_a_clock(app) as (clock, factors):
        person = await Person.register(client, database, clock, factors, app_too=False)
        async with database.transaction(scope=Scope.IDENTITY) as session:
            await session.execute(update(User).where(User.id == person.user_id).values(account_type=role.value))
        yield person


async def data_of(response: Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def held(client: AsyncClient, token: str) -> tuple[list[str], bool]:
    """What a token's bearer may do, and whether a second factor is asked for."""
    me = await data_of(await client.get("/api/auth/me", headers=bearer(token)))
    return me["permissions"], me["second_factor_required"]


def claimed(token: str) -> list[str]:
    """The permissions that a token itself tells to whoever checks it by our public keys."""
    payload = token.split(".")[1]
    found: list[str] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["permissions"]
    return found


@pytest.mark.parametrize("role", [Role(one) for one in STAFF])
async def test_without_the_factor_one_can_be_set_up_and_then_a_sign_in_has_all(
    app: FastAPI, client: AsyncClient, database: Database, settings: Settings, role: Role
) -> None:
    with demanding(app, settings, *STAFF):
        async with somebody(app, client, database, role) as person:
            data = await data_of(await person.login())
            assert (data["user"]["permissions"], data["user"]["second_factor_required"]) == (LITTLE, True)
            token = data["access_token"]
            assert await held(client, token) == (LITTLE, True)
            assert claimed(token) == LITTLE
            enrolled = await data_of(await client.post("/api/auth/mfa/totp/enrol", headers=bearer(token)))
            person.secret = decode_secret(enrolled["secret"])
            body = {"code": code_now(person.secret, person.clock)}
            await data_of(await client.post("/api/auth/mfa/totp/confirm", json=body, headers=bearer(token)))
            renewed = await client.post("/api/auth/refresh", json={"refresh_token": data["refresh_token"]})
            for one in (token, (await data_of(renewed))["access_token"]):
                assert await held(client, one) == (LITTLE, True), "this sign-in was without it"
            whole = await data_of(await person.second_step(await person.first_step()))
            assert await held(client, whole["access_token"]) == (sorted(PERMISSIONS[role]), False)
            assert whole["user"]["permissions"] == claimed(whole["access_token"]) == sorted(PERMISSIONS[role])


async def test_without_the_factor_nothing_else_is_let_in(
    app: FastAPI, client: AsyncClient, database: Database, settings: Settings
) -> None:
    with demanding(app, settings, "admin"):
        async with somebody(app, client, database, Role.ADMIN) as person:
            token, refused = (await data_of(await person.login()))["access_token"], set()
            for route in api_routes(app):
                permission = policy_of(route.endpoint).permission
                if permission is None or permission in TO_SET_ONE_UP:
                    continue
                for method in route.methods or set():
                    path = re.sub(r"\{\w+\}", str(uuid4()), route.path)
                    answer = await client.request(method, path, json={}, headers=bearer(token))
                    assert code_of(answer)[1] == "FORBIDDEN" if "/v1/" not in path else answer.status_code == 403, path
                    refused.add(route.path)
            needed = {"/api/auth/password", "/api/auth/api-keys", "/api/admin/users/{user_id}/sessions/end"}
            assert needed <= refused
            assert (await client.post("/api/auth/logout", headers=bearer(token))).status_code == 200


async def test_a_token_from_before_the_rule_is_held_to_it(
    app: FastAPI, client: AsyncClient, database: Database, settings: Settings
) -> None:
    async with somebody(app, client, database, Role.ADMIN) as person:
        token = (await data_of(await person.login()))["access_token"]
        assert await held(client, token) == (sorted(PERMISSIONS[Role.ADMIN]), False)
        path = f"/api/admin/users/{person.user_id}/sessions/end"
        with demanding(app, settings, "admin"):
            assert code_of(await client.post(path, headers=bearer(token))) == (403, "FORBIDDEN")
        assert (await client.post(path, headers=bearer(token))).status_code == 200


async def test_other_account_types_are_as_they_were(
    app: FastAPI, client: AsyncClient, database: Database, settings: Settings
) -> None:
    with demanding(app, settings, *STAFF):
        async with somebody(app, client, database, Role.USER) as person:
            data = await data_of(await person.login())
            assert await held(client, data["access_token"]) == (sorted(PERMISSIONS[Role.USER]), False)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(
    "methods", [(), ("pwd",), ("pwd", "otp"), ("pwd", "otp", "mfa"), ("fed", "swk", "user", "mfa")]
)
def test_the_rule_takes_away_and_never_gives(role: Role, methods: tuple[str, ...]) -> None:
    ruled = FactorRule(frozenset(Role)).permissions(role.value, methods)
    assert FactorRule().permissions(role.value, methods) == PERMISSIONS[role]
    assert ruled == (PERMISSIONS[role] if "mfa" in methods else PERMISSIONS[role] & TO_SET_ONE_UP)


def test_the_setting_names_account_types(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(get_args(AccountType)) == {role.value for role in Role} - {"guest"}, "nobody signs in as a guest"
    assert load_settings().second_factor_required_for == ()
    monkeypatch.setenv("SECOND_FACTOR_REQUIRED_FOR", "admin, agent,auditor")
    assert load_settings().second_factor_required_for == STAFF
    for wrong in ("admins", "admin,", "guest", "Admin", "admin;agent"):
        monkeypatch.setenv("SECOND_FACTOR_REQUIRED_FOR", wrong)
        with pytest.raises(ConfigurationError, match="SECOND_FACTOR_REQUIRED_FOR") as caught:
            load_settings()
        assert "admins" not in caught.value.message
