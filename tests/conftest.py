"""Real services for every test: PostgreSQL and Redis of our own, the shipped model, the shipped knowledge."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.app import create_app
from llm_banking.kit.database import Database, Scope, limit_sight
from llm_banking.kit.embedded import embedded_postgres, embedded_redis
from llm_banking.kit.rate_limits import Limit
from llm_banking.knowledge.service import Knowledge, load_knowledge
from llm_banking.migrations import upgrade
from llm_banking.nlu.reader import Reader
from llm_banking.nlu.taxonomy import BY_NAME
from llm_banking.server import seed_demo
from llm_banking.settings import Environment, RateLimits, Settings

DATA_DIR = Path(os.environ.get("LLM_BANKING_DATA_DIR", "data"))
FREE = Limit(requests=100_000, window_s=1, burst_requests=100_000)
"""A limit that no test meets; those of the limits have their own."""
PATIENT_S = 30.0
"""A time in which Redis answers also on a machine that is busy with other things."""
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What this machine cannot run says so in one line each."""
    absent = {
        "data": None if (DATA_DIR / "banking77").is_dir() else f"no data folder at {DATA_DIR} (LLM_BANKING_DATA_DIR)",
        "browser": None if CHROMIUM else "no Chromium on this machine",
    }
    for item in items:
        for marker, reason in absent.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


@dataclass(frozen=True)
class ServiceUrls:
    """Where the test session's own services answer: the database as the application, and as who owns its tables."""

    database: str
    database_owner: str
    redis: str


@pytest.fixture(scope="session")
def service_urls() -> Iterator[ServiceUrls]:
    """An embedded PostgreSQL and Redis for the whole session, in a short path that a Unix socket can have."""
    home = Path(tempfile.mkdtemp(prefix="llmb-"))
    try:
        with embedded_postgres(home) as postgres, embedded_redis(home) as redis:
            upgrade(postgres.owner)
            yield ServiceUrls(postgres.application, postgres.owner, redis)
    finally:
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def settings(service_urls: ServiceUrls, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a demo server on the session's services."""
    return Settings().model_copy(
        update={
            "environment": Environment.TEST,
            "demo": True,
            "home": tmp_path_factory.mktemp("home"),
            "database_url": SecretStr(service_urls.database),
            "redis_url": SecretStr(service_urls.redis),
            "database_max_pool_size": 5,
            "password_memory_kib": 64,
            "password_passes": 1,
            "revocations_stale_s": 3_600,  # no event loop runs during the tests that are not asynchronous
            "rate_limit_timeout_s": PATIENT_S,
            "rate_limits": RateLimits(**dict.fromkeys(set(RateLimits.model_fields) - {"tiers"}, FREE)),
        }
    )


@pytest.fixture(scope="session")
def reader() -> Reader:
    """The shipped model."""
    return Reader.open()


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    """The shipped knowledge."""
    return load_knowledge(frozenset(BY_NAME))


@pytest.fixture(scope="session")
async def database(service_urls: ServiceUrls) -> AsyncIterator[Database]:
    """The seeded database."""
    found = Database(service_urls.database, max_pool_size=5)
    await seed_demo(found)
    yield found
    await found.close()


@pytest.fixture
async def session(database: Database) -> AsyncIterator[AsyncSession]:
    """A transaction in every scope, rolled back when the test ends: no policy is in the way of a test's own rows."""
    async with database.engine.connect() as connection:
        outer = await connection.begin()
        await limit_sight(connection, scopes=tuple(Scope))
        async with AsyncSession(connection, join_transaction_mode="create_savepoint", expire_on_commit=False) as found:
            yield found
        await outer.rollback()


@pytest.fixture(scope="session")
def app(settings: Settings, database: Database) -> FastAPI:
    """The application over the seeded database."""
    return create_app(settings)


@pytest.fixture(scope="session")
async def client(app: FastAPI) -> AsyncIterator[AsyncClient]:
    """A client that gets 500 responses as responses, not as exceptions."""
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=transport, base_url="http://test") as found,
    ):
        yield found


@asynccontextmanager
async def changed_app(app: FastAPI, settings: Settings, **changes: object) -> AsyncIterator[FastAPI]:
    """The application with some settings changed, over the services of `app`; what it opened is closed."""
    found = create_app(settings.model_copy(update=changes))
    own = found.state.services
    found.state.services = app.state.services
    try:
        yield found
    finally:
        await own.close()
