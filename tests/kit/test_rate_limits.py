"""The bound is exact: in Python, in Lua, on Redis's own clock; and the answer comes without Redis too."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from fractions import Fraction
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from redis import Redis

from llm_banking.kit import rate_limits
from llm_banking.kit.embedded import embedded_redis
from llm_banking.kit.rate_limits import (
    Bucket,
    Limit,
    LocalBuckets,
    RateLimiter,
    RateLimitUnavailableError,
    _Units,
)
from tests.conftest import PATIENT_S, ServiceUrls

KEY = b"k" * 32
HANG_GUARD_S = 120.0
SCRIPT = resources.files("llm_banking.kit").joinpath("rate_limits.lua").read_text(encoding="utf-8")
EXTREME = Limit(requests=99_999, window_s=86_400, burst_requests=100_000)

limits = st.builds(
    Limit,
    requests=st.integers(1, 100_000),
    window_s=st.integers(1, 86_400),
    burst_requests=st.integers(1, 100_000),
)
small_limits = st.builds(
    Limit, requests=st.integers(1, 20), window_s=st.integers(1, 9), burst_requests=st.integers(1, 6)
)
steps_us = st.one_of(st.integers(0, 3), st.integers(0, 2_000_000), st.integers(0, 10**12))


def limit(requests: int, window_s: int, burst: int) -> Limit:
    return Limit(requests=requests, window_s=window_s, burst_requests=burst)


def bucket(counted: Limit, name: str = "user", identity: bytes | None = None) -> Bucket:
    return Bucket(name, counted, identity or secrets.token_bytes(8))


@asynccontextmanager
async def limiter(url: str, *, key: bytes = KEY, workers: int = 1) -> AsyncIterator[RateLimiter]:
    found = RateLimiter(url, key=key, workers=workers, timeout_s=PATIENT_S)
    try:
        async with asyncio.timeout(HANG_GUARD_S):
            yield found
    finally:
        await found.close()


@pytest.fixture
def redis(service_urls: ServiceUrls) -> Iterator[Redis]:
    client = Redis.from_url(service_urls.redis)
    yield client
    client.close()


@pytest.fixture
def own_redis() -> Iterator[str]:
    """A Redis of this test's own, in a path short enough for a Unix socket."""
    home = Path(tempfile.mkdtemp(prefix="llmb-"))
    try:
        with embedded_redis(home) as url:
            yield url
    finally:
        shutil.rmtree(home)


def redis_seconds(redis: Redis) -> Fraction:
    seconds, microseconds = redis.time()
    return Fraction(seconds * 1_000_000 + microseconds, 1_000_000)


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now_us = 10**15

    def __call__(self) -> int:
        return self.now_us


def assert_within_the_bound(counted: Limit, admitted_us: list[int]) -> None:
    """At most burst + rate * span between any two admitted requests, exactly."""
    for first in range(len(admitted_us)):
        for last in range(first, len(admitted_us)):
            span_us = admitted_us[last] - admitted_us[first]
            room = counted.burst_requests + Fraction(counted.requests * span_us, counted.window_s * 1_000_000)
            assert last - first + 1 <= room


@given(small_limits, st.lists(st.tuples(steps_us, st.booleans()), max_size=40))
def test_no_span_of_time_gets_more_than_the_bound(counted: Limit, waits: list[tuple[int, bool]]) -> None:
    clock = Clock()
    buckets, admitted = LocalBuckets(1, clock_us=clock), []
    for wait_us, other_is_empty in waits:
        clock.now_us += wait_us
        also = [bucket(limit(1, 86_400, 1), "admin", b"drained")] if other_is_empty else []
        wanted = [bucket(counted, identity=b"one"), *also]
        keys = [one.name for one in wanted]
        if buckets.take(wanted, keys).admitted:
            admitted.append(clock.now_us)
    assert_within_the_bound(counted, admitted)


def test_the_check_of_the_bound_sees_one_request_too_many() -> None:
    assert_within_the_bound(limit(1, 1, 2), [0, 0, 1_000_000])
    with pytest.raises(AssertionError):
        assert_within_the_bound(limit(1, 1, 2), [0, 0, 999_999])


