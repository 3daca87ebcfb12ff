"""`llm-banking users`: people's accounts."""
# ruff: noqa: PLC0415, FBT002

from __future__ import annotations

from typing import Annotated

import typer

from llm_banking.cli.shared import app, fail

users_app = typer.Typer(no_args_is_help=True, help="People's accounts.")
app.add_typer(users_app, name="users")


@users_app.command("reset-second-factors")
def users_reset_second_factors(
    name: Annotated[str, typer.Argument(metavar="EMAIL_OR_CUSTOMER_NUMBER", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help="You have made sure who asks.")] = False,
) -> None:
    """For a person who lost the device: remove the second factors and end all sessions. The password stays."""
    import asyncio

    from llm_banking.identity import repository
    from llm_banking.identity.wiring import build_identity
    from llm_banking.kit.database import Database, Scope
    from llm_banking.kit.logs import configure_logging
    from llm_banking.server import required_database_url
    from llm_banking.settings import load_settings

    if not yes:
        fail("After this the password alone opens the account. Make sure who asks, then repeat with --yes.")
    settings = load_settings()
    url = required_database_url(settings)
    configure_logging(settings.log_level, settings.home / "logs" / "app.log")
    accounts = build_identity(settings).accounts
    email, number = (name.strip().lower(), None) if "@" in name else (None, name.strip())

    async def run() -> bool:
        database = Database(url, max_pool_size=1)
        try:
            async with database.transaction(scope=Scope.IDENTITY) as session:
                user = await repository.user_by_name(session, email=email, customer_number=number)
                return user is not None and await accounts.reset_second_factors(session, user.id)
        finally:
            await database.close()

    if not asyncio.run(run()):
        fail("There is nobody with this e-mail or customer number.")
    typer.echo("The second factors are removed and all sessions have ended.")
