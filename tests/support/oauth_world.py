"""A server with both providers, and the steps that a browser takes between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import UUID, uuid4

import httpx2
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response
from sqlalchemy import select

from llm_banking.identity.models import OidcIdentity
from llm_banking.identity.oidc.attempts import Attempts
from llm_banking.identity.oidc.directory import Directory
from llm_banking.identity.oidc.http import ProviderClient
from llm_banking.identity.oidc.providers import providers_of
from llm_banking.identity.oidc.service import OidcSignIn
from llm_banking.identity.secret_box import SecretBox
from llm_banking.kit.database import Database, Scope
from llm_banking.settings import Settings
from tests.identity.people import MASTER_KEYS
from tests.support.openid_provider import Internet, OpenIdProvider, Registration

THIRD_TENANT = "77777777-2222-4333-8444-555555555555"
BASE = "https://chat.bank.example"
COOKIE = "__Host-llmb-oauth"
PASSWORD = "plum kettle orbits the quiet harbour"
REFUSED = "The sign-in with the provider could not be completed. Start it again."


def registration(name: str) -> Registration:
    return Registration(f"{name}-client", f"{name}-secret-of-forty-characters-or-so-0123", callback_of(name))


def callback_of(name: str) -> str:
    return f"{BASE}/api/auth/oauth/{name}/callback"


@dataclass
class World:
    """Both providers, and the server that people sign in to with them."""

    app: FastAPI
    google: OpenIdProvider
    microsoft: OpenIdProvider
    internet: Internet
    clock_s: float = 1_000.0

    def provider(self, name: str) -> OpenIdProvider:
        return self.google if name == "google" else self.microsoft

    def browser(self) -> AsyncClient:
        return AsyncClient(transport=ASGITransport(self.app, raise_app_exceptions=False), base_url=BASE)

    async def at_provider(self, url: str) -> httpx2.Response:
        async with httpx2.AsyncClient(transport=self.internet.transport()) as client:
            return await client.get(url)


def oidc_of(world: World, settings: Settings, identity: Any) -> OidcSignIn:
    providers = providers_of(settings)
    client = ProviderClient(transport=world.internet.transport)
    directory = Directory(client, providers, loopback_http=False, clock=lambda: world.clock_s)
    return OidcSignIn(
        providers, client, directory, Attempts(identity.keyed, SecretBox(MASTER_KEYS)), identity.admission
    )


async def start(browser: AsyncClient, name: str = "google") -> str:
    """Begin a sign-in; the address at the provider."""
    response = await browser.get(f"/api/auth/oauth/{name}/login")
    assert response.status_code == 302, response.text
    return response.headers["Location"]


async def consent(world: World, url: str) -> str:
    """Sign in at the provider; the address that it sends the browser back to."""
    response = await world.at_provider(url)
    assert response.status_code == 302, response.text
    location: str = response.headers["Location"]
    return location


async def come_back(world: World, browser: AsyncClient, name: str = "google") -> Response:
    return await browser.get(await consent(world, await start(browser, name)))


def code_in(response: Response) -> str:
    assert response.status_code == 303, response.text
    found = urlsplit(response.headers["Location"])
    assert f"{found.scheme}://{found.netloc}{found.path}?{found.query}" == f"{BASE}/?", "nothing but the fragment"
    return parse_qs(found.fragment)["sign_in_code"][0]


async def exchange(browser: AsyncClient, code: str, **more: str) -> Response:
    return await browser.post("/api/auth/oauth/exchange", json={"code": code, **more})


async def signed_in(world: World, browser: AsyncClient, name: str = "google") -> dict[str, Any]:
    response = await exchange(browser, code_in(await come_back(world, browser, name)))
    assert response.status_code == 200, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


def with_query(url: str, **changed: str | None) -> str:
    """An address with other parameters; None takes one away."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query)) | changed
    return urlunsplit(parts._replace(query=urlencode({name: value for name, value in query.items() if value})))


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def assert_refused(response: Response) -> None:
    assert response.status_code == 401, response.text
    error = response.json()["error"]
    assert (error["code"], error["message"], error["details"]) == ("UNAUTHENTICATED", REFUSED, {})
    assert "Location" not in response.headers


def assert_unavailable(response: Response) -> None:
    assert (response.status_code, response.json()["error"]["code"]) == (503, "PROVIDER_UNAVAILABLE")
    assert response.headers["Retry-After"] == "2"


async def users_of(database: Database, subject: str) -> list[UUID]:
    async with database.transaction(scope=Scope.IDENTITY) as session:
        statement = select(OidcIdentity.user_id).where(OidcIdentity.subject == subject)
        return list(await session.scalars(statement))


async def registered(browser: AsyncClient) -> tuple[str, dict[str, Any]]:
    """A customer with a password, signed in: the e-mail and the answer of the sign-in."""
    email = f"{uuid4().hex}@example.com"
    body = {"email": email, "password": PASSWORD, "display_name": "Victim"}
    assert (await browser.post("/api/auth/register", json=body)).status_code == 202
    response = await browser.post("/api/auth/login", json={"email": email, "password": PASSWORD})
    return email, response.json()["data"]


async def begin_link(browser: AsyncClient, token: str, name: str = "google") -> Response:
    return await browser.post(f"/api/auth/oauth/{name}/link", headers=bearer(token))
