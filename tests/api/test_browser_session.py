"""A page's session: its refresh token in a cookie, and no other site's page can use it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.cookies import SimpleCookie
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response
from sqlalchemy import select

from llm_banking.api.auth.browser_session import COOKIE
from llm_banking.api.dependencies import policy_of
from llm_banking.identity.authenticator import Authenticator
from llm_banking.identity.models import RefreshToken, TokenFamily
from llm_banking.kit.database import Database, Scope
from llm_banking.settings import Environment
from tests.api.people import PASSWORD, Person, bearer, code_of, on_a_clock
from tests.api.test_policies import api_routes, telling_by

OURS = {"X-Requested-With": "llm-banking"}
SITE = "https://bank.example"
SESSION_S = 30 * 86_400


@pytest.fixture
async def page(app: FastAPI, client: AsyncClient) -> AsyncIterator[AsyncClient]:
    """A page of ours in a browser of its own, which keeps cookies."""
    async with AsyncClient(transport=ASGITransport(app, raise_app_exceptions=False), base_url=SITE) as found:
        yield found


@pytest.fixture
async def person(app: FastAPI, page: AsyncClient, database: Database) -> AsyncIterator[Person]:
    """A customer without a second factor."""
    with on_a_clock(app) as (clock, factors):
        yield await Person.register(page, database, clock, factors, app_too=False)


async def signed_in(person: Person, **more: Any) -> dict[str, Any]:
    response = await person.login(browser=True, **more)
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def refresh(page: AsyncClient, headers: Any = None, **body: Any) -> Response:
    return await page.post("/api/auth/refresh", json=body, headers=OURS if headers is None else headers)


def cookie_of(response: Response) -> tuple[str, dict[str, str]]:
    """The value of the one cookie that is set, and its attributes in lower case."""
    (header,) = response.headers.get_list("set-cookie")
    ((name, morsel),) = SimpleCookie(header).items()
    assert name == COOKIE
    return morsel.value, {key: str(value).lower() for key, value in morsel.items() if value}


async def used_tokens(person: Person) -> int:
    """Refresh tokens of a person that were used."""
    async with person.database.transaction(scope=Scope.IDENTITY) as session:
        statement = (
            select(RefreshToken.id)
            .join(TokenFamily, TokenFamily.id == RefreshToken.family_id)
            .where(TokenFamily.user_id == person.user_id, RefreshToken.used_at.is_not(None))
        )
        return len(list(await session.scalars(statement)))


@contextmanager
def configured(app: FastAPI, **changes: Any) -> Iterator[None]:
    before = app.state.services
    app.state.services = replace(before, settings=before.settings.model_copy(update=changes))
    try:
        yield
    finally:
        app.state.services = before


async def test_the_refresh_token_is_in_a_cookie_that_no_script_reads(person: Person) -> None:
    response = await person.login(browser=True)
    assert response.json()["data"]["refresh_token"] is None
    value, attributes = cookie_of(response)
    assert value.startswith("llmr_")
    assert value not in response.text
    kept_s = int(attributes.pop("max-age"))
    assert SESSION_S - 60 <= kept_s <= SESSION_S
    assert attributes == {"path": "/", "secure": "true", "httponly": "true", "samesite": "strict"}
    assert response.json()["data"]["access_token"] not in str(response.headers)


async def test_without_a_browser_there_is_no_cookie(person: Person) -> None:
    for response in (await person.login(), await person.login(browser=False)):
        assert response.json()["data"]["refresh_token"].startswith("llmr_")
        assert "Set-Cookie" not in response.headers


async def test_a_page_refreshes_by_its_cookie(person: Person, page: AsyncClient) -> None:
    await signed_in(person, device="page")
    first = page.cookies[COOKIE]
    response = await refresh(page, device="page")
    assert response.status_code == 200, response.text
    assert response.json()["data"]["refresh_token"] is None
    value, attributes = cookie_of(response)
    assert value == page.cookies[COOKIE] != first
    assert 0 < int(attributes["max-age"]) <= SESSION_S, "the session's end, not the refresh's"
    token = response.json()["data"]["access_token"]
    assert (await page.get("/api/auth/me", headers=bearer(token))).status_code == 200
    assert (await refresh(page, device="page")).status_code == 200


async def test_a_token_in_the_body_is_taken_first_and_answered_there(person: Person, page: AsyncClient) -> None:
    await signed_in(person)
    kept = page.cookies[COOKIE]
    token = (await person.login()).json()["data"]["refresh_token"]
    response = await refresh(page, {}, refresh_token=token)
    assert response.json()["data"]["refresh_token"].startswith("llmr_")
    assert "Set-Cookie" not in response.headers
    assert page.cookies[COOKIE] == kept


FOREIGN: list[list[tuple[str, str]]] = [
    [],
    [("X-Requested-With", "XMLHttpRequest")],
    [("X-Requested-With", "")],
    [("X-Requested-With", "llm-banking"), ("X-Requested-With", "other")],
    *(
        [*OURS.items(), ("Origin", origin)]
        for origin in (
            "https://evil.example",
            "http://bank.example",
            "https://bank.example:444",
            "https://bank.example.evil.example",
            "https://app.bank.example",
            "https://BANK.example",
            "null",
            "",
        )
    ),
    [*OURS.items(), ("Origin", SITE), ("Origin", "https://evil.example")],
    *([*OURS.items(), ("Sec-Fetch-Site", site)] for site in ("cross-site", "same-site", "zebra", "")),
    [*OURS.items(), ("Origin", SITE), ("Sec-Fetch-Site", "cross-site")],
    [*OURS.items(), ("Sec-Fetch-Site", "same-origin"), ("Origin", "https://evil.example")],
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_no_other_sites_page_uses_the_cookie(
    person: Person, page: AsyncClient, headers: list[tuple[str, str]]
) -> None:
    await signed_in(person)
    refused = await refresh(page, headers)
    assert code_of(refused) == (403, "FORBIDDEN")
    assert "evil" not in refused.text
    assert "Set-Cookie" not in refused.headers
    assert await used_tokens(person) == 0
    assert (await refresh(page)).status_code == 200, "nothing was used up"


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": SITE}, {"Sec-Fetch-Site": "none"}, {"Origin": SITE, "Sec-Fetch-Site": "same-origin"}]
)
async def test_a_page_of_ours_does(person: Person, page: AsyncClient, headers: dict[str, str]) -> None:
    await signed_in(person)
    assert (await refresh(page, {**OURS, **headers})).status_code == 200


async def test_an_origin_that_the_operator_named_does(person: Person, page: AsyncClient, app: FastAPI) -> None:
    await signed_in(person)
    named = {**OURS, "Origin": "https://app.bank.example"}
    with configured(app, cors_origins=("https://app.bank.example",)):
        assert (await refresh(page, {**OURS, "Origin": "https://evil.example"})).status_code == 403
        assert (await refresh(page, named)).status_code == 200


@pytest.mark.parametrize(
    ("environment", "status"),
    [(Environment.DEVELOPMENT, 200), (Environment.STAGING, 403), (Environment.PRODUCTION, 403)],
)
async def test_an_own_origin_without_tls_is_ours_in_development_alone(
    person: Person, page: AsyncClient, app: FastAPI, environment: Environment, status: int
) -> None:
    await signed_in(person)
    with configured(app, environment=environment):
        assert (await refresh(page, {**OURS, "Origin": "http://bank.example"})).status_code == status


@pytest.mark.parametrize("cookie", [None, "", "llmr_", "llmr_" + "A" * 43, "x" * 4_000])
async def test_without_a_good_cookie_there_is_no_session(page: AsyncClient, cookie: str | None) -> None:
    headers = OURS if cookie is None else {**OURS, "Cookie": f"{COOKIE}={cookie}"}
    assert code_of(await refresh(page, headers)) == (401, "UNAUTHENTICATED")
    assert code_of(await refresh(page, {})) == (403, "FORBIDDEN"), "nobody learns whether there is a cookie"


async def test_the_cookie_alone_changes_nothing(person: Person, page: AsyncClient, app: FastAPI) -> None:
    """Every route that writes and is not open to all asks for the access token."""
    await signed_in(person)
    identity = app.state.services.identity
    strict = Authenticator(identity.tokens, identity.revocations, demo=False)
    asked = 0
    with telling_by(app, strict):
        for route in api_routes(app):
            if policy_of(route.endpoint).permission is None:
                continue
            for method in (route.methods or set()) - {"GET", "HEAD", "OPTIONS"}:
                path = re.sub(r"\{\w+\}", str(uuid4()), route.path)
                assert (await page.request(method, path, json={}, headers=OURS)).status_code == 401, route.path
                asked += 1
    assert asked >= 15
    assert (await refresh(page)).status_code == 200


async def test_signing_out_takes_the_cookie_back(person: Person, page: AsyncClient) -> None:
    token = (await signed_in(person))["access_token"]
    kept = page.cookies[COOKIE]
    response = await page.post("/api/auth/logout", headers=bearer(token))
    value, attributes = cookie_of(response)
    assert (value, attributes["max-age"]) == ("", "0")
    assert {"path": "/", "secure": "true", "httponly": "true", "samesite": "strict"}.items() <= attributes.items()
    assert COOKIE not in page.cookies
    assert code_of(await refresh(page, {**OURS, "Cookie": f"{COOKIE}={kept}"})) == (401, "UNAUTHENTICATED")


async def test_the_second_step_gives_the_cookie(person: Person, page: AsyncClient) -> None:
    await person.add_app()
    first = (await person.login(browser=True)).json()["data"]
    assert COOKIE not in page.cookies
    response = await person.second_step(first, code=person.code(), browser=True)
    assert response.json()["data"]["refresh_token"] is None
    assert cookie_of(response)[0] == page.cookies[COOKIE]
    assert (await refresh(page)).status_code == 200


@pytest.mark.parametrize("browser", ["true", 1, None])
async def test_what_is_neither_true_nor_false_is_refused(person: Person, browser: Any) -> None:
    assert code_of(await person.login(browser=browser)) == (422, "INVALID_REQUEST")


async def test_two_tabs_that_refresh_at_once_share_the_successor(person: Person, page: AsyncClient) -> None:
    await signed_in(person, device="page")
    sent = {**OURS, "Cookie": f"{COOKIE}={page.cookies[COOKIE]}"}
    values = {cookie_of(await refresh(page, sent, device="page"))[0] for _ in range(2)}
    assert len(values) == 1


async def test_no_answer_of_these_routes_is_kept(person: Person, page: AsyncClient) -> None:
    """The middleware says so for all below /api; no route says it by itself."""
    token = (await signed_in(person))["access_token"]
    credentials = {"email": person.email, "password": PASSWORD}
    answers = [
        await page.post("/api/auth/login", json=credentials),
        await refresh(page),
        await page.get("/api/auth/me", headers=bearer(token)),
        await page.post("/api/auth/mfa/totp/enrol", headers=bearer(token)),
        await page.post("/api/auth/logout", headers=bearer(token)),
        await page.post("/api/auth/login", json={**credentials, "password": "wrong"}),
    ]
    assert [one.status_code for one in answers] == [200, 200, 200, 200, 200, 401]
    assert {tuple(one.headers.get_list("Cache-Control")) for one in answers} == {("no-store",)}


async def live_sessions(person: Person) -> int:
    async with person.database.transaction(scope=Scope.IDENTITY) as session:
        live = select(TokenFamily).where(TokenFamily.user_id == person.user_id, TokenFamily.ended_at.is_(None))
        return len(list(await session.scalars(live)))


async def test_a_sign_in_ends_the_browsers_earlier_session(person: Person, page: AsyncClient) -> None:
    """ASVS 5.0, 7.2.4: the session that the cookie stood for, and no other."""
    elsewhere = (await person.login()).json()["data"]
    first = await signed_in(person)
    kept = page.cookies[COOKIE]
    second = await signed_in(person)
    assert page.cookies[COOKIE] != kept
    assert await live_sessions(person) == 2
    assert (await page.get("/api/auth/me", headers=bearer(first["access_token"]))).status_code == 401
    assert (await refresh(page, {}, refresh_token=kept)).status_code == 401
    for one in (second, elsewhere):
        assert (await page.get("/api/auth/me", headers=bearer(one["access_token"]))).status_code == 200
    assert (await refresh(page)).status_code == 200


async def test_a_sign_in_ends_the_session_of_another_person_in_the_same_browser(
    person: Person, page: AsyncClient
) -> None:
    first = await signed_in(person)
    other = await Person.register(page, person.database, person.clock, person.factors, app_too=False)
    second = await signed_in(other)
    assert (await page.get("/api/auth/me", headers=bearer(first["access_token"]))).status_code == 401
    assert (await page.get("/api/auth/me", headers=bearer(second["access_token"]))).status_code == 200
    assert (await live_sessions(person), await live_sessions(other)) == (0, 1)


async def test_an_earlier_session_ends_after_the_second_factor_and_not_before(
    person: Person, page: AsyncClient
) -> None:
    first = await signed_in(person)
    await person.add_app()
    begun = await person.login(browser=True)
    assert begun.status_code == 202
    assert (await page.get("/api/auth/me", headers=bearer(first["access_token"]))).status_code == 200
    done = await person.second_step(begun.json()["data"], browser=True)
    assert done.status_code == 200, done.text
    assert (await page.get("/api/auth/me", headers=bearer(first["access_token"]))).status_code == 401
    assert await live_sessions(person) == 1


@pytest.mark.parametrize("value", ["", "x", "llmr_" + "A" * 43, "llmr_" + "A" * 2000, '"'])
async def test_a_sign_in_takes_no_notice_of_another_cookie(person: Person, page: AsyncClient, value: str) -> None:
    elsewhere = (await person.login()).json()["data"]
    credentials = {"email": person.email, "password": PASSWORD, "browser": True}
    response = await page.post("/api/auth/login", json=credentials, headers={"Cookie": f"{COOKIE}={value}"})
    assert response.status_code == 200, response.text
    assert (await page.get("/api/auth/me", headers=bearer(elsewhere["access_token"]))).status_code == 200


async def test_a_refused_sign_in_ends_nothing(person: Person, page: AsyncClient) -> None:
    first = await signed_in(person)
    assert (await person.login("wrong", browser=True)).status_code == 401
    assert (await person.login()).status_code == 200, "no cookie is replaced"
    assert (await page.get("/api/auth/me", headers=bearer(first["access_token"]))).status_code == 200
    assert (await refresh(page)).status_code == 200
