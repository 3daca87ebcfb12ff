"""One stage for all tests of who may do what."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from llm_banking.settings import Settings
from tests.conftest import ServiceUrls
from tests.security.stage import Stage, staged


@pytest.fixture(scope="session")
async def stage(service_urls: ServiceUrls, settings: Settings) -> AsyncIterator[Stage]:
    async with staged(service_urls, settings) as found:
        yield found
