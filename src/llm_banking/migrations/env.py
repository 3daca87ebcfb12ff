"""Run by Alembic: one transaction for all steps, guarded by a lock so that two processes take turns.

Row-level security binds the owner too, so a step that changes rows works in every scope, and says so here.
"""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from llm_banking.kit.database import Scope
from llm_banking.kit.tls import database_tls
from llm_banking.migrations.metadata import product_metadata

_LOCK = 7_205_188_402


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=product_metadata(), transaction_per_migration=False)
    with context.begin_transaction():
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        connection.execute(text("SELECT set_config('app.scopes', :scopes, true)"), {"scopes": f"{{{','.join(Scope)}}}"})
        context.run_migrations()


async def _main() -> None:
    url, tls = database_tls(context.config.attributes["url"])
    engine = create_async_engine(url, poolclass=NullPool, connect_args=tls)
    async with engine.connect() as connection:
        await connection.run_sync(_run)
    await engine.dispose()


asyncio.run(_main())