def with_a_clock_of_our_own(script: str) -> str:
    """The script with the time as its last two arguments, and with keys that stay while the test runs."""
    assert script.count("redis.call('TIME')") == 1
    assert script.count("string.format('%.0f', keep_ms)") == 1
    set_by_us = script.replace("redis.call('TIME')", "{ARGV[#ARGV - 1], ARGV[#ARGV]}")
    return set_by_us.replace("string.format('%.0f', keep_ms)", "60000")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_lua_counts_as_python_does(service_urls: ServiceUrls, data: st.DataObject) -> None:
    """To the unit, for any limits the settings allow and with a clock that is also set back."""
    counted = data.draw(st.lists(st.one_of(limits, st.just(EXTREME)), min_size=1, max_size=3))
    steps = data.draw(st.lists(st.one_of(steps_us, st.integers(-(10**12), 0)), min_size=1, max_size=12))
    wanted = [Bucket(f"rule{place}", one, b"x") for place, one in enumerate(counted)]
    units = [_Units.of(one) for one in counted]
    keys = [f"differential:{secrets.token_hex(8)}:{one.name}" for one in wanted]
    clock = Clock()
    local = LocalBuckets(1, clock_us=clock)
    redis = Redis.from_url(service_urls.redis)
    script = redis.register_script(with_a_clock_of_our_own(SCRIPT))
    for step in steps:
        clock.now_us = max(0, clock.now_us + step)
        arguments = [part for one in units for part in (one.cost, one.rate, one.capacity, one.fill_us)]
        taken, *levels = script(keys, [*arguments, *divmod(clock.now_us, 1_000_000)])
        decision = local.take(wanted, keys)
        assert bool(taken) == decision.admitted
        if taken:
            assert levels == [local._kept[key][0] for key in keys]
    redis.delete(*keys)
    redis.close()


async def test_several_workers_together_keep_to_the_bound(service_urls: ServiceUrls, redis: Redis) -> None:
    counted = bucket(limit(40, 1, 25))
    workers = [RateLimiter(service_urls.redis, key=KEY, workers=4, timeout_s=PATIENT_S) for _ in range(4)]
    for worker in workers:
        await worker.warm_up()
    began = redis_seconds(redis)
    rounds = [
        await asyncio.gather(*(worker.take([counted], closes=True) for worker in workers for _ in range(12)))
        for _ in range(8)
    ]
    room = 25 + 40 * (redis_seconds(redis) - began)
    for worker in workers:
        await worker.close()
    admitted = sum(decision.admitted for decisions in rounds for decision in decisions)
    assert 25 <= admitted <= room < 8 * 48


async def test_a_script_that_charges_without_checking_breaks_the_bound(service_urls: ServiceUrls) -> None:
    """The planted fault: what the tests around would have let through."""
    counted = bucket(limit(1, 3_600, 5))
    async with limiter(service_urls.redis) as planted:
        checked = "if level < cost then taken = 0 end"
        assert checked in planted._script
        planted._script = planted._script.replace(checked, "")
        planted._sha = "0" * 40
        assert sum([(await planted.take([counted], closes=True)).admitted for _ in range(9)]) > 5


async def test_a_refused_request_is_charged_nowhere(service_urls: ServiceUrls) -> None:
    roomy, tight = bucket(limit(1, 3_600, 5), "user"), bucket(limit(1, 3_600, 1), "chat")
    async with limiter(service_urls.redis) as found:
        first = await found.take([roomy, tight], closes=True)
        assert (first.admitted, first.name, first.remaining) == (True, "chat", 0)
        assert 3_599 <= first.wait_s <= 3_600
        for _ in range(3):
            refused = await found.take([roomy, tight], closes=True)
            assert (refused.admitted, refused.name, refused.remaining) == (False, "chat", 0)
        assert (await found.take([roomy], closes=True)).remaining == 3


async def test_the_tightest_bucket_is_shown(service_urls: ServiceUrls) -> None:
    few, many = bucket(limit(10, 60, 10), "chat"), bucket(limit(100, 60, 100), "user")
    async with limiter(service_urls.redis) as found:
        decision = await found.take([many, few], closes=True)
    assert (decision.name, decision.remaining, decision.wait_s, decision.limit) == ("chat", 9, 0, few.limit)


