"""What access control tells by its speed, and what it costs.

Signing in must take as long under a name that nobody has as under one that somebody has (ASVS 5.0, 6.3.8): half of the
tries go to each, in random order, all with wrong passwords, and a Mann-Whitney U test compares the times. And a route
is timed with and without the token check and the limits, in turn, on servers of one process.
"""

from __future__ import annotations

import http.client
import json
import random
import secrets
import statistics
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr
from rich.console import Console
from scipy.stats import mannwhitneyu
from starlette.types import Scope

from llm_banking.api.dependencies import Services
from llm_banking.api.limits import RequestLimits
from llm_banking.app import create_app
from llm_banking.identity.principal import LimitClass, Permission, Policy, Principal
from llm_banking.kit.embedded import embedded_postgres, embedded_redis
from llm_banking.kit.errors import LlmBankingError
from llm_banking.kit.logs import configure_logging
from llm_banking.migrations import upgrade
from llm_banking.proof.bench import (
    FREE_LIMITS,
    READY_TIMEOUT_S,
    STOP_TIMEOUT_S,
    ServerNotReadyError,
    free_port,
    machine,
    running_server,
)
from llm_banking.settings import Environment, RateLimits, load_settings

RESULTS_FILE = "access-cost.json"
SIGN_IN_TRIES = 2_000
KINDS = ("known", "unknown")
TRIES_A_NAME = 4
"""Fewer than make the throttle answer instead of the password check."""
ROUTE = "/api/v2/intents"
ROUTE_ROUNDS = 2_000
WARM_UP_ROUNDS = 200
REQUEST_TIMEOUT_S = 30.0


class UnexpectedAnswerError(LlmBankingError):
    """The measured server answered something else than what is measured."""

    code = "ENGINE_UNAVAILABLE"


def run_access_cost(out: Path, tries: int = SIGN_IN_TRIES, rounds: int = ROUTE_ROUNDS) -> Path:
    """Measure both and write `out`/RESULTS_FILE. Returns its path. Raises UnexpectedAnswerError."""
    console = Console(stderr=True)
    document: dict[str, Any] = {"machine": machine(), "measured": datetime.now(UTC).isoformat(timespec="seconds")}
    console.print(f"measuring {tries} sign-ins")
    document["sign_in"] = sign_in_times(tries)
    console.print(f"measuring {rounds} rounds of {ROUTE}")
    document["route"] = route_times(rounds)
    out.mkdir(parents=True, exist_ok=True)
    path = out / RESULTS_FILE
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path


