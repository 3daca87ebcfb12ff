"""The database's schema, step by step (Alembic)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
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

    `url` names the role that owns the tables. Raises ConfigurationError when the database cannot be reached, lets
    nobody in, or has no pgvector.
    """
    try:
        command.upgrade(alembic_config(url), revision)
    except (OSError, PostgresError, DBAPIError) as error:
        raise ConfigurationError(
            f"The database at DATABASE_OWNER_URL cannot be used: {reason_of(error)}. It needs to be a running "
            "PostgreSQL with the extension pgvector, and a role that may create tables."
        ) from error


def reason_of(error: Exception) -> str:
    """PostgreSQL's or the system's own first line, without the driver's class names."""
    said = str(getattr(error, "orig", None) or error).partition("\n")[0].rpartition(">: ")[2]
    return said or "it did not answer in time"


def head_revision() -> str:
    """The revision that this version's code expects."""
    head = ScriptDirectory(str(Path(__file__).parent)).get_current_head()
    if head is None:
        raise ConfigurationError("The migrations are missing from this installation. Install it again.")
    return head


def downgrade(url: str, revision: str) -> None:
    """Take a database down to a revision."""
    command.downgrade(alembic_config(url), revision)
