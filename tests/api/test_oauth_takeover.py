"""Accounts and attempts that are not the caller's."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID, uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from sqlalchemy import select, update

from llm_banking.identity.models import OidcAttempt, User
from llm_banking.identity.oidc import linking
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, Scope
from tests.support.oauth_world import (
    World,
    assert_refused,
    callback_of,
    code_in,
    consent,
    registered,
    signed_in,
    start,
    users_of,
    with_query,
)
from tests.support.openid_provider import (
    GOOGLE_ISSUER,
    MICROSOFT_ISSUER,
)


async def test_the_same_e_mail_with_another_subject_is_another_user(
    world: World, browser: AsyncClient, database: Database
) -> None:
    email, victim = await registered(browser)
    world.google.person["email"] = email.upper()
    data = await signed_in(world, browser)
    assert data["user"]["id"] != victim["user"]["id"]
    assert data["user"]["email"] is None
    first = world.google.person["sub"]
    world.google.person["sub"] = uuid4().hex
    async with world.browser() as other:
        third = await signed_in(world, other)
    assert len({third["user"]["id"], data["user"]["id"], victim["user"]["id"]}) == 3
    assert await users_of(database, first) == [UUID(data["user"]["id"])]


@pytest.mark.parametrize("verified", [False, None, "true", 1])
async def test_an_e_mail_that_is_not_verified_is_not_kept(world: World, browser: AsyncClient, verified: object) -> None:
    world.google.person["email_verified"] = verified
    assert (await signed_in(world, browser))["user"]["email"] is None


@pytest.mark.parametrize("email", ["no address", "é@example.com", "a@b@c.de", "a" * 300 + "@example.com", 5])
async def test_an_e_mail_that_is_none_is_not_kept(world: World, browser: AsyncClient, email: object) -> None:
    world.google.person["email"] = email
    assert (await signed_in(world, browser))["user"]["email"] is None


async def test_the_same_subject_of_another_provider_is_another_user(world: World, browser: AsyncClient) -> None:
    data = await signed_in(world, browser)
    world.microsoft.person["sub"] = world.google.person["sub"]
    async with world.browser() as other:
        assert (await signed_in(world, other, "microsoft"))["user"]["id"] != data["user"]["id"]


@pytest.mark.parametrize("name", [None, 7, "\u202e\u0000", "  "])
async def test_a_name_that_cannot_be_shown_is_replaced(world: World, browser: AsyncClient, name: object) -> None:
    world.google.person["name"] = name
    assert (await signed_in(world, browser))["user"]["display_name"] == linking.NAMELESS


async def test_a_replayed_callback_is_refused(world: World, browser: AsyncClient) -> None:
    url = await consent(world, await start(browser))
    code_in(await browser.get(url))
    assert_refused(await browser.get(url))
    assert world.google.asked["token"] == 1


async def test_of_many_callbacks_at_once_one_is_let_in(world: World, browser: AsyncClient) -> None:
    url = await consent(world, await start(browser))
    responses = await asyncio.gather(*(browser.get(url) for _ in range(8)))
    assert sorted(response.status_code for response in responses) == [303] + [401] * 7
    assert world.google.asked["token"] == 1


async def test_the_state_of_another_browser_is_refused(world: World, browser: AsyncClient) -> None:
    """Login CSRF: the attacker's own callback in the victim's browser."""
    url = await consent(world, await start(browser))
    async with world.browser() as victim:
        assert_refused(await victim.get(url))
        await start(victim)
        assert_refused(await victim.get(url))
    assert_refused(await browser.get(url))
    assert world.google.asked["token"] == 0


async def test_an_expired_attempt_is_refused(world: World, browser: AsyncClient, owner: Database) -> None:
    url = await consent(world, await start(browser))
    async with owner.transaction(scope=Scope.IDENTITY) as session:
        await session.execute(update(OidcAttempt).values(expires_at=utc_now()))
    assert_refused(await browser.get(url))


async def test_an_attempt_of_google_at_microsofts_callback_is_refused(world: World, browser: AsyncClient) -> None:
    """Mix-up (RFC 9700, section 4.4)."""
    url = await consent(world, await start(browser))
    assert_refused(await browser.get(url.replace("/google/", "/microsoft/")))
    assert_refused(await browser.get(url))
    assert world.google.asked["token"] == world.microsoft.asked["token"] == 0


@pytest.mark.parametrize(
    "issuer", [MICROSOFT_ISSUER, "https://evil.example", GOOGLE_ISSUER + "/", "accounts.google.com"]
)
async def test_an_answer_of_another_issuer_is_refused(world: World, browser: AsyncClient, issuer: str) -> None:
    """RFC 9207."""
    url = await consent(world, await start(browser))
    assert_refused(await browser.get(with_query(url, iss=issuer)))
    assert world.google.asked["token"] == 0


async def test_a_provider_that_names_itself_must_do_so(world: World, browser: AsyncClient) -> None:
    world.google.names_issuer = True
    url = await consent(world, await start(browser))
    assert_refused(await browser.get(with_query(url, iss=None)))
    await signed_in(world, browser)


@pytest.mark.parametrize("state", [None, "", "x", "x" * 43, "x" * 100])
async def test_a_state_that_is_not_ours_is_refused(world: World, browser: AsyncClient, state: str | None) -> None:
    url = await consent(world, await start(browser))
    assert_refused(await browser.get(with_query(url, state=state)))


@pytest.mark.parametrize("name", ["state", "code", "iss", "error"])
async def test_a_parameter_that_comes_twice_is_refused(world: World, browser: AsyncClient, name: str) -> None:
    url = await consent(world, await start(browser))
    assert_refused(await browser.get(f"{url}&{name}=a&{name}=b"))


async def test_a_code_of_another_attempt_is_refused(world: World, browser: AsyncClient) -> None:
    """Code injection: the attacker has the victim's code and puts it into an attempt of their own."""
    async with world.browser() as victim:
        stolen = parse_qs(urlsplit(await consent(world, await start(victim))).query)["code"][0]
    own = await consent(world, await start(browser))
    assert_refused(await browser.get(with_query(own, code=stolen)))
    assert world.google.asked["token"] == 1


