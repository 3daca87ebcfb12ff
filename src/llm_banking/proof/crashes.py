"""Whether what a customer was told stays true when PostgreSQL, the API or a worker is killed at any moment.

`llm-banking proof crashes` runs all of them as an operator would, lets customers move money over HTTP and the workers
make payments that were planned, kills processes at random (SIGKILL) and starts them anew, and then compares what
customers were told with what the database holds. With `--unsafe` PostgreSQL may acknowledge before it writes
(synchronous_commit = off): the same look must find what is lost.

A kill ends processes and not the machine: what PostgreSQL gave to the system is written by the system. A power cut,
which takes that as well, is what fsync is for.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from rich.console import Console
from sqlalchemy import text

from llm_banking.kit.database import Database
from llm_banking.kit.embedded import embedded_postgres, embedded_redis
from llm_banking.kit.errors import LlmBankingError
from llm_banking.migrations import upgrade
from llm_banking.proof.bench import FREE_LIMITS, READY_TIMEOUT_S, ServerNotReadyError, free_port, healthy, machine
from llm_banking.proof.crash_bank import flush, make_unsafe, open_bank, opening_balances
from llm_banking.proof.crash_clients import CALLED_OFF, PLANNED, Client, Notebook, Order, Person, served_since
from llm_banking.proof.crash_duplicates import duplicates
from llm_banking.proof.crash_judge import FAULTS, LOST, Verdict, judge_at_the_end, judge_meanwhile, news_since, unpaid
from llm_banking.proof.crash_plans import Planner
from llm_banking.proof.crash_processes import VICTIMS, WORKERS, Part, killed, postgres, product, supervised
from llm_banking.settings import Settings

RESULTS_FILE = "crashes.json"
UNSAFE_RESULTS_FILE = "crashes-unsafe.json"
KILLS = 100
SEED = 20_261_121
PEOPLE = 4
CLIENTS = 8
API_WORKERS = 2
PAUSES_S = (0.1, 2.0)
"""Between a recovery and the next kill."""
RECOVERY_TIMEOUT_S = 60.0
RECOVERY_AIM_S = 5.0
NEWS_TIMEOUT_S = 120.0
REPEATS = 200
"""Answers of each client that are asked for again when all is over."""
DURABILITY = ("fsync", "full_page_writes", "synchronous_commit", "data_checksums", "wal_writer_delay")

T = TypeVar("T")


class NoRecoveryError(LlmBankingError):
    """After a kill not every customer was served again in time."""

    code = "ENGINE_UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Kill:
    """What was killed, and how long it took until an operation was acknowledged again: the first, and everybody's.

    `due` planned payments waited for the workers just before.
    """

    victim: str
    first_s: float
    everybody_s: float
    due: int = 0


@dataclass(slots=True)
class Stage:
    """What runs, and who uses it."""

    url: str
    database_url: str
    parts: Mapping[str, Part]
    people: list[Person]
    home: Path
    durability: dict[str, str]
    notebook: Notebook = field(default_factory=Notebook)


def run_crashes(out: Path, kills: int = KILLS, seed: int = SEED, *, unsafe: bool = False) -> dict[str, Any]:
    """Kill so many times, and judge. The figures, which are also written to `out`; `holds` says whether all was right.

    With `unsafe` it ends at the first loss, and `holds` says that one was found. Raises NoRecoveryError,
    NothingToKillError and ServerNotReadyError.
    """
    console = Console(stderr=True)
    load_before = round(os.getloadavg()[0], 2)
    with TemporaryDirectory(prefix="llmb-") as folder, staged(Path(folder), unsafe=unsafe) as stage:
        console.print(f"killing {kills} times")
        began = time.monotonic()
        same_key = duplicates(stage.url, stage.people[0], stage.notebook)
        done, verdict = act(stage, kills, seed, until_loss=unsafe, told=console.print)
        seconds = time.monotonic() - began
    figures = summary(stage, done, verdict, same_key, unsafe=unsafe)
    document = {
        "machine": {**machine(), "load_before": load_before},
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "seconds": round(seconds, 1),
        **figures,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return document


@contextmanager
def staged(folder: Path, *, unsafe: bool = False) -> Iterator[Stage]:
    """Everything started and supervised, with customers and their money, until the block ends."""
    services, home = folder / "s", folder / "h"
    services.mkdir()
    with ExitStack() as stack:
        urls = stack.enter_context(embedded_postgres(services))
        redis_url = stack.enter_context(embedded_redis(services))
        upgrade(urls.owner)
        if unsafe:
            asyncio.run(_with_database(urls.owner, make_unsafe))
        parts = {"postgres": postgres(services)}
        _started(parts["postgres"], stack)
        _await(lambda: asyncio.run(_with_database(urls.owner, Database.ping)), services / "postgres.log")
        people = asyncio.run(_with_database(urls.application, lambda one: open_bank(one, home, PEOPLE)))
        asyncio.run(_with_database(urls.owner, flush))
        port = free_port()
        environment = {
            "ENVIRONMENT": "development",
            "LLM_BANKING_HOME": str(home),
            "DATABASE_URL": urls.application,
            "REDIS_URL": redis_url,
            "RATE_LIMITS": json.dumps(FREE_LIMITS),
            "RATE_LIMIT_TIMEOUT_S": "1",
        }
        log = folder / "log"
        serve = ["serve", "--port", str(port), "--workers", str(API_WORKERS), "--no-worker"]
        for name, arguments in (("api", serve), *((one, ["worker"]) for one in WORKERS)):
            parts[name] = product(arguments, environment, log)
            _started(parts[name], stack)
        url = f"http://127.0.0.1:{port}"
        _await(lambda: healthy(url), log)
        durability = asyncio.run(_with_database(urls.application, _durability))
        for part in parts.values():
            stack.enter_context(supervised(part))
        yield Stage(url, urls.application, parts, people, home, durability)


def _started(part: Part, stack: ExitStack) -> None:
    part.start()
    stack.callback(part.stop)


def _await(answers: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not answers():
        if time.monotonic() > deadline:
            raise ServerNotReadyError(f"The server did not get ready: {log.read_text()[-2000:]}")
        time.sleep(0.05)


async def _with_database(url: str, work: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
    database = Database(url, max_pool_size=1)
    try:
        return await work(database)
    finally:
        await database.close()


def settings_at(home: Path) -> Settings:
    """The settings of a process that uses the keys below a home."""
    return Settings.model_validate({"LLM_BANKING_HOME": home, "environment": "development"})


async def _durability(database: Database) -> dict[str, str]:
    async with database.engine.connect() as connection:
        return {name: str(await connection.scalar(text(f"SHOW {name}"))) for name in DURABILITY}


def act(
    stage: Stage, kills: int, seed: int, *, until_loss: bool = False, told: Callable[[str], None] = lambda _: None
) -> tuple[list[Kill], Verdict]:
    """Let customers work, kill so many times, let them finish, and judge. Raises NoRecoveryError."""
    over = threading.Event()
    clients = [
        Client(stage.url, stage.people[number % PEOPLE], stage.notebook, seed + number) for number in range(CLIENTS)
    ]
    planner = Planner(stage.database_url, settings_at(stage.home), stage.people, stage.notebook, seed + CLIENTS)
    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        working = [*(pool.submit(one.run, over) for one in clients), pool.submit(planner.run, over)]
        try:
            done, verdict = _kill(stage, clients, kills, seed, until_loss=until_loss, told=told)
        finally:
            over.set()
        _finished(working)
        if not until_loss:
            _finished([pool.submit(one.repeat, REPEATS) for one in clients])
    for one in clients:
        one.close()
    if not until_loss:
        opening = opening_balances(stage.people)
        _await_workers(stage)
        verdict.extend(_judged(stage, partial(judge_at_the_end, orders=stage.notebook.orders, opening=opening)))
    return done, verdict


def _await_workers(stage: Stage) -> None:
    """Until nothing is due and nothing waits for delivery, or for too long: who judges says so then."""
    deadline = time.monotonic() + NEWS_TIMEOUT_S
    while time.monotonic() < deadline:
        now = partial(news_since, moment=datetime.now(UTC))
        if not _due(stage) and not asyncio.run(_with_database(stage.database_url, now))[1]:
            return
        time.sleep(0.2)


def _due(stage: Stage) -> int:
    return asyncio.run(_with_database(stage.database_url, unpaid))


def _finished(working: Sequence[Future[Any]]) -> None:
    for one in working:
        one.result()


def _kill(
    stage: Stage,
    clients: Sequence[Client],
    kills: int,
    seed: int,
    *,
    until_loss: bool,
    told: Callable[[str], None],
) -> tuple[list[Kill], Verdict]:
    rng = random.Random(seed)  # noqa: S311 - moments and victims, no secret
    victims = [one for one, parts in VICTIMS.items() if set(parts) <= set(stage.parts)]
    total_minor = sum(opening_balances(stage.people).values())
    rounds = [one for _ in range(0, kills, len(victims)) for one in rng.sample(victims, len(victims))]
    done, verdict, fresh = list[Kill](), Verdict(), Acknowledged(stage.notebook)
    for number, victim in enumerate(rounds[:kills]):
        time.sleep(rng.uniform(*PAUSES_S))
        due = _due(stage)
        killed_at, gone_at = killed(victim, stage.parts, rng)
        first, everybody = _recovered(stage, clients, victim, gone_at)
        done.append(Kill(victim, first - killed_at, everybody - killed_at, due))
        told(f"{number + 1:>4} {victim:<22} {done[-1].first_s:5.2f} s {done[-1].everybody_s:5.2f} s")
        if VICTIMS[victim] == ("postgres",):
            judge = partial(judge_meanwhile, orders=fresh.taken(), total_minor=total_minor)
            verdict.extend(_judged(stage, judge))
        if until_loss and verdict.faults[LOST]:
            break
    return done, verdict


class Acknowledged:
    """Orders that were acknowledged, each handed out once."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._seen = 0
        self._waiting: list[Order] = []

    def taken(self) -> list[Order]:
        """Those since the last time."""
        orders = self._notebook.orders[self._seen :]
        self._seen += len(orders)
        candidates = [*self._waiting, *orders]
        found = [one for one in candidates if one.receipt is not None]
        taken = set(map(id, found))
        self._waiting = [one for one in candidates if id(one) not in taken]
        return found


