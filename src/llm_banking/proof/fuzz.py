"""`make fuzz`: the OpenAPI schema against a real server, by requests that follow it and requests that break it.

Schemathesis makes the requests from the schema alone and judges every answer by it: status, body, headers, credentials,
what a deleted thing answers, who sees whose. The server runs as an operator would run it, with a PostgreSQL and a Redis
of its own and without the demo principal, so that a request without a credential is nobody's. A run that found
anything, or that was too small to find it, is a failure.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import resources
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from rich.console import Console

from llm_banking.identity.demo import CUSTOMERS, DemoSignIn
from llm_banking.identity.principal import Permission
from llm_banking.kit.database import Database
from llm_banking.kit.embedded import embedded_postgres, embedded_redis
from llm_banking.kit.errors import LlmBankingError
from llm_banking.migrations import upgrade
from llm_banking.proof.bench import FREE_LIMITS, machine, running_server
from llm_banking.server import give_demo_passwords, seed_demo
from llm_banking.settings import Environment, Settings

RESULTS_FILE = "fuzz.json"
SEED = 20_261_121
MIN_CASES = 20_000
EXAMPLES = 150
"""Requests of most callers to each operation, beside those that the schema itself suggests."""
AT_ONCE = 2
"""Callers that send side by side. More starve the server where cores are few, which is not what is tested here."""
TIMEOUT_S = 4 * 3_600
ADMIN = "admin@demo.example"
CUSTOMER, NEIGHBOUR, PROGRAMMER = (one.customer_number for one in CUSTOMERS)

SERVER_SETTINGS = {
    "ENVIRONMENT": Environment.TEST.value,
    "LOG_LEVEL": "WARNING",
    "PASSWORD_MEMORY_KIB": "8",
    "PASSWORD_PASSES": "1",
    "API_KEYS_PER_USER": "100",
    "REVOCATIONS_STALE_S": "5",
    "RATE_LIMITS": json.dumps(FREE_LIMITS),
    "RATE_LIMIT_TIMEOUT_S": "1",
}
"""Where one caller sends thousands of requests: cheap password hashes, and limits on how many as high as they go."""


class FuzzingImpossibleError(LlmBankingError):
    """Schemathesis is not installed, or ended without a report; the message says which."""

    code = "ENGINE_UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends requests, as Schemathesis is told in `auth`, and how many for each operation beside the fixed ones."""

    name: str
    examples: int
    auth: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hunt:
    """What one caller's requests found. `log` is what Schemathesis printed, with a way to repeat each failure."""

    caller: str
    report: dict[str, Any]
    log: str

    def as_dict(self) -> dict[str, Any]:
        """What is worth keeping of the report."""
        kept = {key: self.report[key] for key in ("operations", "phases", "test_cases", "failures", "errors")}
        return {"seconds": round(self.report["running_time"], 1), "complete": self.report["complete"], **kept}


def run_fuzz(
    out: Path, *, seed: int = SEED, examples: int = EXAMPLES, least_cases: int = MIN_CASES
) -> tuple[Path, list[str]]:
    """Fuzz a new server as every kind of caller and write `out`/RESULTS_FILE: its path, and what is wrong.

    `examples` are for each caller and operation. Raises FuzzingImpossibleError.
    """
    if find_spec("schemathesis") is None:
        raise FuzzingImpossibleError(
            "Schemathesis is not installed. Install the extra: pip install 'llm-banking[dev]'."
        )
    console = Console(stderr=True)
    console.print(f"fuzzing as {AT_ONCE} callers at a time")
    with fuzzed_server() as (url, sign_ins), tempfile.TemporaryDirectory() as folder:
        everyone = callers(url, sign_ins, examples)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            hunts = list(pool.map(lambda caller: _told(hunt(url, caller, Path(folder), seed), console), everyone))
        served = _get(url, "/health/metrics")
    document = summary(hunts, served, seed, least_cases)
    out.mkdir(parents=True, exist_ok=True)
    path = out / RESULTS_FILE
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    for one in hunts:
        if one.report["failures"] or one.report["errors"]:
            console.print(one.log, markup=False, highlight=False)
    return path, document["problems"]


