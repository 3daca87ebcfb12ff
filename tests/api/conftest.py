"""A server that people sign in to with other providers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from pydantic import SecretStr

from llm_banking.kit.database import Database
from llm_banking.settings import Settings
from tests.conftest import ServiceUrls
from tests.support.oauth_world import BASE, World, oidc_of, registration
from tests.support.openid_provider import (
    GOOGLE_ISSUER,
    MICROSOFT_ISSUER,
    TENANT,
    Internet,
    OpenIdProvider,
)


@pytest.fixture
def world(app: FastAPI, client: AsyncClient, settings: Settings) -> Iterator[World]:
    person = {"sub": uuid4().hex, "email": f"{uuid4().hex}@example.com", "email_verified": True, "name": "Zoe Quill"}
    google = OpenIdProvider(GOOGLE_ISSUER, registration("google"), person)
    microsoft = OpenIdProvider(
        MICROSOFT_ISSUER, registration("microsoft"), {"sub": uuid4().hex, "tid": TENANT, "name": "Ola"}, "ES256"
    )
    made = World(app, google, microsoft, Internet(google, microsoft))
    before = app.state.services
    found = settings.model_copy(
        update={
            "public_base_url": BASE,
            "oauth_google_client_id": "google-client",
            "oauth_google_client_secret": SecretStr(google.registration.client_secret),
            "oauth_microsoft_client_id": "microsoft-client",
            "oauth_microsoft_client_secret": SecretStr(microsoft.registration.client_secret),
            "oauth_microsoft_tenant": TENANT,
        }
    )
    app.state.services = replace(
        before, settings=found, identity=replace(before.identity, oidc=oidc_of(made, found, before.identity))
    )
    yield made
    app.state.services = before


@pytest.fixture
async def browser(world: World) -> AsyncIterator[AsyncClient]:
    async with world.browser() as found:
        yield found


@pytest.fixture
async def owner(service_urls: ServiceUrls) -> AsyncIterator[Database]:
    """The database as who owns its tables: the application may not change an attempt, only make and take it."""
    found = Database(service_urls.database_owner, max_pool_size=1)
    yield found
    await found.close()