async def test_the_nonce_refuses_such_a_code_where_the_provider_does_not_check_the_verifier(
    world: World, browser: AsyncClient
) -> None:
    world.google.checks_pkce = False
    async with world.browser() as victim:
        stolen = parse_qs(urlsplit(await consent(world, await start(victim))).query)["code"][0]
    own = await consent(world, await start(browser))
    assert_refused(await browser.get(with_query(own, code=stolen)))


@pytest.mark.parametrize("code", [None, "unknown", "x" * 4_096])
async def test_a_code_that_the_provider_did_not_give_is_refused(
    world: World, browser: AsyncClient, code: str | None
) -> None:
    url = await consent(world, await start(browser))
    assert_refused(await browser.get(with_query(url, code=code)))


@pytest.mark.parametrize("verifier", ["", "wrong-verifier-of-the-right-length-0123456789-abcdefghij"])
async def test_a_missing_or_wrong_verifier_is_refused(
    world: World, browser: AsyncClient, app: FastAPI, monkeypatch: pytest.MonkeyPatch, verifier: str
) -> None:
    attempts = app.state.services.identity.oidc._attempts
    take = attempts.take

    async def other(*args: Any, **named: Any) -> Any:
        return replace(await take(*args, **named), verifier=verifier)

    url = await consent(world, await start(browser))
    monkeypatch.setattr(attempts, "take", other)
    assert_refused(await browser.get(url))
    assert world.google.asked["token"] == 1


async def test_the_provider_gives_no_code_without_a_challenge(world: World, browser: AsyncClient) -> None:
    """The test provider does check: otherwise the tests above would prove nothing."""
    url = await consent(world, with_query(await start(browser), code_challenge=None))
    assert "error=invalid_request" in url
    assert_refused(await browser.get(url))


async def test_a_manipulated_redirect_uri_is_not_followed(
    world: World, browser: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await start(browser)
    answer = await world.at_provider(with_query(url, redirect_uri="https://evil.example/callback"))
    assert (answer.status_code, answer.headers.get("Location")) == (400, None)
    back = await consent(world, url)
    world.google._grants[parse_qs(urlsplit(back).query)["code"][0]].redirect_uri = "https://evil.example/callback"
    assert_refused(await browser.get(back))


async def test_an_altered_row_is_refused(world: World, browser: AsyncClient, owner: Database) -> None:
    url = await consent(world, await start(browser))
    async with owner.transaction(scope=Scope.IDENTITY) as session:
        for row in await session.scalars(select(OidcAttempt)):
            sealed = bytearray(row.secrets_encrypted)
            sealed[20] ^= 1
            row.secrets_encrypted = bytes(sealed)
    assert_refused(await browser.get(url))
    assert world.google.asked["token"] == 0


async def test_secrets_of_another_row_are_refused(world: World, browser: AsyncClient, owner: Database) -> None:
    async with world.browser() as attacker:
        await start(attacker)
        async with owner.transaction(scope=Scope.IDENTITY) as session:
            stolen = (await session.scalars(select(OidcAttempt).order_by(OidcAttempt.created_at.desc()))).first()
    assert stolen is not None
    url = await consent(world, await start(browser))
    async with owner.transaction(scope=Scope.IDENTITY) as session:
        await session.execute(update(OidcAttempt).values(secrets_encrypted=stolen.secrets_encrypted))
    assert_refused(await browser.get(url))
    assert world.google.asked["token"] == 0


async def test_an_error_of_the_provider_is_not_repeated(world: World, browser: AsyncClient) -> None:
    state = parse_qs(urlsplit(await start(browser)).query)["state"][0]
    query = urlencode({"state": state, "error": "access_denied", "error_description": "<b>Call 555-0100 now</b>"})
    response = await browser.get(f"{callback_of('google')}?{query}")
    assert_refused(response)
    assert "555" not in response.text
    assert "denied" not in response.text


async def test_the_suite_sees_linking_by_e_mail(
    world: World, browser: AsyncClient, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    owner = linking._owner

    async def by_email(session: Any, claims: Any) -> UUID | None:
        found = (await session.scalars(select(User.id).where(User.email == claims.email.lower()))).one_or_none()
        return found or await owner(session, claims)

    monkeypatch.setattr(linking, "_owner", by_email)
    with pytest.raises(AssertionError):
        await test_the_same_e_mail_with_another_subject_is_another_user(world, browser, database)


async def test_the_suite_sees_a_browser_that_is_not_checked(
    world: World, browser: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_banking.identity.oidc.attempts.hmac.compare_digest", lambda *_: True)
    with pytest.raises(AssertionError):
        await test_the_state_of_another_browser_is_refused(world, browser)