async def test_redis_learns_no_identity_and_forgets_a_bucket_that_is_full(
    service_urls: ServiceUrls, redis: Redis
) -> None:
    slow, fast = bucket(limit(1, 60, 2), "user", b"198.51.100.7"), bucket(limit(100, 1, 100), "address", b"ana@bank")
    async with limiter(service_urls.redis) as found, limiter(service_urls.redis, key=b"o" * 32) as other:
        await found.take([slow, fast], closes=True)
        keys = [found.key_of(one) for one in (slow, fast)]
        assert other.key_of(slow) != keys[0]
        assert found.key_of(bucket(limit(1, 60, 3), "user", b"198.51.100.7")) != keys[0], (
            "another limit, another bucket"
        )
    for key in redis.scan_iter("rate-limit:*"):
        assert b"198.51" not in key
        assert b"ana" not in key
    assert 59_000 < int(redis.pttl(keys[0])) <= 60_002
    assert int(redis.pttl(keys[1])) <= 12


async def test_a_decision_is_one_call(own_redis: str) -> None:
    with Redis.from_url(own_redis) as redis:
        async with limiter(own_redis) as found:
            await found.take([bucket(limit(9, 60, 9))], closes=True)
            before = redis.info("commandstats")
            for _ in range(10):
                await found.take([bucket(limit(9, 60, 9), name) for name in ("user", "chat", "address")], closes=True)
            after = redis.info("commandstats")
    calls = {name: after[name]["calls"] - before.get(name, {"calls": 0})["calls"] for name in after}
    assert calls["cmdstat_evalsha"] == 10
    assert calls.get("cmdstat_eval", 0) == 0


async def test_a_flush_costs_one_burst_and_the_script_is_loaded_again(own_redis: str) -> None:
    counted = bucket(limit(1, 3_600, 3))
    with Redis.from_url(own_redis) as redis:
        async with limiter(own_redis) as found:
            admitted = [(await found.take([counted], closes=True)).admitted for _ in range(5)]
            redis.flushall()
            redis.script_flush()
            admitted += [(await found.take([counted], closes=True)).admitted for _ in range(5)]
    assert admitted == [*[True] * 3, *[False] * 2] * 2


@asynccontextmanager
async def stopped(url: str, found: RateLimiter) -> AsyncIterator[None]:
    """A Redis that takes connections and says nothing, and a limiter that does not wait for it."""
    with Redis.from_url(url) as redis:
        pid = int(redis.info("server")["process_id"])
    os.kill(pid, signal.SIGSTOP)
    found._timeout_s = rate_limits.TIMEOUT_S
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
        found._timeout_s = PATIENT_S


async def test_without_redis_closed_classes_close_and_the_rest_has_its_share(own_redis: str) -> None:
    counted = bucket(limit(1, 3_600, 8))
    async with limiter(own_redis, workers=4) as found, stopped(own_redis, found):
        with pytest.raises(RateLimitUnavailableError):
            await found.take([counted], closes=True)
        admitted = [(await found.take([counted], closes=False)).admitted for _ in range(4)]
        with pytest.raises(RateLimitUnavailableError):
            await found.take([counted], closes=True)
    assert admitted == [True, True, False, False], "a quarter of the burst of 8, not without end"


async def test_losing_redis_is_not_a_burst_anew(own_redis: str) -> None:
    counted = bucket(limit(1, 3_600, 8))
    async with limiter(own_redis, workers=2) as found:
        for _ in range(6):
            await found.take([counted], closes=True)
        async with stopped(own_redis, found):
            admitted = [(await found.take([counted], closes=False)).admitted for _ in range(3)]
    assert admitted == [True, False, False], "half of the two that were left"


