"""PostgreSQL through one pool. The edge opens a transaction and commits it before it replies.

Every transaction says for whom it works, and row-level security lets it see and write those rows alone (ADR 0007).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import StrEnum
from typing import cast, overload
from uuid import UUID

import asyncpg
from sqlalchemy import MetaData, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import QueuePool

from llm_banking.kit.errors import LlmBankingError
from llm_banking.kit.tls import database_tls

CONNECT_TIMEOUT_S = 2.0
POOL_TIMEOUT_S = 2.0
STATEMENT_TIMEOUT_MS = 5_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000
PING_TIMEOUT_S = 1.0

_LOST_SQLSTATE_CLASSES = ("08", "53", "57P")
"""Connection exception, insufficient resources, operator intervention (PostgreSQL, appendix A)."""


_LIMIT_SIGHT = "SELECT set_config('app.visible_user_ids', $1, true), set_config('app.scopes', $2, true)"
"""Both at once, for one round trip; `true` ends them with the transaction."""


class Scope(StrEnum):
    """Work that no known caller asked for, and which tables' rows it may see whole. There is no scope for everything.

    A scope opens only what its name says: the policies of the migrations 0003 and 0010 list the tables.
    """

    IDENTITY = "identity"
    """Signing in, refreshing, reading keys and factors: users and their credentials; nobody's money or words."""
    SYSTEM = "system"
    """Seeding, the worker, statistics: users, accounts and conversations; nobody's credentials."""
    AGENT = "agent"
    """Answering customers: handoffs that wait and, with an agent's own id, the conversations that this agent took."""


class DatabaseUnavailableError(LlmBankingError):
    """PostgreSQL cannot be reached, or no pooled connection came free in time."""

    code = "DATABASE_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("The database cannot be reached. The request changed nothing; try again in a moment.")


class DatabaseFaultError(LlmBankingError):
    """A statement was refused. Names the SQLSTATE and the constraint, never the values, which are customers' own."""

    def __init__(self, sqlstate: str, constraint: str | None) -> None:
        super().__init__(f"PostgreSQL refused a statement: SQLSTATE {sqlstate}, constraint {constraint}.")


class Base(DeclarativeBase):
    """Declarative base whose constraint names are stable, so that migrations can refer to them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def async_url(url: str) -> str:
    """A PostgreSQL URL in SQLAlchemy's asyncpg form; `postgres://` and `postgresql://` are both taken."""
    for prefix in ("postgresql+asyncpg://", "postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+asyncpg://" + url.removeprefix(prefix)
    return url


def is_connection_loss(error: BaseException) -> bool:
    """Whether an error means that the database is away, rather than that a statement was wrong."""
    if isinstance(error, PoolTimeoutError | OSError | asyncio.TimeoutError):
        return True
    if isinstance(error, DBAPIError) and (error.connection_invalidated or isinstance(error, InterfaceError)):
        return True
    origin = getattr(getattr(error, "orig", None), "__cause__", None) or error
    if isinstance(origin, asyncpg.InterfaceError):
        return True
    state = getattr(origin, "sqlstate", None) or ""
    return isinstance(error, OperationalError | DBAPIError | asyncpg.PostgresError) and state.startswith(
        _LOST_SQLSTATE_CLASSES
    )


def _fault(error: DBAPIError) -> DatabaseFaultError:
    refused = getattr(error.orig, "__cause__", None)
    return DatabaseFaultError(
        getattr(refused, "sqlstate", None) or "unknown", getattr(refused, "constraint_name", None)
    )


async def limit_sight(
    connection: AsyncConnection, *, visible_to: Collection[UUID] = (), scopes: Collection[Scope] = ()
) -> None:
    """Limit what the rest of a transaction sees and writes to these users' rows and to what these scopes open.

    PostgreSQL forgets it when the transaction ends, so a pooled connection carries nothing to the next one.
    """
    users = ",".join(str(user_id) for user_id in visible_to)
    await connection.exec_driver_sql(_LIMIT_SIGHT, (f"{{{users}}}", f"{{{','.join(scopes)}}}"))


class Database:
    """A pool of connections to one PostgreSQL database."""

    def __init__(self, url: str, *, max_pool_size: int) -> None:
        """Nothing connects yet. Raises ConfigurationError for words on TLS in the URL that cannot be used."""
        plain, tls = database_tls(async_url(url))
        self.engine: AsyncEngine = create_async_engine(
            plain,
            pool_size=max_pool_size,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_S,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={
                **tls,
                "timeout": CONNECT_TIMEOUT_S,
                "server_settings": {
                    "application_name": "llm-banking",
                    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                    "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
                    "timezone": "UTC",
                },
            },
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    @overload
    def transaction(self, *, visible_to: Collection[UUID]) -> AbstractAsyncContextManager[AsyncSession]: ...

    @overload
    def transaction(self, *, scope: Scope) -> AbstractAsyncContextManager[AsyncSession]: ...

    def transaction(
        self, *, visible_to: Collection[UUID] | None = None, scope: Scope | None = None
    ) -> AbstractAsyncContextManager[AsyncSession]:
        """One transaction: committed when the block ends, rolled back when it raises.

        It sees and writes the rows of the users in `visible_to` (of none, where that is empty), or what `scope` opens;
        other rows are as if they were not there, and a row written for another user is refused. Exactly one of the two
        is given: a TypeError says so.

        Raises DatabaseUnavailableError when the database is away, whether on entry, inside or at the commit, and
        DatabaseFaultError when it refuses a statement.
        """
        if (visible_to is None) == (scope is None):
            raise TypeError("A transaction says for whom it works: visible_to or scope, and not both.")
        return self._transaction(visible_to or (), () if scope is None else (scope,))

    def for_agent(self, agent_id: UUID) -> AbstractAsyncContextManager[AsyncSession]:
        """One transaction of an agent at work: the own rows, what waits in the queue, and what this agent has taken.

        It ends and raises as `transaction` does.
        """
        return self._transaction({agent_id}, (Scope.AGENT,))

    @asynccontextmanager
    async def _transaction(
        self, visible_to: Collection[UUID], scopes: Collection[Scope]
    ) -> AsyncIterator[AsyncSession]:
        try:
            async with self._sessions.begin() as session:
                await limit_sight(await session.connection(), visible_to=visible_to, scopes=scopes)
                yield session
        except LlmBankingError:
            raise
        except Exception as error:
            if is_connection_loss(error):
                raise DatabaseUnavailableError from error
            if isinstance(error, DBAPIError):
                raise _fault(error).with_traceback(error.__traceback__) from None
            raise

    async def ping(self) -> bool:
        """Whether a statement is answered within PING_TIMEOUT_S."""
        try:
            async with asyncio.timeout(PING_TIMEOUT_S), self.engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except Exception as error:
            if is_connection_loss(error):
                return False
            raise
        return True

    def connections_in_use(self) -> int:
        """Pooled connections that are checked out now."""
        return cast("QueuePool", self.engine.pool).checkedout()

    async def close(self) -> None:
        """Return every connection."""
        await self.engine.dispose()
