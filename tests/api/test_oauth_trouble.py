"""A provider that is down, slow or wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse
from starlette.responses import Response as Answer

from tests.support.oauth_world import (
    World,
    assert_refused,
    assert_unavailable,
    come_back,
    consent,
    signed_in,
    start,
)
from tests.support.openid_provider import (
    GOOGLE_ISSUER,
    OpenIdProvider,
)

BAD_ANSWERS: dict[str, Answer] = {
    "error 500": PlainTextResponse("secret trouble", 500),
    "not found": PlainTextResponse("nothing", 404),
    "huge": Answer(b'{"a": "' + b"x" * 300_000 + b'"}', media_type="application/json"),
    "compressed": Answer(b"\x1f\x8b", headers={"Content-Encoding": "gzip"}, media_type="application/json"),
    "redirect": RedirectResponse(f"{GOOGLE_ISSUER}/keys", 302),
    "not JSON": PlainTextResponse("<html>secret trouble</html>"),
    "a list": JSONResponse([]),
    "nested": Answer(b"[" * 100_000, media_type="application/json"),
}


@pytest.mark.parametrize("endpoint", ["discovery", "keys", "token"])
@pytest.mark.parametrize("case", BAD_ANSWERS)
async def test_a_bad_answer_of_the_provider_is_refused_cleanly(
    world: World, browser: AsyncClient, endpoint: str, case: str
) -> None:
    world.google.wrong_answers[endpoint] = BAD_ANSWERS[case]
    if endpoint == "discovery":
        response = await browser.get("/api/auth/oauth/google/login")
    else:
        response = await come_back(world, browser)
    assert_unavailable(response)
    assert "trouble" not in response.text


async def test_a_slow_provider_is_not_waited_for(
    world: World, browser: AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await consent(world, await start(browser))
    monkeypatch.setattr(app.state.services.identity.oidc._client, "_deadline_s", 0.2)
    world.google.delay_s = 60.0
    assert_unavailable(await browser.get(url))


async def test_a_provider_that_is_down_is_left_alone_for_a_while(world: World, browser: AsyncClient) -> None:
    world.internet.is_down = True
    assert_unavailable(await browser.get("/api/auth/oauth/google/login"))
    world.internet.is_down = False
    assert_unavailable(await browser.get("/api/auth/oauth/google/login"))
    assert world.google.asked["discovery"] == 0
    world.clock_s += 11
    await signed_in(world, browser)


async def test_a_refused_registration_is_our_trouble_not_the_customers(world: World, browser: AsyncClient) -> None:
    url = await consent(world, await start(browser))
    world.google.registration = replace(world.google.registration, client_secret="rotated")
    assert_unavailable(await browser.get(url))


async def test_a_token_answer_without_an_id_token_is_refused(world: World, browser: AsyncClient) -> None:
    world.google.wrong_answers["token"] = JSONResponse({"access_token": "a", "token_type": "Bearer"})
    assert_refused(await come_back(world, browser))


async def test_no_connection_is_held_while_the_provider_is_asked(
    world: World, browser: AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = app.state.services.database
    held: list[int] = []
    answer = OpenIdProvider.__call__

    async def counted(self: OpenIdProvider, request: Any) -> Answer:
        held.append(database.connections_in_use())
        return await answer(self, request)

    monkeypatch.setattr(OpenIdProvider, "__call__", counted)
    await signed_in(world, browser)
    assert len(held) == 4
    assert set(held) == {0}
