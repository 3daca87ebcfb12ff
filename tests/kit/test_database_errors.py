from __future__ import annotations

import socket

import asyncpg
import pytest
from sqlalchemy import exc, text
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi

from llm_banking.kit.database import Database, DatabaseUnavailableError, Scope, async_url, is_connection_loss

LOST = [
    asyncpg.ConnectionDoesNotExistError("gone"),
    asyncpg.ConnectionFailureError("gone"),
    asyncpg.TooManyConnectionsError("full"),
    asyncpg.AdminShutdownError("terminating connection due to administrator command"),
    asyncpg.CrashShutdownError("crash"),
    asyncpg.CannotConnectNowError("the database system is starting up"),
    asyncpg.InterfaceError("connection is closed"),
]
WRONG = [
    asyncpg.UniqueViolationError("twice"),
    asyncpg.ForeignKeyViolationError("orphan"),
    asyncpg.UndefinedTableError("no table"),
    asyncpg.DivisionByZeroError("1/0"),
    asyncpg.DataError("invalid input for query argument $1"),
    asyncpg.QueryCanceledError("canceling statement due to statement timeout"),
    asyncpg.SerializationError("could not serialize access"),
    asyncpg.DeadlockDetectedError("deadlock detected"),
]


def wrapped(error: Exception) -> exc.DBAPIError:
    """The error as SQLAlchemy raises it over asyncpg: driver error → dialect error → DBAPIError."""
    dialect: Exception = AsyncAdapt_asyncpg_dbapi.Error(str(error))
    dialect.__cause__ = error
    return exc.DBAPIError("SELECT 1", {}, dialect)


@pytest.mark.parametrize("error", LOST, ids=lambda one: type(one).__name__)
def test_a_database_that_is_away_is_known_bare_and_wrapped(error: Exception) -> None:
    assert is_connection_loss(error)
    assert is_connection_loss(wrapped(error))


@pytest.mark.parametrize("error", WRONG, ids=lambda one: type(one).__name__)
def test_a_wrong_statement_is_not_taken_for_a_lost_database(error: Exception) -> None:
    assert not is_connection_loss(error)
    assert not is_connection_loss(wrapped(error))


@pytest.mark.parametrize(
    "error",
    [ConnectionRefusedError(), TimeoutError(), OSError("no route to host"), exc.TimeoutError("QueuePool limit")],
)
def test_refusal_timeout_and_an_exhausted_pool_count_as_away(error: Exception) -> None:
    assert is_connection_loss(error)


def test_an_invalidated_connection_counts_as_away() -> None:
    assert is_connection_loss(exc.DBAPIError("SELECT 1", {}, Exception("eof"), connection_invalidated=True))


@pytest.mark.parametrize("error", [ValueError("ours"), KeyError("ours"), exc.InvalidRequestError("ours")])
def test_a_mistake_of_our_own_is_not_a_lost_database(error: Exception) -> None:
    assert not is_connection_loss(error)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_postgres_scheme_becomes_the_asyncpg_one(scheme: str) -> None:
    assert async_url(f"{scheme}://u:p@h:5432/d?x=y") == "postgresql+asyncpg://u:p@h:5432/d?x=y"


async def test_a_database_that_is_not_there_is_reported_and_not_raised_as_something_else() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    database = Database(f"postgresql://u@127.0.0.1:{port}/d", max_pool_size=1)
    assert await database.ping() is False
    with pytest.raises(DatabaseUnavailableError):
        async with database.transaction(scope=Scope.SYSTEM) as session:
            await session.execute(text("SELECT 1"))
    assert database.connections_in_use() == 0
    await database.close()
