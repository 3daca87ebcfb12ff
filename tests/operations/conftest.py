from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from llm_banking.kit.database import Database
from tests.conftest import ServiceUrls
from tests.operations.world import World


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.fixture
async def owner(service_urls: ServiceUrls) -> AsyncIterator[Database]:
    """The database as who owns its tables."""
    found = Database(service_urls.database_owner, max_pool_size=1)
    yield found
    await found.close()
