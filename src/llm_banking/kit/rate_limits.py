"""Token buckets shared by every worker, decided in one Redis script; and what stands in while Redis is away.

A bucket holds `burst_requests` tokens and gains `requests` of them every `window_s`. Levels are whole numbers of units:
a token is `window_s` * 10^6 units and `requests` units come back every microsecond, so nothing is ever rounded, and in
any span of time a bucket gives at most burst_requests + requests * span / window_s tokens.

That holds while Redis answers in time. Otherwise each worker has its share of the limit, from the level on that it saw
last; an outage may cost a burst, and the rate once more while it lasts.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import cast

from pydantic import BaseModel, ConfigDict, Field
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from llm_banking.kit.errors import LlmBankingError
from llm_banking.kit.logs import get_logger

TIMEOUT_S = 0.05
"""A decision falls in this time, whatever Redis does."""
_GRACE = 0.2
"""The part of that time in which an answer is only read, no more waited for."""
CIRCUIT_OPEN_S = 1.0
"""After a failure Redis is left alone for this time; then one request tries it."""
SLOW_FOR_S = 0.2
"""A late answer is a failure only after so long without any: a machine that is short of time is late now and then."""
CALL_TIMEOUT_S = 0.5
"""A step of a call ends after this time, also where nobody waits for it: it may open the connection for the next."""
UNAVAILABLE_RETRY_AFTER_S = 2
MAX_CONNECTIONS = 4
"""A decision takes a connection for a fraction of a millisecond; opening one takes some."""
MAX_CALLS = 1_000
"""As many calls may wait for Redis; what comes beside them is decided without it."""
MAX_LOCAL_BUCKETS = 20_000
MIN_KEY_BYTES = 16

_US = 1_000_000


class RateLimitExceededError(LlmBankingError):
    """A bucket is empty. `retry_after_s` says when it will not be."""

    code = "RATE_LIMIT_EXCEEDED"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"Too many requests. Try again in {retry_after_s} s.", retry_after_s=retry_after_s)


class RateLimitUnavailableError(LlmBankingError):
    """Redis is away, and what was asked for is not done without its limits."""

    code = "RATE_LIMIT_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__(
            "The limits on this kind of request cannot be checked now, so it is not taken. Try again in a moment.",
            retry_after_s=UNAVAILABLE_RETRY_AFTER_S,
        )


class Limit(BaseModel):
    """`requests` every `window_s` seconds, of which `burst_requests` may be saved up."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    requests: int = Field(ge=1, le=100_000)
    window_s: int = Field(ge=1, le=86_400)
    burst_requests: int = Field(ge=1, le=100_000)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Whose tokens: the name of the rule, its limit, and the identity that it counts (bytes that may be personal)."""

    name: str
    limit: Limit
    identity: bytes


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether one token came from every bucket, and the state of the tightest bucket afterwards.

    `remaining` tokens are in it; a whole one is there again in `wait_s`, rounded up (0 where one is). `shared` is false
    where this worker decided alone, because Redis is away.
    """

    admitted: bool
    name: str
    limit: Limit
    remaining: int
    wait_s: int
    shared: bool = True


