"""`serve`: bring up what is missing, migrate, seed, serve, and take down only what this process brought up."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType

import uvicorn
from pydantic import SecretStr
from sqlalchemy import text

from llm_banking.banking.demo import seed_accounts
from llm_banking.identity.demo import CUSTOMERS, seed_users
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database
from llm_banking.kit.embedded import embedded_postgres, embedded_redis, locked_home
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.logs import get_logger
from llm_banking.migrations import upgrade
from llm_banking.settings import Environment, Settings, load_settings

GRACEFUL_SHUTDOWN_S = 5
KEEP_ALIVE_S = 30
BACKLOG = 2048
_DURABLE = {
    "fsync": {"on"},
    "full_page_writes": {"on"},
    "synchronous_commit": {"on", "remote_write", "remote_apply", "local"},
}


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Where to listen and with how many processes."""

    host: str
    port: int
    workers: int


class _StoppedError(Exception):
    """A signal asked the process to end."""


def serve(options: ServeOptions) -> None:
    """Serve until a signal ends it. Raises ConfigurationError, HomeInUseError, EmbeddedStartError."""
    settings = load_settings()
    _check(settings, options)
    previous = signal.signal(signal.SIGTERM, _on_terminate)
    try:
        with locked_home(settings.home), running_services(settings) as ready:
            asyncio.run(prepare(ready))
            print(_banner(ready, options), flush=True)  # noqa: T201 - the operator reads this, not a log
            _run(ready, options)
    except (_StoppedError, KeyboardInterrupt):
        get_logger("llm_banking.server").info("stopped")
    finally:
        signal.signal(signal.SIGTERM, previous)


def _on_terminate(_number: int, _frame: FrameType | None) -> None:
    raise _StoppedError


def _check(settings: Settings, options: ServeOptions) -> None:
    """Refuse what must not be started, before anything is started."""
    if settings.environment is Environment.DEVELOPMENT and not _is_loopback(options.host):
        raise ConfigurationError(
            f"ENVIRONMENT=development serves on loopback only, not on {options.host}. "
            "Use 127.0.0.1, or set ENVIRONMENT=production."
        )
    with socket.socket(socket.AF_INET6 if ":" in options.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.host, options.port))
        except OSError as error:
            raise ConfigurationError(
                f"{options.host}:{options.port} cannot be listened on ({error.strerror}). "
                "Stop what uses it, or choose another port (make run PORT=8001)."
            ) from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def running_services(settings: Settings) -> Iterator[Settings]:
    """Settings whose database and cache URLs are set, to embedded services where the operator named none."""
    with _postgres_url(settings) as database_url, _redis_url(settings) as redis_url:
        yield settings.model_copy(update={"database_url": SecretStr(database_url), "redis_url": SecretStr(redis_url)})


@contextmanager
def _postgres_url(settings: Settings) -> Iterator[str]:
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    with embedded_postgres(settings.home) as url:
        yield url


@contextmanager
def _redis_url(settings: Settings) -> Iterator[str]:
    if settings.redis_url is not None:
        yield settings.redis_url.get_secret_value()
        return
    with embedded_redis(settings.home) as url:
        yield url


def required_database_url(settings: Settings) -> str:
    """The database's URL. Raises ConfigurationError where none is set."""
    if settings.database_url is None:
        raise ConfigurationError("DATABASE_URL is needed here. `llm-banking serve` brings its own where it is not set.")
    return settings.database_url.get_secret_value()


async def prepare(settings: Settings) -> None:
    """Migrate, check durability, and seed the demo where it is on. Raises ConfigurationError."""
    url = required_database_url(settings)
    await asyncio.to_thread(upgrade, url)
    database = Database(url, max_pool_size=1)
    try:
        if settings.environment is not Environment.DEVELOPMENT:
            await _check_durability(database)
        if settings.demo:
            await seed_demo(database)
    finally:
        await database.close()


async def _check_durability(database: Database) -> None:
    async with database.transaction() as session:
        for name, safe in _DURABLE.items():
            value = await session.scalar(text(f"SHOW {name}"))
            if value not in safe:
                raise ConfigurationError(
                    f"The database runs with {name} = {value}, which can lose committed transactions. "
                    f"Set it to {min(safe, key=len)}, or set ENVIRONMENT=development."
                )


async def seed_demo(database: Database) -> int:
    """Write the demo customers and accounts that are missing; returns how many customers were given accounts."""
    yesterday = (utc_now() - timedelta(days=1)).date()
    async with database.transaction() as session:
        await seed_users(session)
        return await seed_accounts(session, [one.user_id for one in CUSTOMERS], yesterday)


def _banner(settings: Settings, options: ServeOptions) -> str:
    lines = [
        "",
        f"  llm-banking answers on  http://{options.host}:{options.port}",
        f"  data lies in            {settings.home.resolve()}",
    ]
    if settings.demo:
        names = ", ".join(f"{one.customer_number} {one.name}" for one in CUSTOMERS)
        lines.append(f"  demo customers          {names}")
        lines.append("  sign-in                 none: the demo principal is on, on this machine only")
    lines += ["  API documentation       /docs", "  stop                    Ctrl-C", ""]
    return "\n".join(lines)


def _run(settings: Settings, options: ServeOptions) -> None:
    os.environ.update(child_environment(settings, options.workers))
    uvicorn.run(
        "llm_banking.app:create_app",
        factory=True,
        host=options.host,
        port=options.port,
        workers=options.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
        backlog=BACKLOG,
        proxy_headers=False,
    )


def child_environment(settings: Settings, workers: int) -> dict[str, str]:
    """What each worker process reads its settings from."""
    found = {
        "ENVIRONMENT": settings.environment.value,
        "LLM_BANKING_HOME": str(settings.home),
        "DATABASE_URL": settings.database_url.get_secret_value() if settings.database_url else "",
        "REDIS_URL": settings.redis_url.get_secret_value() if settings.redis_url else "",
        "LLM_BANKING_DEMO": str(settings.demo).lower(),
        "LLM_BANKING_WORKERS": str(max(settings.workers, workers)),
    }
    if workers > 1:
        folder = settings.home / "metrics"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        found["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    return found
