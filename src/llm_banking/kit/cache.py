"""Redis: what may be lost without harm."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

CONNECT_TIMEOUT_S = 0.5
RETRIES = 1
"""Enough for a pooled connection that went stale; a Redis that is down is reported at once."""
PING_TIMEOUT_S = 1.0


class Cache:
    """One Redis, shared by every worker."""

    def __init__(self, url: str) -> None:
        self.client: Redis = Redis.from_url(
            url,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            socket_timeout=CONNECT_TIMEOUT_S,
            retry=Retry(NoBackoff(), RETRIES),
        )

    async def ping(self) -> bool:
        """Whether Redis answers within PING_TIMEOUT_S."""
        try:
            async with asyncio.timeout(PING_TIMEOUT_S):
                await self.client.ping()
        except (RedisError, OSError, TimeoutError):
            return False
        return True

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()
