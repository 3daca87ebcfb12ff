"""Sign-in with Google and Microsoft through HTTP, linking, and the code that the page exchanges."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from sqlalchemy import func, select, update

from llm_banking.identity.models import OidcAttempt, User
from llm_banking.identity.oidc.service import METHOD
from llm_banking.identity.repository import purge
from llm_banking.identity.roles import Role
from llm_banking.identity.totp import hotp, step_at
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, Scope
from tests.identity.people import decode_secret
from tests.support.oauth_world import (
    COOKIE,
    World,
    assert_refused,
    bearer,
    callback_of,
    code_in,
    come_back,
    consent,
    exchange,
    registered,
    signed_in,
    start,
    users_of,
)
from tests.support.openid_provider import (
    GOOGLE_ISSUER,
)


@pytest.mark.parametrize("name", ["google", "microsoft"])
async def test_a_person_signs_in_and_is_the_same_user_next_time(
    world: World, browser: AsyncClient, database: Database, name: str
) -> None:
    data = await signed_in(world, browser, name)
    assert data["user"]["account_type"] == "user"
    assert data["user"]["display_name"] == world.provider(name).person["name"]
    assert data["user"]["email"] == world.provider(name).person.get("email")
    me = await browser.get("/api/auth/me", headers=bearer(data["access_token"]))
    assert me.json()["data"] == data["user"]
    renewed = await browser.post("/api/auth/refresh", json={"refresh_token": data["refresh_token"]})
    assert renewed.status_code == 200
    async with world.browser() as other:
        again = await signed_in(world, other, name)
    assert again["user"]["id"] == data["user"]["id"]
    async with database.transaction(scope=Scope.IDENTITY) as session:
        user = await session.get_one(User, UUID(data["user"]["id"]))
    assert (user.password_hash, user.customer_number) == (None, None)


@pytest.mark.parametrize("name", ["google", "microsoft"])
async def test_the_provider_asks_the_person_even_where_it_knows_who_it_is(
    world: World, browser: AsyncClient, name: str
) -> None:
    """ASVS 5.0, 7.6.2: a link of another site that leads to `login` signs nobody in without their doing."""
    _, data = await registered(browser)
    linking = await browser.post(f"/api/auth/oauth/{name}/link", headers=bearer(data["access_token"]))
    for url in (await start(browser, name), linking.json()["data"]["authorization_url"]):
        assert parse_qs(urlsplit(url).query)["prompt"] == ["select_account"]


async def test_the_way_to_the_provider_carries_what_the_standards_ask(world: World, browser: AsyncClient) -> None:
    response = await browser.get("/api/auth/oauth/google/login?redirect_uri=https://evil.example/")
    url = urlsplit(response.headers["Location"])
    query = parse_qs(url.query)
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{GOOGLE_ISSUER}/authorize"
    assert query["response_type"] == ["code"]
    assert query["client_id"] == ["google-client"]
    assert query["redirect_uri"] == [callback_of("google")]
    assert query["scope"] == ["openid email profile"]
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["code_challenge"][0]) == len(query["state"][0]) == len(query["nonce"][0]) == 43
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax", "Max-Age=600"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"


async def test_the_host_header_does_not_change_the_redirect_uri(world: World, browser: AsyncClient) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    response = await browser.get("/api/auth/oauth/google/login", headers=headers)
    assert parse_qs(urlsplit(response.headers["Location"]).query)["redirect_uri"] == [callback_of("google")]


@pytest.mark.parametrize("name", ["github", "GOOGLE", "%2e%2e", "google%00"])
@pytest.mark.parametrize("step", ["login", "callback"])
async def test_an_unknown_provider_is_not_found(browser: AsyncClient, name: str, step: str) -> None:
    response = await browser.get(f"/api/auth/oauth/{name}/{step}")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_a_provider_that_is_not_set_up_is_not_found(client: AsyncClient) -> None:
    response = await client.get("/api/auth/oauth/google/login")
    assert response.status_code == 404
    assert response.json()["error"]["message"].startswith("Sign-in with this provider is not set up here.")


async def test_the_attempt_holds_no_secret_that_can_be_read(
    world: World, browser: AsyncClient, database: Database
) -> None:
    query = parse_qs(urlsplit(await start(browser)).query)
    cookie = browser.cookies[COOKIE]
    async with database.transaction(scope=Scope.IDENTITY) as session:
        rows = list(await session.scalars(select(OidcAttempt)))
    for row in rows:
        stored = row.state_hash + row.browser_hash + row.secrets_encrypted + str(row.details).encode()
        assert all(secret.encode() not in stored for secret in (query["state"][0], query["nonce"][0], cookie))
    assert max(row.expires_at - row.created_at for row in rows) <= timedelta(minutes=10)


async def test_attempts_that_nobody_came_back_with_are_purged(
    world: World, browser: AsyncClient, database: Database
) -> None:
    await start(browser)
    async with database.transaction(scope=Scope.IDENTITY) as session:
        await purge(session, utc_now() + timedelta(minutes=11))
        assert await session.scalar(select(func.count()).select_from(OidcAttempt)) == 0


async def test_two_first_sign_ins_at_once_make_one_user(world: World, database: Database) -> None:
    async with world.browser() as one, world.browser() as two:
        urls = [await consent(world, await start(browser)) for browser in (one, two)]
        responses = await asyncio.gather(one.get(urls[0]), two.get(urls[1]))
    assert [response.status_code for response in responses] == [303, 303]
    assert len(await users_of(database, world.google.person["sub"])) == 1


async def test_the_sign_in_code_is_used_once(world: World, browser: AsyncClient) -> None:
    code = code_in(await come_back(world, browser))
    cookie = browser.cookies[COOKIE]
    response = await exchange(browser, code, device="phone")
    assert response.headers["Cache-Control"] == "no-store"
    assert COOKIE not in browser.cookies
    assert_refused(
        await browser.post("/api/auth/oauth/exchange", json={"code": code}, headers={"Cookie": f"{COOKIE}={cookie}"})
    )


async def test_the_sign_in_code_is_for_one_browser(world: World, browser: AsyncClient) -> None:
    code = code_in(await come_back(world, browser))
    async with world.browser() as thief:
        await start(thief)
        assert_refused(await exchange(thief, code))
    assert_refused(await exchange(browser, code))


async def test_an_expired_sign_in_code_is_refused(world: World, browser: AsyncClient, owner: Database) -> None:
    code = code_in(await come_back(world, browser))
    async with owner.transaction(scope=Scope.IDENTITY) as session:
        await session.execute(update(OidcAttempt).values(expires_at=utc_now()))
    assert_refused(await exchange(browser, code))


async def test_a_state_is_no_sign_in_code_and_a_code_no_state(world: World, browser: AsyncClient) -> None:
    state = parse_qs(urlsplit(await start(browser)).query)["state"][0]
    assert_refused(await exchange(browser, state))
    code = code_in(await come_back(world, browser))
    assert_refused(await browser.get(f"{callback_of('google')}?state={code}&code=x"))


async def test_a_suspended_user_stays_out(world: World, browser: AsyncClient, database: Database) -> None:
    data = await signed_in(world, browser)
    code = code_in(await come_back(world, browser))
    async with database.transaction(scope=Scope.IDENTITY) as session:
        await session.execute(update(User).where(User.id == UUID(data["user"]["id"])).values(status="suspended"))
    assert_refused(await exchange(browser, code))
    assert_refused(await come_back(world, browser))


@pytest.mark.parametrize("step", ["code", "state"])
async def test_tokens_that_were_taken_back_take_the_sign_in_code_with_them(
    world: World, browser: AsyncClient, app: FastAPI, database: Database, step: str
) -> None:
    """A changed role ends every token that was given out before, and so the code that one is waiting for."""
    data = await signed_in(world, browser)
    url = await consent(world, await start(browser))
    code = code_in(await browser.get(url)) if step == "code" else ""
    async with database.transaction(scope=Scope.IDENTITY) as session:
        await app.state.services.identity.accounts.set_role(session, UUID(data["user"]["id"]), Role.PREMIUM)
    if step == "code":
        assert_refused(await exchange(browser, code))
    else:
        code = code_in(await browser.get(url))
        response = await exchange(browser, code)
        assert response.json()["data"]["user"]["account_type"] == Role.PREMIUM


async def test_a_sign_in_says_in_its_token_that_a_provider_vouches_for_it(
    world: World, browser: AsyncClient, app: FastAPI
) -> None:
    data = await signed_in(world, browser)
    caller = await app.state.services.authenticate(bearer(data["access_token"]))
    assert caller.authenticated_by == (METHOD,)


@pytest.mark.parametrize("body", [{}, {"code": ""}, {"code": "x" * 101}, {"code": 5}, {"code": "x", "more": 1}])
async def test_an_exchange_of_another_form_is_not_read(
    world: World, browser: AsyncClient, body: dict[str, object]
) -> None:
    assert (await browser.post("/api/auth/oauth/exchange", json=body)).status_code == 422


async def test_the_suite_sees_a_code_that_any_browser_may_exchange(
    world: World, browser: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_banking.identity.oidc.attempts.hmac.compare_digest", lambda *_: True)
    with pytest.raises(AssertionError):
        await test_the_sign_in_code_is_for_one_browser(world, browser)


async def test_a_second_factor_is_asked_for_whoever_vouched_for_the_first(
    world: World, browser: AsyncClient, database: Database
) -> None:
    person = (await signed_in(world, browser, "google"))["user"]
    user_id, factors = UUID(person["id"]), world.app.state.services.identity.second_factors
    async with database.transaction(visible_to=[user_id]) as session:
        secret = (await factors.totp.enrol(session, user_id, "somebody")).secret
        await factors.totp.confirm(session, user_id, hotp(decode_secret(secret), step_at(utc_now()) - 1))
    code = code_in(await come_back(world, browser, "google"))
    answer = await browser.post("/api/auth/oauth/exchange", json={"code": code, "browser": True})
    assert answer.status_code == 202
    needed = answer.json()["data"]
    assert set(needed) == {"ticket", "challenge"}
    now = hotp(decode_secret(secret), step_at(utc_now()))
    proof = {"challenge_id": needed["challenge"]["challenge_id"], "code": now}
    done = await browser.post("/api/auth/login/second-factor", json={"ticket": needed["ticket"], **proof})
    assert done.status_code == 200
    assert done.json()["data"]["user"]["id"] == person["id"]


async def test_a_sign_in_by_a_provider_ends_the_browsers_earlier_session(world: World, browser: AsyncClient) -> None:
    answers = []
    for _ in range(2):
        code = code_in(await come_back(world, browser))
        body = {"code": code, "browser": True}
        answers.append((await browser.post("/api/auth/oauth/exchange", json=body)).json()["data"]["access_token"])
    codes = [(await browser.get("/api/auth/me", headers=bearer(one))).status_code for one in answers]
    assert codes == [401, 200]
