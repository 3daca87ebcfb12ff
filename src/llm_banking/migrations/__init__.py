"""The database's schema, step by step (Alembic)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from asyncpg import PostgresError
from sqlalchemy.exc import DBAPIError

from llm_banking.kit.database import async_url
from llm_banking.kit.errors import ConfigurationError


def alembic_config(url: str) -> Config:
    """Alembic's configuration for a database; no file is needed."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["url"] = async_url(url)
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Bring a database up to a revision; nothing happens when it is there already.

    Raises ConfigurationError when the database cannot be reached, lets nobody in, or has no pgvector.
    """
    try:
        command.upgrade(alembic_config(url), revision)
    except (OSError, PostgresError, DBAPIError) as error:
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0].rpartition(">: ")[2]
        raise ConfigurationError(
            f"The database at DATABASE_URL cannot be used: {reason}. It needs to be a running PostgreSQL with the "
            "extension pgvector, and a role that may create tables."
        ) from error


def downgrade(url: str, revision: str) -> None:
    """Take a database down to a revision."""
    command.downgrade(alembic_config(url), revision)