def _told(found: Hunt, console: Console) -> Hunt:
    taken_s = found.report["running_time"]
    console.print(f"as {found.caller}: {found.report['test_cases']['generated']} cases in {taken_s:.0f} s")
    return found


def summary(hunts: Sequence[Hunt], served: dict[str, Any], seed: int, least_cases: int) -> dict[str, Any]:
    """The figures of all hunts, and `problems`, which is empty where all is well.

    `served` is what the server itself counted: cases that never reached it, or failed behind Schemathesis's back, show
    there.
    """
    cases = sum(one.report["test_cases"]["generated"] for one in hunts)
    problems = [
        f"as {one.caller}: {failure['title']} ({failure['code']}): {', '.join(failure['operations'])}"
        for one in hunts
        for failure in one.report["failures"]
    ]
    problems += [f"as {one.caller}: an error in {error}" for one in hunts for error in one.report["errors"]]
    problems += [f"as {one.caller}: not completed" for one in hunts if not one.report["complete"]]
    problems += [
        f"as {one.caller}: {one.report['operations']['tested']} of {one.report['operations']['total']} operations"
        for one in hunts
        if one.report["operations"]["tested"] != one.report["operations"]["total"]
    ]
    if cases < least_cases:
        problems.append(f"{cases} cases are fewer than {least_cases}")
    if served["requests"] < cases:
        problems.append(f"the server saw {served['requests']} requests of {cases} cases")
    if served["server_errors"]:
        problems.append(f"the server counted {served['server_errors']} server errors")
    return {
        "machine": machine(),
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "schemathesis": version("schemathesis"),
        "seed": seed,
        "cases": cases,
        "operations": max(one.report["operations"]["total"] for one in hunts),
        "checks": checks(),
        "server": {key: served[key] for key in ("requests", "server_errors")},
        "server_settings": SERVER_SETTINGS,
        "problems": problems,
        "callers": {one.caller: one.as_dict() for one in hunts},
    }


def checks() -> list[str]:
    """The name of every check that a run makes."""
    from schemathesis.checks import CHECKS, load_all_checks  # noqa: PLC0415 - only a fuzzing process needs it

    from llm_banking.proof import fuzz_checks  # noqa: PLC0415 - it registers its check

    load_all_checks()
    ours = (fuzz_checks.refused_for_its_value_alone, fuzz_checks.hidden_from_the_neighbour)
    return sorted({*CHECKS.get_all_names(), *(one.__name__ for one in ours)})


def hunt(url: str, caller: Caller, folder: Path, seed: int) -> Hunt:
    """Send a caller's requests to the server at `url`; files lie in `folder`. Raises FuzzingImpossibleError."""
    auth = folder / f"{caller.name}-auth.json"
    auth.write_text(json.dumps({"auth": caller.auth.get("users", [])}), encoding="utf-8")
    auth.chmod(0o600)
    config = folder / f"{caller.name}.toml"
    base = (resources.files("llm_banking.proof") / "data" / "fuzz.toml").read_text(encoding="utf-8")
    config.write_text(f"{base}\n{_auth_section(caller, auth)}", encoding="utf-8")
    report = folder / f"{caller.name}-report.json"
    options = ["--seed", str(seed), "--max-examples", str(caller.examples)]
    options += ["--report", "json", "--report-json-path", str(report)]
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "--no-color"]
    log = folder / f"{caller.name}.log"
    with log.open("wb") as output:
        subprocess.run(  # noqa: S603 - our own command
            [*command, "run", f"{url}/openapi.json", *options],
            cwd=folder,
            stdout=output,
            stderr=output,
            timeout=TIMEOUT_S,
            check=False,
            env={**os.environ, "PYTHONUTF8": "1"},
        )
    said = log.read_text(encoding="utf-8")
    if not report.is_file():
        raise FuzzingImpossibleError(f"Schemathesis gave no report: {said[-2000:]}")
    return Hunt(caller.name, json.loads(report.read_text(encoding="utf-8")), said)