def sign_in_times(tries: int, seed: int = 7) -> dict[str, Any]:
    """Times of refused sign-ins under names that somebody has and that nobody has, and whether they tell them apart."""
    rng = random.Random(seed)  # noqa: S311 - an order, not a secret
    count = -(-tries // 2 // TRIES_A_NAME)
    asked = [(kind, f"{kind}-{number}@example.com") for kind in KINDS for number in range(count)] * TRIES_A_NAME
    rng.shuffle(asked)
    taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with TemporaryDirectory(prefix="llmb-") as home:
        settings = {"RATE_LIMITS": json.dumps(FREE_LIMITS)}
        with running_server(Path(home), settings=settings) as server, _connection(server.url) as connection:
            for name in sorted({name for kind, name in asked if kind == "known"}):
                body = {"email": name, "display_name": "Somebody", "password": secrets.token_urlsafe(24)}
                _expect(202, _ask(connection, "/api/auth/register", body)[0])
            for kind, name in asked:
                status, milliseconds, _ = _ask(
                    connection, "/api/auth/login", {"email": name, "password": secrets.token_urlsafe(24)}
                )
                _expect(401, status)
                taken[kind].append(milliseconds)
    return {"tries": len(asked), "p_value": told_apart(taken["known"], taken["unknown"]), **_medians(taken)}


def told_apart(one: Sequence[float], two: Sequence[float]) -> float:
    """How probable such a difference is where there is none: two-sided p of the Mann-Whitney U test."""
    return float(mannwhitneyu(one, two, alternative="two-sided").pvalue)


def route_times(rounds: int) -> dict[str, Any]:
    """Milliseconds of one route with all checks, and bare; each round asks both, the first of them in turn."""
    taken: dict[str, list[float]] = {"checked": [], "bare": []}
    with TemporaryDirectory(prefix="llmb-") as home, ExitStack() as stack:
        urls, token = stack.enter_context(_both_servers(Path(home)))
        connections = {name: stack.enter_context(_connection(url)) for name, url in urls.items()}
        for number in range(rounds + WARM_UP_ROUNDS):
            for name in sorted(urls, reverse=number % 2 == 0):
                status, milliseconds, _ = _ask(connections[name], ROUTE, token=token)
                _expect(200, status)
                if number >= WARM_UP_ROUNDS:
                    taken[name].append(milliseconds)
    added = statistics.median(one - two for one, two in zip(taken["checked"], taken["bare"], strict=True))
    medians = _medians(taken)
    return {"route": ROUTE, "rounds": rounds, **medians, "added_ms": added, "added_share": added / medians["bare_ms"]}


class _Uncounted(RequestLimits):
    """Limits that count nothing."""

    async def count(self, scope: Scope, declared: Policy, principal: Principal | None) -> None:
        """Take every request as one that is never limited."""
        await super().count(scope, replace(declared, limit=LimitClass.UNLIMITED), principal)


@contextmanager
def _both_servers(home: Path) -> Iterator[tuple[dict[str, str], str]]:
    """The same application with all checks and bare: their addresses, and an access token that the first one takes."""
    with embedded_postgres(home) as postgres, embedded_redis(home) as redis:
        upgrade(postgres.owner)
        settings = load_settings().model_copy(
            update={
                "environment": Environment.DEVELOPMENT,
                "demo": False,
                "home": home,
                "database_url": SecretStr(postgres.application),
                "redis_url": SecretStr(redis),
                "rate_limits": RateLimits.model_validate(FREE_LIMITS),
            }
        )
        checked, bare = create_app(settings), create_app(settings)
        services: Services = bare.state.services
        user_id = uuid4()
        anyone = Principal(user_id, str(user_id), frozenset(Permission), frozenset({user_id}))

        async def let_in(_: Mapping[str, str]) -> Principal:
            return anyone

        limiter = services.limits.limiter
        limits = _Uncounted(limiter, settings.rate_limits, settings.trusted_proxies)
        bare.state.services = replace(services, authenticate=let_in, limits=limits)
        try:
            with serving(checked) as first, serving(bare) as second:
                yield {"checked": first, "bare": second}, _signed_in(first)
        finally:
            configure_logging(settings.log_level, None)  # the log's folder goes with the home


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The application on a port of its own, in a thread; its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise ServerNotReadyError("The measured server did not start; its log says why.")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(STOP_TIMEOUT_S)


def _signed_in(url: str) -> str:
    """The access token of a new customer."""
    password = secrets.token_urlsafe(24)
    with _connection(url) as connection:
        person = {"email": "somebody@example.com", "password": password}
        _expect(202, _ask(connection, "/api/auth/register", {**person, "display_name": "Somebody"})[0])
        status, _, answer = _ask(connection, "/api/auth/login", person)
        _expect(200, status)
        token: str = json.loads(answer)["data"]["access_token"]
        return token


@contextmanager
def _connection(url: str) -> Iterator[http.client.HTTPConnection]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=REQUEST_TIMEOUT_S)
    try:
        yield connection
    finally:
        connection.close()


def _ask(
    connection: http.client.HTTPConnection, path: str, body: Mapping[str, str] | None = None, token: str = ""
) -> tuple[int, float, bytes]:
    """Status, milliseconds and body of a request: POST where there is a body."""
    content = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    began = time.perf_counter()
    connection.request(
        "GET" if content is None else "POST", path, content, headers | {"Content-Type": "application/json"}
    )
    response = connection.getresponse()
    answer = response.read()
    return response.status, (time.perf_counter() - began) * 1000, answer


def _expect(wanted: int, status: int) -> None:
    if status != wanted:
        raise UnexpectedAnswerError(f"The measured server answered {status} where {wanted} is measured.")


def _medians(taken: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {f"{name}_ms": statistics.median(values) for name, values in taken.items()}
