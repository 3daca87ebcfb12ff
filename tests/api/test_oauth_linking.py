"""Who may give an account with a provider to a user, and for how long after a sign-in."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from sqlalchemy import update

from llm_banking.identity.models import TokenFamily
from llm_banking.identity.oidc import linking
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, Scope
from tests.support.oauth_world import (
    BASE,
    World,
    assert_refused,
    bearer,
    begin_link,
    consent,
    registered,
    signed_in,
    start,
    users_of,
)


async def test_a_signed_in_user_links_an_account_and_signs_in_with_it(
    world: World, browser: AsyncClient, database: Database
) -> None:
    _, data = await registered(browser)
    for _ in range(2):
        begun = (await begin_link(browser, data["access_token"])).json()["data"]
        assert begun["expires_in"] == 600
        response = await browser.get(await consent(world, begun["authorization_url"]))
        assert (response.status_code, response.headers["Location"]) == (303, f"{BASE}/#linked=google")
    assert await users_of(database, world.google.person["sub"]) == [UUID(data["user"]["id"])]
    assert (await signed_in(world, browser))["user"]["id"] == data["user"]["id"]


async def test_an_account_of_another_user_is_not_taken_over(
    world: World, browser: AsyncClient, database: Database
) -> None:
    owner = (await signed_in(world, browser))["user"]["id"]
    _, data = await registered(browser)
    begun = (await begin_link(browser, data["access_token"])).json()["data"]
    response = await browser.get(await consent(world, begun["authorization_url"]))
    assert (response.status_code, response.json()["error"]["code"]) == (409, "CONFLICT")
    assert await users_of(database, world.google.person["sub"]) == [UUID(owner)]


async def test_a_link_ends_with_the_session_that_began_it(
    world: World, browser: AsyncClient, database: Database
) -> None:
    _, data = await registered(browser)
    begun = (await begin_link(browser, data["access_token"])).json()["data"]
    await browser.post("/api/auth/logout", headers=bearer(data["access_token"]))
    assert_refused(await browser.get(await consent(world, begun["authorization_url"])))
    assert await users_of(database, world.google.person["sub"]) == []


async def test_a_link_that_the_victims_browser_did_not_begin_is_refused(world: World, browser: AsyncClient) -> None:
    _, data = await registered(browser)
    begun = (await begin_link(browser, data["access_token"])).json()["data"]
    url = await consent(world, begun["authorization_url"])
    async with world.browser() as victim:
        assert_refused(await victim.get(url))


async def test_a_user_has_so_many_links_and_no_more(
    world: World, browser: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linking, "MAX_LINKS", 1)
    _, data = await registered(browser)
    responses = []
    for _ in range(2):
        begun = (await begin_link(browser, data["access_token"])).json()["data"]
        responses.append(await browser.get(await consent(world, begun["authorization_url"])))
        world.google.person["sub"] = uuid4().hex
    assert [response.status_code for response in responses] == [303, 409]
    assert responses[1].json()["error"]["code"] == "LIMIT_EXCEEDED"


async def test_only_a_person_who_signed_in_may_link(world: World, browser: AsyncClient) -> None:
    """The demo principal is on in this application and has no session."""
    response = await browser.post("/api/auth/oauth/google/link")
    assert response.status_code == 403
    _, data = await registered(browser)
    assert (await begin_link(browser, data["access_token"], "github")).status_code == 404


async def age_session(database: Database, user_id: str, **by: float) -> None:
    """Make a user's sessions older."""
    async with database.transaction(scope=Scope.IDENTITY) as session:
        older = TokenFamily.created_at - timedelta(**by)
        mine = TokenFamily.user_id == UUID(user_id)
        await session.execute(update(TokenFamily).where(mine).values(created_at=older))


async def test_a_token_of_an_old_sign_in_links_nothing(world: World, browser: AsyncClient, database: Database) -> None:
    """A stolen access token must not become a way in that outlives it."""
    _, data = await registered(browser)
    await age_session(database, data["user"]["id"], minutes=15)
    response = await begin_link(browser, data["access_token"])
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "STEP_UP_REQUIRED"
    assert response.json()["error"]["message"].endswith("Sign in again.")
    assert "Set-Cookie" not in response.headers


async def test_a_link_is_refused_when_the_session_has_expired(
    world: World, browser: AsyncClient, database: Database
) -> None:
    _, data = await registered(browser)
    begun = (await begin_link(browser, data["access_token"])).json()["data"]
    async with database.transaction(scope=Scope.IDENTITY) as session:
        mine = TokenFamily.user_id == UUID(data["user"]["id"])
        await session.execute(update(TokenFamily).where(mine).values(expires_at=utc_now()))
    assert_refused(await browser.get(await consent(world, begun["authorization_url"])))
    assert await users_of(database, world.google.person["sub"]) == []


async def test_a_link_and_a_first_sign_in_at_once_agree_on_one_user(
    world: World, browser: AsyncClient, database: Database
) -> None:
    _, data = await registered(browser)
    begun = (await begin_link(browser, data["access_token"])).json()["data"]
    linked = await consent(world, begun["authorization_url"])
    async with world.browser() as other:
        first = await consent(world, await start(other))
        link, sign_in = await asyncio.gather(browser.get(linked), other.get(first))
    assert (link.status_code, sign_in.status_code) in {(303, 303), (409, 303)}
    assert len(await users_of(database, world.google.person["sub"])) == 1


async def test_a_link_is_made_in_a_transaction_that_sees_its_user_alone(
    world: World, browser: AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, data = await registered(browser)
    begun = (await begin_link(browser, data["access_token"])).json()["data"]
    url = await consent(world, begun["authorization_url"])
    database, seen = app.state.services.database, []
    transaction = database.transaction

    def noted(*, visible_to: Collection[UUID] | None = None, scope: Scope | None = None) -> Any:
        seen.append(scope or set(visible_to or ()))
        return transaction(visible_to=visible_to) if visible_to is not None else transaction(scope=scope)

    monkeypatch.setattr(database, "transaction", noted)
    assert (await browser.get(url)).status_code == 303
    assert seen == [Scope.IDENTITY, {UUID(data["user"]["id"])}]


async def test_the_suite_sees_a_link_that_any_session_may_begin(
    world: World, browser: AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linking, "SIGN_IN_IS_RECENT", timedelta(days=365))
    with pytest.raises(AssertionError):
        await test_a_token_of_an_old_sign_in_links_nothing(world, browser, database)


async def test_the_suite_sees_a_link_that_outlives_its_session(
    world: World, browser: AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linking, "_is_live", lambda _: True)
    for test in (test_a_link_is_refused_when_the_session_has_expired, test_a_link_ends_with_the_session_that_began_it):
        with pytest.raises(AssertionError):
            await test(world, browser, database)