def _auth_section(caller: Caller, auth: Path) -> str:
    if not caller.auth:
        return "[auth]\nauto-signup = false\n"
    lines = ["[auth.wfc]", f"path = {json.dumps(str(auth))}", f"user = {json.dumps(caller.name)}"]
    if "peers" in caller.auth:
        lines.append(f"peers = {json.dumps(caller.auth['peers'])}")
    return "\n".join(lines) + "\n"


def callers(url: str, sign_ins: Sequence[DemoSignIn], examples: int) -> list[Caller]:
    """A customer, with a neighbour who must not see what is hers; a program with a key; an administrator; nobody."""
    users = {one.name: _signing_in(one) for one in sign_ins}
    programmer = next(one for one in sign_ins if one.name == PROGRAMMER)
    header = {"name": "X-API-Key", "value": _api_key(url, programmer)}
    program = {"name": "program", "fixedHeaders": [header]}
    return [
        Caller(
            CUSTOMER,
            examples,
            {"users": [users[CUSTOMER], users[NEIGHBOUR]], "peers": [CUSTOMER, NEIGHBOUR]},
        ),
        Caller("program", examples, {"users": [program]}),
        Caller(ADMIN, examples, {"users": [users[ADMIN]]}),
        Caller("nobody", max(1, examples // 2), {}),
    ]


def _signing_in(one: DemoSignIn) -> dict[str, Any]:
    """How Schemathesis signs a person in, again whenever a session has ended (Web Fuzzing Commons)."""
    token = {"extractFrom": "body", "extractSelector": "/data/access_token", "sendIn": "header"}
    return {
        "name": one.name,
        "loginEndpointAuth": {
            "endpoint": "/api/auth/login",
            "verb": "POST",
            "contentType": "application/json",
            "payloadRaw": json.dumps(_login(one)),
            "token": {**token, "sendName": "Authorization", "sendTemplate": "Bearer {token}"},
        },
    }


def _login(one: DemoSignIn) -> dict[str, str]:
    return {"email" if "@" in one.name else "customer_number": one.name, "password": one.password}


def _api_key(url: str, owner: DemoSignIn) -> str:
    """A key that may do whatever a customer's key may."""
    token = _post(url, "/api/auth/login", _login(owner))["data"]["access_token"]
    scopes = [one.value for one in Permission if one.value.partition(":")[0] in ("chat", "banking", "profile")]
    body = {"name": "fuzzing", "scopes": scopes, "lifetime_days": 1}
    return str(_post(url, "/api/auth/api-keys", body, token)["data"]["key"])


def _post(url: str, path: str, body: dict[str, Any], token: str | None = None) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url + path, json.dumps(body).encode(), headers)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - loopback
        return dict(json.load(response))


def _get(url: str, path: str) -> dict[str, Any]:
    with urllib.request.urlopen(url + path, timeout=30) as response:  # noqa: S310 - loopback
        return dict(json.load(response))


@contextmanager
def fuzzed_server() -> Iterator[tuple[str, tuple[DemoSignIn, ...]]]:
    """A server of our own with the demo's people, while the block runs: its address, and their passwords."""
    home = Path(tempfile.mkdtemp(prefix="llmb-"))
    try:
        with embedded_postgres(home) as postgres, embedded_redis(home) as redis:
            upgrade(postgres.owner)
            sign_ins = asyncio.run(_seed(postgres.application, home))
            urls = {"DATABASE_URL": postgres.application, "REDIS_URL": redis}
            with running_server(home, demo=False, settings={**SERVER_SETTINGS, **urls}) as server:
                yield server.url, sign_ins
    finally:
        shutil.rmtree(home, ignore_errors=True)


async def _seed(database_url: str, home: Path) -> tuple[DemoSignIn, ...]:
    settings = Settings.model_validate(
        {"database_url": SecretStr(database_url), "LLM_BANKING_HOME": home}
        | {name.lower(): value for name, value in SERVER_SETTINGS.items()}
    )
    database = Database(database_url, max_pool_size=1)
    try:
        await seed_demo(database)
        return await give_demo_passwords(database, settings)
    finally:
        await database.close()
