"""Whether the rate limits hold: four workers, many clients at once, and a Redis that dies, hangs or forgets meanwhile.

`llm-banking proof rate-limits` starts real servers with limits of its own, asks as fast as PAUSE_S lets it
from several addresses (127.0.0.x, which Linux gives to every machine), and compares what was let through with what may
be at most. The command exits with 1 where a bucket gave more.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from redis import Redis
from rich.console import Console

from llm_banking.kit.embedded import embedded_redis
from llm_banking.kit.rate_limits import CIRCUIT_OPEN_S, Limit
from llm_banking.proof.bench import machine, running_server

RESULTS_FILE = "rate-limits.json"
WORKERS = 4
CLIENTS = 64
SECONDS = 60.0
PAUSE_S = 0.1
"""Between two requests of a client: the clients share the machine with the server."""
REQUEST_TIMEOUT_S = 10.0
PROXY = "127.0.0.9"
LOCAL_MARK = "rate limits are decided without Redis"


def _per_minute(requests: int, burst_requests: int | None = None) -> Limit:
    return Limit(requests=requests, window_s=60, burst_requests=burst_requests or requests)


LIMITS = {
    "user": _per_minute(300),
    "address": _per_minute(1_200, 200),
    "anonymous": _per_minute(100),
    "chat": _per_minute(50),
    "admin": _per_minute(10),
}
"""Those of the product, but `user` and `address`: the one has room for all that a user does here, the other is met."""


@dataclass(frozen=True, slots=True)
class Role:
    """What a client does, from which address, and the buckets that it is counted in: (name shown, limit)."""

    clients: int
    source: str
    method: str
    path: str
    buckets: tuple[tuple[str, str], ...]
    forwarded: str | None = None
    """X-Forwarded-For, with a random address for `{random}`."""


_USER = ("user", "user")
ROLES = (
    Role(8, "127.0.1.1", "GET", "/api/v2/demo", (_USER,)),
    Role(8, "127.0.1.2", "POST", "/api/v2/chat", (("chat", "chat"), _USER)),
    Role(4, "127.0.1.3", "GET", "/health/detailed", (("admin", "admin"), _USER)),
    Role(8, "127.0.0.2", "GET", "/docs", (("anonymous 1", "anonymous"),)),
    Role(8, "127.0.0.3", "GET", "/docs", (("anonymous 2", "anonymous"),)),
    Role(8, "127.0.0.4", "GET", "/docs", (("anonymous, spoofing", "anonymous"),), "{random}"),
    Role(6, PROXY, "GET", "/docs", (("behind the proxy 1", "anonymous"),), "{random}, 198.51.100.1"),
    Role(6, PROXY, "GET", "/docs", (("behind the proxy 2", "anonymous"),), "{random}, 198.51.100.2"),
    Role(8, "127.0.0.5", "GET", "/nowhere", (("address", "address"),)),
)
_CLOSES = frozenset({"admin"})
"""Limits that no worker stands in for."""


class OwnRedis:
    """A Redis that can be hurt."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._running = ExitStack()
        self.url = ""
        self.start()

    def start(self) -> None:
        """Start it, on the data that is there."""
        self.url = self._running.enter_context(embedded_redis(self._home))
        with Redis.from_url(self.url) as client:
            self._pid = int(client.info("server")["process_id"])

    def kill(self) -> None:
        """End it as a power cut would."""
        os.kill(self._pid, signal.SIGKILL)
        self._running.close()

    def stop(self) -> None:
        """Let it hang."""
        os.kill(self._pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self._pid, signal.SIGCONT)

    def flush(self) -> None:
        """Make it forget everything, the script too."""
        with Redis.from_url(self.url) as client:
            client.flushall()
            client.script_flush()

    def close(self) -> None:
        """End it in order."""
        self._running.close()


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens to Redis after a third of the time and after two, and how many bursts that may cost at most.

    `lost` bursts come of data that Redis loses. With an `outage` each limit that does not close gives one more, and its
    rate once more while it lasts: the shares of the workers.
    """

    first: Callable[[OwnRedis], None] | None = None
    second: Callable[[OwnRedis], None] | None = None
    lost: int = 0
    outage: bool = False


SCENARIOS = {
    "steady": Scenario(),
    "redis_killed": Scenario(OwnRedis.kill, OwnRedis.start, lost=1, outage=True),
    "redis_stopped": Scenario(OwnRedis.stop, OwnRedis.resume, outage=True),
    "redis_flushed": Scenario(OwnRedis.flush, lost=1),
}


@dataclass(slots=True)
class Tally:
    """What came back, from all clients."""

    admitted: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    closed: Counter[str] = field(default_factory=Counter)
    response_ms: list[tuple[float, float]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, role: Role, status: int, body: bytes, moment_s: float, taken_ms: float) -> None:
        """Count one response; an answer of any kind but 429 and the limiter's own 503 was let through."""
        kind = self.admitted
        if status == 429:
            kind = self.refused
        elif b"RATE_LIMIT_UNAVAILABLE" in body:
            kind = self.closed
        with self._lock:
            kind.update(name for name, _ in role.buckets)
            self.response_ms.append((moment_s, taken_ms))


def bound(limit: Limit, scenario: Scenario, seconds: float, outage_s: float, *, closes: bool) -> int:
    """The most that a bucket may give in that time: burst + rate * time, and what a scenario may cost beside it."""
    stands_in = scenario.outage and not closes
    bursts = limit.burst_requests * (1 + scenario.lost + stands_in)
    counted_s = Fraction(seconds) + (Fraction(outage_s) if stands_in else 0)
    return int(bursts + limit.requests * counted_s / limit.window_s)


