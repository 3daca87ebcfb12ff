from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from llm_banking.kit.cache import Cache
from llm_banking.kit.embedded import embedded_redis

HANG_GUARD_S = 30.0


@pytest.fixture
def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def silent_port() -> AsyncIterator[int]:
    """A port that takes connections and never says a word."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    yield int(server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()


@pytest.fixture
def own_redis() -> Iterator[str]:
    """A Redis of this test's own, in a path short enough for a Unix socket."""
    home = Path(tempfile.mkdtemp(prefix="llmb-"))
    try:
        with embedded_redis(home) as url:
            yield url
    finally:
        shutil.rmtree(home)


async def ping(url: str) -> bool:
    cache = Cache(url)
    try:
        async with asyncio.timeout(HANG_GUARD_S):
            return await cache.ping()
    finally:
        await cache.close()


async def test_a_running_redis_answers(own_redis: str) -> None:
    assert await ping(own_redis) is True


async def test_a_redis_that_is_down_is_reported(closed_port: int) -> None:
    assert await ping(f"redis://127.0.0.1:{closed_port}/0") is False


async def test_a_redis_that_never_answers_is_reported(silent_port: int) -> None:
    assert await ping(f"redis://127.0.0.1:{silent_port}/0") is False


async def test_a_socket_that_is_not_there_is_reported(tmp_path: Path) -> None:
    assert await ping(f"unix://{tmp_path}/no.sock") is False
