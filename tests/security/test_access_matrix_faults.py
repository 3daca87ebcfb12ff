"""The access matrix sees what it is there for: each fault is planted, and found by the route's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from llm_banking.api.access import declared_routes
from llm_banking.api.dependencies import CallerDep, policy, policy_of, router
from llm_banking.dialogue import repository
from llm_banking.dialogue.errors import SessionNotFoundError
from llm_banking.dialogue.models import ChatSession
from llm_banking.identity.api_keys import ApiKeys
from llm_banking.identity.principal import PUBLIC, Permission, Principal, requires
from llm_banking.identity.roles import PERMISSIONS, Role
from llm_banking.proof.access import access_parts
from tests.api.test_policies import telling_by
from tests.security.matrix import foreign_things, own_things, route_of, undeclared, unnamed_ids, who_may_not
from tests.security.recipes import RECIPES, Recipe
from tests.security.stage import Stage

OF_OTHERS = {
    name: recipe
    for name, recipe in sorted(RECIPES.items())
    if any(thing.table != "users" and thing.refusal is not None for thing in recipe.ids.values())
}
LISTS = ["GET /api/v2/sessions", "GET /api/auth/api-keys", "GET /api/auth/mfa/webauthn", "GET /api/auth/mfa/status"]
TALK = ["POST /api/v1/chat", "POST /api/v2/chat"]
ONE_SESSION = "GET /api/v2/sessions/{session_id}"


def test_a_route_without_a_recipe_is_named(stage: Stage) -> None:
    known = {name: recipe for name, recipe in RECIPES.items() if name != ONE_SESSION}
    (problem,) = undeclared(stage.app, known)
    assert problem.startswith(f"{ONE_SESSION}: undeclared route; add it to RECIPES in tests/security/recipes.py")
    (problem,) = undeclared(stage.app, {**RECIPES, "GET /gone": Recipe()})
    assert problem.startswith("GET /gone: a recipe for a route that is gone")


def test_an_id_that_a_recipe_does_not_name_is_named(stage: Stage) -> None:
    for name, place in ((ONE_SESSION, "path.session_id"), ("POST /api/v1/chat", "body.account_id")):
        ids = {one: thing for one, thing in RECIPES[name].ids.items() if one != place}
        found = unnamed_ids(stage.app, {**RECIPES, name: replace(RECIPES[name], ids=ids)})
        assert f"{name}: {place}: an id that the recipe does not name" in found
    nested = "POST /api/auth/mfa/totp/disable"
    assert f"{nested}: body.step_up.challenge_id: an id that the recipe does not name" in unnamed_ids(
        stage.app, {**RECIPES, nested: Recipe()}
    )


def test_a_route_whose_policy_is_dropped_is_named(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(route_of(stage.app, ONE_SESSION).endpoint, "__policy__")
    assert undeclared(stage.app) == [f"{ONE_SESSION}: no policy; put @policy(...) on its function"]


async def test_a_route_that_is_opened_to_anyone_is_named(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_of(stage.app, ONE_SESSION).endpoint, "__policy__", PUBLIC)
    assert undeclared(stage.app) == [f"{ONE_SESSION}: lets anyone in, yet takes the caller"]
    assert any("anonymous" in one for one in (await own_things(stage, ONE_SESSION)).problems)


def test_a_route_that_nobody_can_find_or_guard_is_named() -> None:
    planted, room = FastAPI(), router("", "planted")

    @room.get("/hidden", include_in_schema=False)
    @policy(requires(Permission.CHAT_READ))
    async def hidden(caller: CallerDep) -> None: ...

    @planted.get("/unguarded")
    @policy(PUBLIC)
    async def unguarded() -> None: ...

    async def plain(request: Request) -> PlainTextResponse:
        return PlainTextResponse("in")

    planted.include_router(room)
    planted.add_route("/plain", plain)
    recipes = {"GET /hidden": Recipe(), "GET /unguarded": Recipe()}
    found = undeclared(planted, recipes)
    assert any(one.startswith("GET /hidden: undeclared route: not in the schema") for one in found)
    assert any(one.startswith("GET /unguarded: does not enforce its policy") for one in found)
    assert any(one.startswith("/plain: served outside of the routes") for one in found)
    recipes["GET /hidden"] = Recipe(hidden="it is nicer so")
    assert "GET /hidden: hidden from the schema, yet not for anyone" in undeclared(planted, recipes)


async def test_a_policy_that_is_not_checked_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Principal, "check", lambda *_: None)
    found = (await who_may_not(stage, "PATCH /api/v2/sessions/{session_id}")).problems
    assert any(one.startswith("PATCH /api/v2/sessions/{session_id}: agent: 200") for one in found)
    assert "PATCH /api/v2/sessions/{session_id}: a refused request changed the database" in found


async def test_a_check_that_comes_after_the_reading_is_found(stage: Stage) -> None:
    before = stage.services.authenticate

    async def reads_first(headers: Mapping[str, str]) -> Principal:
        found = await before(headers)
        async with stage.services.database.transaction(visible_to=[found.user_id]) as session:
            await session.scalar(select(ChatSession).limit(1))
        return found

    with telling_by(stage.app, reads_first):
        found = (await who_may_not(stage, ONE_SESSION)).problems
    assert any("auditor: the database was asked before the refusal" in one for one in found)


async def test_a_key_that_may_do_all_that_its_owner_may_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    verify = ApiKeys.verify

    async def as_the_owner(self: ApiKeys, session: AsyncSession, presented: str) -> Any:
        return replace(await verify(self, session, presented), scopes=PERMISSIONS[Role.USER])

    monkeypatch.setattr(ApiKeys, "verify", as_the_owner)
    found = (await who_may_not(stage, "GET /api/auth/api-keys")).problems
    assert any("key keys:manage: 200" in one for one in found)
    assert any("key chat:read: 200" in one for one in found)


async def test_a_refusal_that_says_whether_there_is_something_is_found(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def tells(session: AsyncSession, session_id: Any, *_: Any, **__: Any) -> ChatSession:
        found = await session.get(ChatSession, session_id)
        error = SessionNotFoundError()
        error.message += " It may be somebody else's." if found is not None else ""
        raise error

    monkeypatch.setattr(repository, "get_session", tells)
    async with stage.walls(up=False):
        found = (await foreign_things(stage, ONE_SESSION)).problems
    assert any("not byte for byte" in one for one in found)


@pytest.mark.parametrize("name", OF_OTHERS)
async def test_without_its_filter_a_query_is_found_out_and_the_second_wall_holds_it(stage: Stage, name: str) -> None:
    if policy_of(route_of(stage.app, name).endpoint).permission is None:
        pytest.skip("a route for anyone knows no caller whose rows a filter could be about")
    with stage.without_filters():
        async with stage.walls(up=False):
            naked = (await foreign_things(stage, name)).problems
        walled = (await foreign_things(stage, name)).problems
    places = {
        place
        for place, thing in OF_OTHERS[name].ids.items()
        if thing.table != "users" and thing.refusal and not thing.anyones
    }
    assert all(any(f"{place} of somebody else" in one for one in naked) for place in places), naked
    assert walled == []


@pytest.mark.parametrize("name", [*LISTS, *TALK])
async def test_without_its_filter_a_list_is_found_out_and_the_second_wall_holds_it(stage: Stage, name: str) -> None:
    with stage.without_filters():
        async with stage.walls(up=False):
            naked = (await own_things(stage, name)).problems
        walled = (await own_things(stage, name)).problems
    assert any("shows words of somebody else" in one for one in naked)
    assert walled == []


def test_a_permission_too_many_changes_the_document(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    routes = [(one.method, one.path, one.policy.permission) for one in declared_routes(stage.app)]
    before = access_parts(routes)
    monkeypatch.setitem(PERMISSIONS, Role.AGENT, PERMISSIONS[Role.AGENT] | {Permission.CHAT_WRITE})
    after = access_parts(routes)
    assert before["roles"] != after["roles"]
    assert before["access"] != after["access"]