def judge(scenario: Scenario, tally: Tally, seconds: float, outage_s: float) -> list[dict[str, Any]]:
    """A row for each bucket."""
    rows = []
    for name, limit_name in dict.fromkeys(bucket for role in ROLES for bucket in role.buckets):
        most = bound(LIMITS[limit_name], scenario, seconds, outage_s, closes=limit_name in _CLOSES)
        admitted = tally.admitted[name]
        rows.append(
            {
                "bucket": name,
                "limit": LIMITS[limit_name].model_dump(),
                "admitted": admitted,
                "bound": most,
                "holds": admitted <= most,
                "undershoot_percent": round(100 * (most - admitted) / most, 2),
                "refused_429": tally.refused[name],
                "closed_503": tally.closed[name],
            }
        )
    return rows


def run_scenario(name: str, seconds: float, clients: int, served: Mapping[str, Limit] = LIMITS) -> dict[str, Any]:
    """Start a server with `served` limits, drive it, hurt its Redis, and judge by LIMITS."""
    scenario = SCENARIOS[name]
    with tempfile.TemporaryDirectory(prefix="llmb-") as folder, ExitStack() as stack:
        redis = OwnRedis(Path(folder) / "r")
        stack.callback(redis.close)
        settings = {
            "REDIS_URL": redis.url,
            "RATE_LIMITS": json.dumps({key: limit.model_dump() for key, limit in served.items()}),
            "TRUSTED_PROXIES": f"{PROXY}/32",
        }
        home = Path(folder) / "h"
        server = stack.enter_context(running_server(home, "--workers", str(WORKERS), settings=settings))
        tally, began = Tally(), time.monotonic()
        with _driven(server.url, tally, clients, began + seconds):
            hurt_s, healed_s = _hurt(redis, scenario, seconds)
        ended = time.monotonic()
        log = (home / "logs" / "app.log").read_text(encoding="utf-8")
    outage_s = healed_s - hurt_s + CIRCUIT_OPEN_S if scenario.outage else 0.0
    rows = judge(scenario, tally, ended - began, outage_s)
    in_outage = [taken for moment, taken in tally.response_ms if scenario.outage and hurt_s <= moment < healed_s]
    return {
        "scenario": name,
        "seconds": round(ended - began, 3),
        "outage_s": round(outage_s, 3),
        "requests": len(tally.response_ms),
        "times_a_worker_went_without_redis": log.count(LOCAL_MARK),
        "response_ms": _spread([taken for _, taken in tally.response_ms]),
        "response_ms_in_outage": _spread(in_outage),
        "holds": all(row["holds"] for row in rows),
        "buckets": rows,
    }


def _hurt(redis: OwnRedis, scenario: Scenario, seconds: float) -> tuple[float, float]:
    """Do to Redis what the scenario says; when it began and when it was over."""
    time.sleep(seconds / 3)
    began = time.monotonic()
    if scenario.first is not None:
        scenario.first(redis)
    time.sleep(seconds / 3)
    if scenario.second is not None:
        scenario.second(redis)
    return began, time.monotonic()


@contextmanager
def _driven(url: str, tally: Tally, clients: int, until_s: float) -> Iterator[None]:
    """The clients at work; leaving the block waits for them and raises what went wrong in one."""
    roles = [role for role in ROLES for _ in range(max(1, role.clients * clients // CLIENTS))]
    with ThreadPoolExecutor(len(roles)) as pool:
        done = [pool.submit(_client, role, url, tally, until_s, seed) for seed, role in enumerate(roles)]
        yield
        for one in done:
            one.result()


def _client(role: Role, url: str, tally: Tally, until_s: float, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - made-up addresses, no secret
    address = urlsplit(url)
    body = json.dumps({"message": "hello"}).encode() if role.method == "POST" else None
    connection = http.client.HTTPConnection(
        address.hostname or "", address.port, timeout=REQUEST_TIMEOUT_S, source_address=(role.source, 0)
    )
    try:
        while time.monotonic() < until_s:
            headers = {"Content-Type": "application/json"} if body else {}
            if role.forwarded:
                headers["X-Forwarded-For"] = role.forwarded.format(random=f"192.0.2.{rng.randrange(256)}")
            began = time.monotonic()
            connection.request(role.method, role.path, body, headers)
            response = connection.getresponse()
            answer = response.read()
            tally.add(role, response.status, answer, began, (time.monotonic() - began) * 1000)
            time.sleep(PAUSE_S)
    finally:
        connection.close()


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    found = np.percentile(np.array(values), [50, 99, 100])
    return {name: round(float(value), 1) for name, value in zip(("p50", "p99", "max"), found, strict=True)}


def run_rate_limits(out: Path, seconds: float = SECONDS, clients: int = CLIENTS) -> dict[str, Any]:
    """Every scenario, `seconds` each; the figures, which are also written to `out`."""
    console = Console(stderr=True)
    document: dict[str, Any] = {
        "machine": machine(),
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "workers": WORKERS,
        "clients": clients,
        "pause_s": PAUSE_S,
        "scenarios": [],
    }
    for name in SCENARIOS:
        console.print(f"measuring {name} for {seconds:g} s")
        document["scenarios"].append(run_scenario(name, seconds, clients))
    document["holds"] = all(one["holds"] for one in document["scenarios"])
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return document


def shown(document: Mapping[str, Any]) -> str:
    """A line for each bucket of each scenario."""
    return "\n".join(
        f"{one['scenario']:<14} {row['bucket']:<20} {row['admitted']:>6} of {row['bound']:>6} "
        f"{'holds' if row['holds'] else 'DOES NOT HOLD'}"
        for one in document["scenarios"]
        for row in one["buckets"]
    )
