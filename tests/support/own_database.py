"""A database of a test's own beside the session's, on the same server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from llm_banking.kit.database import async_url
from llm_banking.migrations import upgrade
from tests.conftest import ServiceUrls


async def as_administrator(url: str, *statements: str) -> None:
    """Run statements outside of any transaction."""
    engine = create_async_engine(async_url(url), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()


@asynccontextmanager
async def own_database(urls: ServiceUrls, name: str, *, migrated: bool = True) -> AsyncIterator[ServiceUrls]:
    """The session's services with another database, which is gone afterwards."""

    def to(url: str) -> str:
        return make_url(url).set(database=name).render_as_string(hide_password=False)

    gone = f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"
    await as_administrator(urls.database_owner, gone, f"CREATE DATABASE {name}")
    try:
        if migrated:
            await asyncio.to_thread(upgrade, to(urls.database_owner))
        yield ServiceUrls(to(urls.database), to(urls.database_owner), urls.redis)
    finally:
        await as_administrator(urls.database_owner, gone)
