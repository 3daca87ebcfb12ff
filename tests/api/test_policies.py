from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from httpx import ASGITransport, AsyncClient
from starlette.routing import Mount

from llm_banking.api.dependencies import UndeclaredPolicyError, enforce_policy, policy_of, router
from llm_banking.api.pages import MOUNTS
from llm_banking.identity.authenticator import Authenticator
from llm_banking.identity.errors import UnauthenticatedError
from llm_banking.identity.principal import Permission, Principal


@contextmanager
def telling_by(app: FastAPI, authenticate: Callable[[Mapping[str, str]], Awaitable[Principal]]) -> Iterator[None]:
    """The application with another way to tell who is calling."""
    before = app.state.services
    app.state.services = replace(before, authenticate=authenticate)
    try:
        yield
    finally:
        app.state.services = before


@contextmanager
def letting_in(app: FastAPI, authenticate: Callable[[Mapping[str, str]], Principal]) -> Iterator[None]:
    """The application with a caller that a plain function names."""

    async def tell(headers: Mapping[str, str]) -> Principal:
        return authenticate(headers)

    with telling_by(app, tell):
        yield


def api_routes(app: FastAPI) -> list[APIRoute]:
    found: list[APIRoute] = []
    pending = list(app.routes)
    while pending:
        route = pending.pop()
        if isinstance(route, APIRoute):
            found.append(route)
        pending += getattr(getattr(route, "original_router", None), "routes", [])
    return found


def unguarded(app: FastAPI) -> list[str]:
    """Routes that declare no policy, or would not enforce it."""
    problems = []
    for route in api_routes(app):
        try:
            policy_of(route.endpoint)
        except UndeclaredPolicyError:
            problems.append(route.path)
            continue
        if enforce_policy not in [dependency.dependency for dependency in route.dependencies]:
            problems.append(route.path)
    return problems


def test_every_route_declares_and_enforces_a_policy(app: FastAPI) -> None:
    assert len(api_routes(app)) >= 18
    assert unguarded(app) == []


def test_nothing_else_is_mounted_than_public_files(app: FastAPI) -> None:
    assert sorted(route.path for route in app.routes if isinstance(route, Mount)) == sorted(MOUNTS)


def test_the_check_sees_a_route_without_a_policy() -> None:
    planted, bare = FastAPI(), router("", "planted")

    @bare.get("/forgotten")
    async def forgotten() -> None: ...

    planted.include_router(bare)

    @planted.get("/unrouted")
    async def unrouted() -> None: ...

    assert sorted(unguarded(planted)) == ["/forgotten", "/unrouted"]


async def test_a_route_without_a_policy_lets_nobody_in(app: FastAPI) -> None:
    planted, bare = FastAPI(), router("", "planted")
    planted.state.services = app.state.services

    @bare.get("/forgotten")
    async def forgotten() -> str:
        return "in"

    planted.include_router(bare)
    async with AsyncClient(transport=ASGITransport(planted), base_url="http://test") as client:
        with pytest.raises(UndeclaredPolicyError):
            await client.get("/forgotten")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/chat"),
        ("POST", "/api/v2/chat"),
        ("GET", "/api/v2/sessions"),
        ("GET", "/api/v2/intents"),
        ("GET", "/api/v2/demo"),
        ("GET", "/health/detailed"),
    ],
)
async def test_without_demo_mode_nobody_is_let_in(app: FastAPI, client: AsyncClient, method: str, path: str) -> None:
    identity = app.state.services.identity
    strict = Authenticator(identity.tokens, identity.revocations, demo=False)
    with pytest.raises(UnauthenticatedError):
        await strict({})
    with telling_by(app, strict):
        response = await client.request(method, path)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert "UNAUTHENTICATED" in response.text


async def test_a_permission_that_is_not_held_is_refused(app: FastAPI, client: AsyncClient) -> None:
    user_id = uuid4()
    reader_only = Principal(user_id, "somebody", frozenset({Permission.CHAT_READ}), frozenset({user_id}))
    with letting_in(app, lambda _: reader_only):
        assert (await client.get("/api/v2/intents")).status_code == 200
        assert (await client.get("/api/v2/demo")).status_code == 403
        assert (await client.get("/health/detailed")).status_code == 403
        response = await client.post("/api/v2/chat", json={"message": "hello"})
    assert response.status_code == 403
    assert response.json()["error"]["message"] == "This needs the permission chat:write."


async def test_an_admin_sees_the_detailed_health(app: FastAPI, client: AsyncClient) -> None:
    user_id = uuid4()
    admin = Principal(user_id, "admin", frozenset({Permission.ADMIN_READ}), frozenset({user_id}))
    with letting_in(app, lambda _: admin):
        body = (await client.get("/health/detailed")).json()
    assert body["status"] == "healthy"
    assert body["database_pool"]["size"] == 5
    assert body["uptime_s"] >= 0
