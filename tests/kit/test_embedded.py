"""How the embedded PostgreSQL is set up."""

from __future__ import annotations

import platform

import pytest
from sqlalchemy import text

from llm_banking.kit import embedded
from llm_banking.kit.database import Database


@pytest.mark.parametrize(
    ("system", "release", "reports"),
    [
        ("Linux", "5.8.0-23-generic", True),
        ("Linux", "6.1.0", True),
        ("Linux", "5.4.0", False),
        ("Linux", "4.18.0-513.el8", False),
        ("Linux", "unknown", False),
        ("Darwin", "23.5.0", False),
    ],
)
async def test_a_crash_is_recovered_from_at_once_where_the_system_tells_of_errors(
    database: Database, monkeypatch: pytest.MonkeyPatch, system: str, release: str, reports: bool
) -> None:
    async with database.engine.connect() as connection:
        found = await connection.scalar(text("SHOW recovery_init_sync_method"))
    assert (found == "syncfs") is embedded.syncfs_reports()
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "release", lambda: release)
    assert embedded.syncfs_reports() is reports
