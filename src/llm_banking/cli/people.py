"""`llm-banking users`: what an operator does to people's accounts. Heavy imports wait until a command needs them."""
# ruff: noqa: PLC0415, FBT002

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from llm_banking.cli.shared import app
from llm_banking.kit.errors import LlmBankingError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from llm_banking.identity.models import User
    from llm_banking.identity.service import Accounts
    from llm_banking.kit.database import Database

users_app = typer.Typer(no_args_is_help=True, help="People's accounts.")
app.add_typer(users_app, name="users")

PEOPLE_AT_ONCE = 500
"""In one transaction: far from the time that a statement may take."""
_OPERATOR = "operator"

Yes = Annotated[bool, typer.Option("--yes", help="You have made sure who asks.")]
T = TypeVar("T")


class NotDoneError(LlmBankingError):
    """A command was not carried out; the message says what it takes."""


@users_app.command("reset-second-factors")
def reset_second_factors(
    name: Annotated[str, typer.Argument(metavar="EMAIL_OR_CUSTOMER_NUMBER", show_default=False)],
    yes: Yes = False,
) -> None:
    """For a person who lost the device: remove the second factors and end all sessions. The password stays."""
    if not yes:
        raise NotDoneError(
            "After this the password alone opens the account. Make sure who asks, then repeat with --yes."
        )

    async def reset(session: AsyncSession, accounts: Accounts, user: User) -> None:
        await accounts.reset_second_factors(session, user.id)

    _run(lambda database, accounts: _to_one(database, accounts, name, reset))
    typer.echo("The second factors are removed and all sessions have ended.")


@users_app.command("end-sessions")
def end_sessions(
    name: Annotated[str | None, typer.Argument(metavar="[EMAIL_OR_CUSTOMER_NUMBER]", show_default=False)] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Everybody's sessions, not one person's.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Needed with --all.")] = False,
) -> None:
    """End all sessions of one person, or of everybody: they sign in again. Keys of programs stay good."""
    if (name is None) != everybody:
        raise NotDoneError("Name one person, or give --all for everybody, and not both.")
    if name is not None:

        async def end(session: AsyncSession, accounts: Accounts, user: User) -> int:
            return await accounts.end_sessions(session, user.id, by=_OPERATOR) or 0

        ended = _run(lambda database, accounts: _to_one(database, accounts, name, end))
        typer.echo(f"Sessions ended: {ended}.")
        return
    if not yes:
        raise NotDoneError("Everybody who is signed in is signed out by this. Repeat with --yes.")
    typer.echo(f"Sessions ended of {_run(_end_everybodys)} people.")


async def _end_everybodys(database: Database, accounts: Accounts) -> int:
    from llm_banking.kit.clock import utc_now
    from llm_banking.kit.database import Scope

    began, people = utc_now(), 0
    while True:
        async with database.transaction(scope=Scope.IDENTITY) as session:
            done = await accounts.end_sessions_of_some(session, began, most=PEOPLE_AT_ONCE, by=_OPERATOR)
        if done == 0:
            return people
        people += done


async def _to_one(
    database: Database,
    accounts: Accounts,
    name: str,
    work: Callable[[AsyncSession, Accounts, User], Awaitable[T]],
) -> T:
    from llm_banking.identity import repository
    from llm_banking.kit.database import Scope

    email, number = (name.strip().lower(), None) if "@" in name else (None, name.strip())
    async with database.transaction(scope=Scope.IDENTITY) as session:
        user = await repository.user_by_name(session, email=email, customer_number=number)
        if user is None:
            raise NotDoneError("There is nobody with this e-mail or customer number.")
        return await work(session, accounts, user)


def _run(work: Callable[[Database, Accounts], Awaitable[T]]) -> T:
    """Do a piece of work on the database of the settings, with the log of the server."""
    from llm_banking.identity.wiring import build_identity
    from llm_banking.kit.database import Database
    from llm_banking.kit.logs import configure_logging
    from llm_banking.server import required_database_url
    from llm_banking.settings import load_settings

    settings = load_settings()
    url = required_database_url(settings)
    configure_logging(settings.log_level, settings.home / "logs" / "app.log")
    accounts = build_identity(settings).accounts

    async def run() -> T:
        database = Database(url, max_pool_size=1)
        try:
            return await work(database, accounts)
        finally:
            await database.close()

    return asyncio.run(run())