def _recovered(stage: Stage, clients: Sequence[Client], victim: str, gone_at: float) -> tuple[float, float]:
    """When what the victim does was done again, first for somebody and then for everybody, for what began after it.

    Of a worker that is the delivery of news: of any, and of all that waited when the worker was gone.
    """
    gone = datetime.now(UTC) - timedelta(seconds=time.monotonic() - gone_at)
    deadline, told = gone_at + RECOVERY_TIMEOUT_S, None
    while time.monotonic() < deadline:
        if VICTIMS[victim] == WORKERS:
            delivered, waiting = asyncio.run(_with_database(stage.database_url, partial(news_since, moment=gone)))
            told = told or (time.monotonic() if delivered else None)
            first, everybody = told, None if waiting or told is None else time.monotonic()
        else:
            first, everybody = served_since(clients, gone_at)
        if first is not None and everybody is not None:
            return first, everybody
        time.sleep(0.02)
    raise NoRecoveryError(f"Not everything was done again within {RECOVERY_TIMEOUT_S:g} s after: {victim}.")


def _judged(stage: Stage, judge: Callable[[Database], Coroutine[Any, Any, Verdict]]) -> Verdict:
    return asyncio.run(_with_database(stage.database_url, judge))


def summary(
    stage: Stage, done: Sequence[Kill], verdict: Verdict, same_key: Mapping[str, Any], *, unsafe: bool
) -> dict[str, Any]:
    """The figures of a run. It `holds` if nothing was wrong and recovery was in time; an unsafe one, if it lost."""
    acknowledged = stage.notebook.acknowledged()
    problems = stage.notebook.answers["problems"]
    recovered = max((one.first_s for one in done), default=0.0)
    faultless = not verdict.faults.total() and not problems and bool(same_key["holds"])
    return {
        "unsafe": unsafe,
        "durability": stage.durability,
        "clients": CLIENTS,
        "api_workers": API_WORKERS,
        "kills": len(done),
        "victims": [_of_victim(name, [one for one in done if one.victim == name]) for name in VICTIMS],
        "recovery_max_s": round(recovered, 2),
        "recovery_aim_s": RECOVERY_AIM_S,
        "operations": {
            "acknowledged": len(acknowledged),
            "executed": sum(one.way not in (CALLED_OFF, PLANNED) for one in acknowledged),
            "called_off": sum(one.way == CALLED_OFF for one in acknowledged),
            "planned": sum(one.way == PLANNED for one in acknowledged),
        },
        "workers": len(WORKERS),
        "due_when_killed": _counts([one.due for one in done]),
        "requests": dict(sorted(stage.notebook.answers.items())),
        "duplicates": dict(same_key),
        "faults": {name: verdict.faults[name] for name in FAULTS},
        "examples": verdict.examples,
        "problems": stage.notebook.problems,
        "holds": verdict.faults[LOST] > 0 if unsafe else faultless and recovered <= RECOVERY_AIM_S,
    }