async def test_a_hung_redis_is_asked_once_and_then_left_alone(own_redis: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    async with limiter(own_redis) as found:
        ask = found._ask

        async def counting(*arguments: object) -> list[int] | None:
            nonlocal asked
            asked += 1
            return await ask(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(found, "_ask", counting)
        monkeypatch.setattr(rate_limits, "CIRCUIT_OPEN_S", 600.0)
        async with stopped(own_redis, found):
            for _ in range(20):
                await found.take([bucket(limit(9, 60, 9))], closes=False)
        assert asked == 1
        monkeypatch.setattr(rate_limits, "CIRCUIT_OPEN_S", 0.0)
        found._circuit._until_s = 0.0
        found._local.take = lambda *_: pytest.fail("Redis is back")  # type: ignore[method-assign]
        assert (await found.take([bucket(limit(9, 60, 9))], closes=True)).admitted
        assert (await found.take([bucket(limit(9, 60, 9))], closes=True)).admitted


async def test_one_late_answer_does_not_shut_redis_out(own_redis: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with limiter(own_redis) as found:
        monkeypatch.setattr(rate_limits, "SLOW_FOR_S", 600.0)
        await found.take([bucket(limit(9, 60, 9))], closes=True)
        async with stopped(own_redis, found):
            assert (await found.take([bucket(limit(9, 60, 9))], closes=False)).admitted
        assert found._circuit.lets_through()
        monkeypatch.setattr(rate_limits, "SLOW_FOR_S", 0.0)
        async with stopped(own_redis, found):
            assert (await found.take([bucket(limit(9, 60, 9))], closes=False)).admitted
        assert not found._circuit.lets_through()


async def test_a_redis_that_is_not_there_is_like_one_that_hangs(tmp_path: Path) -> None:
    async with limiter(f"unix://{tmp_path}/no.sock") as found:
        with pytest.raises(RateLimitUnavailableError):
            await found.take([bucket(limit(9, 60, 9))], closes=True)
        assert (await found.take([bucket(limit(9, 60, 9))], closes=False)).admitted


async def test_a_slow_event_loop_is_not_a_missing_redis(service_urls: ServiceUrls) -> None:
    async with limiter(service_urls.redis) as found:
        await found.warm_up()
        found._timeout_s = 0.5
        taking = asyncio.create_task(found.take([bucket(limit(9, 60, 9))], closes=True))
        for _ in range(4):
            await asyncio.sleep(0)
        assert found._calls
        time.sleep(0.6)  # noqa: ASYNC251 - the whole loop stands still, while Redis answers
        assert (await taking).admitted


def test_what_a_process_keeps_is_bounded() -> None:
    buckets = LocalBuckets(1, max_buckets=10, clock_us=Clock())
    kept = bucket(limit(1, 3_600, 2))
    for number in range(100):
        buckets.take([bucket(limit(1, 60, 1))], [str(number)])
        buckets.take([kept], ["kept"]) if number == 50 else None
    assert len(buckets) == 10


@given(small_limits, st.integers(1, 8))
def test_the_shares_of_all_workers_are_not_more_than_the_limit(counted: Limit, workers: int) -> None:
    admitted = 0
    for _ in range(workers):
        buckets = LocalBuckets(workers, clock_us=Clock())
        admitted += sum(buckets.take([bucket(counted)], ["one"]).admitted for _ in range(10))
    assert workers <= admitted <= max(counted.burst_requests, workers)


def test_a_worker_s_share_comes_back_at_a_worker_s_rate() -> None:
    clock = Clock()
    buckets, counted = LocalBuckets(4, clock_us=clock), bucket(limit(8, 1, 8))
    admitted = []
    for _ in range(400):
        admitted += [clock.now_us] * buckets.take([counted], ["one"]).admitted
        clock.now_us += 10_000
    assert len(admitted) == 2 + 2 * 4 - 1


async def test_a_decision_needs_different_buckets(service_urls: ServiceUrls) -> None:
    one = bucket(limit(1, 60, 1))
    async with limiter(service_urls.redis) as found:
        for wrong in ([], [one, one]):
            with pytest.raises(ValueError, match="different"):
                await found.take(wrong, closes=True)
    with pytest.raises(ValueError, match="bytes"):
        RateLimiter(service_urls.redis, key=b"short", workers=1)


@pytest.mark.parametrize("wrong", [{"requests": 0}, {"window_s": 86_401}, {"burst_requests": 0}, {"burst": 5}])
def test_a_limit_that_cannot_be_counted_exactly_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Limit(**{"requests": 1, "window_s": 1, "burst_requests": 1, **wrong})
    assert _Units.of(EXTREME).capacity + _Units.of(EXTREME).rate < 2**53
