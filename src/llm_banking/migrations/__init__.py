"""The database's schema, step by step (Alembic)."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

from llm_banking.kit.database import async_url


def alembic_config(url: str) -> Config:
    """Alembic's configuration for a database; no file is needed."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["url"] = async_url(url)
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Bring a database up to a revision; nothing happens when it is there already."""
    command.upgrade(alembic_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Take a database down to a revision."""
    command.downgrade(alembic_config(url), revision)