def _of_victim(name: str, kills: Sequence[Kill]) -> dict[str, Any]:
    return {
        "victim": name,
        "kills": len(kills),
        "first_s": _spread([one.first_s for one in kills]),
        "everybody_s": _spread([one.everybody_s for one in kills]),
    }


def _counts(values: Sequence[int]) -> dict[str, float]:
    """How many there were at a time, and at how many of these times there were two or more."""
    return {
        "median": statistics.median(values) if values else 0,
        "max": max(values, default=0),
        "several": sum(one > 1 for one in values),
    }


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {"median": round(statistics.median(values), 2), "max": round(max(values), 2)}


def shown(document: Mapping[str, Any]) -> str:
    """The figures in lines."""
    lines = [
        f"{one['victim']:<22} {one['kills']:>4} kills, served again after "
        f"{one['first_s']['median']} s ({one['first_s']['max']} s at most), "
        f"everybody after {one['everybody_s']['median']} s ({one['everybody_s']['max']} s at most)"
        for one in document["victims"]
        if one["kills"]
    ]
    faults = ", ".join(f"{name} {count}" for name, count in document["faults"].items())
    lines.append(f"{document['operations']['acknowledged']} operations were acknowledged: {faults}.")
    lines += [f"  {one}" for one in [*document["examples"], *document["problems"]]]
    return "\n".join(lines)