@dataclass(frozen=True, slots=True)
class _Units:
    """A limit in units: what a token costs, what comes back in a microsecond, what is held, the time to fill."""

    cost: int
    rate: int
    capacity: int
    fill_us: int

    @classmethod
    def of(cls, limit: Limit, workers: int = 1) -> _Units:
        """The whole limit, or the share of one of several workers: never less than a token can be saved."""
        cost = limit.window_s * _US * workers
        capacity = max(limit.burst_requests * limit.window_s * _US, cost)
        return cls(cost, limit.requests, capacity, -(-capacity // limit.requests))

    def refilled(self, level: int, moment_us: int, now_us: int) -> tuple[int, int]:
        """What a bucket of that level holds now, and the moment that is counted from; as in the Lua script."""
        elapsed = now_us - moment_us
        if -self.fill_us <= elapsed < 0:
            return level, moment_us
        if 0 <= elapsed < self.fill_us:
            return min(self.capacity, level + elapsed * self.rate), now_us
        return self.capacity, now_us

    def wait_us(self, level: int) -> int:
        return max(0, -(-(self.cost - level) // self.rate))


def _decision(buckets: Sequence[Bucket], units: Sequence[_Units], levels: Sequence[int], *, admitted: bool) -> Decision:
    """Shows the bucket with the longest wait for a token, then the one with the fewest."""
    waits = [one.wait_us(level) for one, level in zip(units, levels, strict=True)]
    left = [level // one.cost for one, level in zip(units, levels, strict=True)]
    tightest = min(range(len(buckets)), key=lambda i: (-waits[i], left[i]))
    bucket = buckets[tightest]
    return Decision(admitted, bucket.name, bucket.limit, left[tightest], -(-waits[tightest] // _US))


def _monotonic_us() -> int:
    return time.monotonic_ns() // 1_000


class LocalBuckets:
    """Buckets of this process alone, each with one worker's share of the limit. The least used are forgotten first.

    They go on from what Redis held when it was last heard of, so that losing it is not a burst anew.
    """

    def __init__(
        self, workers: int, *, max_buckets: int = MAX_LOCAL_BUCKETS, clock_us: Callable[[], int] = _monotonic_us
    ) -> None:
        self._workers = workers
        self._max_buckets = max_buckets
        self._clock_us = clock_us
        self._kept: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, buckets: Sequence[Bucket], keys: Sequence[str]) -> Decision:
        """Take one token from every bucket, or none from any."""
        now_us = self._clock_us()
        units = [_Units.of(bucket.limit, self._workers) for bucket in buckets]
        states = []
        for key, one in zip(keys, units, strict=True):
            kept = self._kept.get(key)
            states.append(one.refilled(*kept, now_us) if kept else (one.capacity, now_us))
        admitted = all(level >= one.cost for (level, _), one in zip(states, units, strict=True))
        if admitted:
            states = [(level - one.cost, moment) for (level, moment), one in zip(states, units, strict=True)]
            self._keep(keys, states)
        return _decision(buckets, units, [level for level, _ in states], admitted=admitted)

    def follow(self, keys: Sequence[str], levels: Sequence[int]) -> None:
        """Take over levels that Redis holds now. A token costs as many times more units here as there are workers."""
        now_us = self._clock_us()
        self._keep(keys, [(level, now_us) for level in levels])

    def _keep(self, keys: Sequence[str], states: Sequence[tuple[int, int]]) -> None:
        for key, state in zip(keys, states, strict=True):
            self._kept[key] = state
            self._kept.move_to_end(key)
        while len(self._kept) > self._max_buckets:
            self._kept.popitem(last=False)


class _Circuit:
    """Remembers that Redis failed."""

    def __init__(self) -> None:
        self._opened = False
        self._until_s = 0.0
        self._worked_s = float("-inf")
        self._log = get_logger("llm_banking.rate_limits")

    def lets_through(self) -> bool:
        """Whether to ask Redis: always while it works, otherwise one request every CIRCUIT_OPEN_S."""
        if not self._opened:
            return True
        if time.monotonic() < self._until_s:
            return False
        self._until_s = time.monotonic() + CIRCUIT_OPEN_S
        return True

    def was_late(self) -> None:
        if self._opened or time.monotonic() - self._worked_s > SLOW_FOR_S:
            self.failed("no answer in time")

    def failed(self, reason: str) -> None:
        if not self._opened:
            self._log.warning("rate limits are decided without Redis", reason=reason)
        self._opened = True
        self._until_s = time.monotonic() + CIRCUIT_OPEN_S

    def worked(self) -> None:
        if self._opened:
            self._log.info("rate limits are decided by Redis again")
        self._opened = False
        self._worked_s = time.monotonic()


class RateLimiter:
    """Decides whether a request may go on: one round trip to Redis, and an answer in time with or without it."""

    def __init__(self, url: str, *, key: bytes, workers: int, timeout_s: float = TIMEOUT_S) -> None:
        """`key` hides identities in Redis and is the same in every worker; `workers` are those that share the limits.

        Raises ValueError on a short key.
        """
        if len(key) < MIN_KEY_BYTES:
            raise ValueError(f"the key needs {MIN_KEY_BYTES} bytes")
        call_timeout_s = max(CALL_TIMEOUT_S, timeout_s)
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            timeout=call_timeout_s,
            socket_timeout=call_timeout_s,
            socket_connect_timeout=call_timeout_s,
            retry=Retry(NoBackoff(), 1),
        )
        self._client = Redis(connection_pool=pool)
        self._script = resources.files("llm_banking.kit").joinpath("rate_limits.lua").read_text(encoding="utf-8")
        self._sha = hashlib.sha1(self._script.encode(), usedforsecurity=False).hexdigest()
        self._key = key
        self._timeout_s = timeout_s
        self._local = LocalBuckets(workers)
        self._circuit = _Circuit()
        self._calls: set[asyncio.Task[list[int]]] = set()

    async def warm_up(self) -> None:
        """Open the connections and load the script, so that the first burst does not wait for it; harmless without."""
        try:
            await self._client.script_load(self._script)
            await asyncio.gather(*(self._client.ping() for _ in range(MAX_CONNECTIONS)))
        except (RedisError, OSError, TimeoutError) as error:
            self._circuit.failed(type(error).__name__)

    async def take(self, buckets: Sequence[Bucket], *, closes: bool) -> Decision:
        """Take one token from every bucket, or none from any. At least one bucket is needed, each rule named once.

        While Redis is away: raises RateLimitUnavailableError where `closes`, otherwise decides by this worker's share.
        """
        keys = [self.key_of(bucket) for bucket in buckets]
        if len(set(keys)) != len(buckets) or not keys:
            raise ValueError("one bucket or several different ones are needed")
        answer = await self._ask(buckets, keys) if self._circuit.lets_through() else None
        if answer is not None:
            taken, *levels = answer
            self._local.follow(keys, levels)
            units = [_Units.of(bucket.limit) for bucket in buckets]
            return _decision(buckets, units, levels, admitted=bool(taken))
        if closes:
            raise RateLimitUnavailableError
        return replace(self._local.take(buckets, keys), shared=False)

    def key_of(self, bucket: Bucket) -> str:
        """The bucket's name in Redis: the rule, and a keyed hash. Another limit is another bucket."""
        limit = bucket.limit
        counted = f"{bucket.name}:{limit.requests}:{limit.window_s}:{limit.burst_requests}:".encode() + bucket.identity
        return f"rate-limit:{bucket.name}:{hmac.digest(self._key, counted, 'sha256')[:16].hex()}"

    async def close(self) -> None:
        """End the calls that nobody waits for, and close the connections."""
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        await self._client.aclose()
        await self._client.connection_pool.disconnect()

    async def _ask(self, buckets: Sequence[Bucket], keys: Sequence[str]) -> list[int] | None:
        """The script's answer, or None where Redis gave none in time."""
        if len(self._calls) >= MAX_CALLS:
            return None
        call = asyncio.create_task(self._run_script(buckets, keys))
        self._calls.add(call)
        call.add_done_callback(self._ended)
        done, _ = await asyncio.wait({call}, timeout=self._timeout_s * (1 - _GRACE))
        if not done:
            # The event loop itself may have stood still: an answer that lies in the socket is read in this time.
            done, _ = await asyncio.wait({call}, timeout=self._timeout_s * _GRACE)
        if not done:
            self._circuit.was_late()
            return None
        try:
            answer = call.result()
        except (RedisError, OSError, TimeoutError) as error:
            self._circuit.failed(type(error).__name__)
            return None
        self._circuit.worked()
        return answer

    def _ended(self, call: asyncio.Task[list[int]]) -> None:
        self._calls.discard(call)
        if not call.cancelled():
            call.exception()

    async def _run_script(self, buckets: Sequence[Bucket], keys: Sequence[str]) -> list[int]:
        arguments: list[str] = list(keys)
        for bucket in buckets:
            units = _Units.of(bucket.limit)
            arguments += [str(units.cost), str(units.rate), str(units.capacity), str(units.fill_us)]
        try:
            answer = await self._client.evalsha(self._sha, len(keys), *arguments)
        except NoScriptError:
            answer = await self._client.eval(self._script, len(keys), *arguments)
        return cast("list[int]", answer)
