"""`serve`: bring up what is missing, migrate, seed, serve, and take down only what this process brought up."""

from __future__ import annotations

import asyncio
import importlib.util
import ipaddress
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType

import uvicorn
from pydantic import SecretStr

from llm_banking.banking.demo import seed_accounts, seed_cards, seed_payees
from llm_banking.identity.demo import CUSTOMERS, DemoSignIn, give_passwords, seed_users
from llm_banking.identity.hashing import PasswordHasher
from llm_banking.identity.wiring import build_identity
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, Scope
from llm_banking.kit.embedded import embedded_postgres, embedded_redis, locked_home
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.logs import get_logger
from llm_banking.migrations import upgrade
from llm_banking.settings import Environment, Settings, load_settings
from llm_banking.startup import check_database, check_secrets, check_transport
from llm_banking.worker_process import running_worker

GRACEFUL_SHUTDOWN_S = 5
KEEP_ALIVE_S = 30
BACKLOG = 2048
_HTTP_PROTOCOL = "llm_banking.api.http_protocol:BoundedHttpProtocol"
_OWNER_URL = "DATABASE_OWNER_URL"


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Where to listen, with how many processes, and whether with a worker beside them."""

    host: str
    port: int
    workers: int
    worker: bool = True


class _StoppedError(Exception):
    """A signal asked the process to end."""


def serve(options: ServeOptions) -> None:
    """Serve until a signal ends it. Raises ConfigurationError, HomeInUseError, EmbeddedStartError."""
    settings = load_settings()
    _check(settings, options)
    previous = signal.signal(signal.SIGTERM, _on_terminate)
    try:
        with locked_home(settings.home), running_services(settings) as ready:
            sign_ins = asyncio.run(prepare(ready))
            print(_banner(ready, options, sign_ins), flush=True)  # noqa: T201 - the operator reads this, not a log
            _tell_children(ready, options)
            with running_worker() if options.worker else nullcontext():
                _run(ready, options)
    except (_StoppedError, KeyboardInterrupt):
        get_logger("llm_banking.server").info("stopped")
    finally:
        signal.signal(signal.SIGTERM, previous)


def _on_terminate(_number: int, _frame: FrameType | None) -> None:
    raise _StoppedError


def _check(settings: Settings, options: ServeOptions) -> None:
    """Refuse what must not be started, before anything is started."""
    check_secrets(settings)
    if settings.database_owner_url is not None and settings.database_url is None:
        raise ConfigurationError(
            "DATABASE_OWNER_URL is set and DATABASE_URL is not. Set both for a server of yours, neither for the "
            "embedded one; the owner's URL alone is enough for `llm-banking migrate`."
        )
    check_transport(settings)
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
    with _postgres(settings) as on_postgres, _redis_url(settings) as redis_url:
        yield on_postgres.model_copy(update={"redis_url": SecretStr(redis_url)})


@contextmanager
def _postgres(settings: Settings) -> Iterator[Settings]:
    if settings.database_url is not None:
        yield settings
        return
    with embedded_postgres(settings.home) as urls:
        yield settings.model_copy(
            update={"database_url": SecretStr(urls.application), "database_owner_url": SecretStr(urls.owner)}
        )


@contextmanager
def _redis_url(settings: Settings) -> Iterator[str]:
    if settings.redis_url is not None:
        yield settings.redis_url.get_secret_value()
        return
    with embedded_redis(settings.home) as url:
        yield url


def required_database_url(settings: Settings) -> str:
    """The database's URL. Raises ConfigurationError where none is set, or one that leads over an open network."""
    if settings.database_url is None:
        raise ConfigurationError("DATABASE_URL is needed here. `llm-banking serve` brings its own where it is not set.")
    check_transport(settings)
    return settings.database_url.get_secret_value()


def required_owner_url(settings: Settings) -> str:
    """The URL of the role that owns the tables. Raises ConfigurationError as `required_database_url` does."""
    if settings.database_owner_url is None:
        raise ConfigurationError(
            f"{_OWNER_URL} is needed here: the database as the role that owns the tables, or is to own them. "
            "`llm-banking serve` brings its own where DATABASE_URL is not set."
        )
    check_transport(settings)
    return settings.database_owner_url.get_secret_value()


async def prepare(settings: Settings) -> tuple[DemoSignIn, ...]:
    """Migrate where the owner's URL is known, check the database, make the keys, and seed the demo where it is on.

    Returns the demo passwords given just now. Raises ConfigurationError.
    """
    build_identity(settings)
    if settings.database_owner_url is not None:
        await asyncio.to_thread(upgrade, settings.database_owner_url.get_secret_value())
    database = Database(required_database_url(settings), max_pool_size=1)
    try:
        await check_database(database, durable=settings.environment is not Environment.DEVELOPMENT)
        if settings.demo:
            await seed_demo(database)
            return await give_demo_passwords(database, settings)
        return ()
    finally:
        await database.close()


async def seed_demo(database: Database) -> int:
    """Write what is missing of the demo customers, their accounts, cards and payees; returns how many got accounts."""
    yesterday = (utc_now() - timedelta(days=1)).date()
    owners = [one.user_id for one in CUSTOMERS]
    async with database.transaction(scope=Scope.SYSTEM) as session:
        await seed_users(session)
    async with database.transaction(visible_to=owners) as session:
        seeded = await seed_accounts(session, owners, yesterday)
        await seed_cards(session, owners, yesterday)
        await seed_payees(session, owners, yesterday)
        return seeded


async def give_demo_passwords(database: Database, settings: Settings) -> tuple[DemoSignIn, ...]:
    """Give the demo users that have no password one; whoever calls shows them, for they are stored as hashes alone."""
    hasher = PasswordHasher.of(settings)
    async with database.transaction(scope=Scope.SYSTEM) as session:
        return await give_passwords(session, hasher)


def shown_sign_ins(sign_ins: tuple[DemoSignIn, ...]) -> list[str]:
    """A line for each demo sign-in."""
    return [f"    {one.name:<22} {one.password}  ({one.account_type})" for one in sign_ins]


def _banner(settings: Settings, options: ServeOptions, sign_ins: tuple[DemoSignIn, ...]) -> str:
    lines = [
        "",
        f"  llm-banking answers on  http://{options.host}:{options.port}",
        f"  data lies in            {settings.home.resolve()}",
    ]
    if settings.demo:
        names = ", ".join(f"{one.customer_number} {one.name}" for one in CUSTOMERS)
        lines.append(f"  demo customers          {names}")
        lines.append("  sign-in                 not needed: the demo principal is on, on this machine only")
        if sign_ins:
            lines += ["  demo passwords, shown this once (POST /api/auth/login):", *shown_sign_ins(sign_ins)]
        else:
            lines.append("  demo passwords          were shown at the first start")
    lines += ["  API documentation       /docs", "  stop                    Ctrl-C", ""]
    return "\n".join(lines)


def _tell_children(settings: Settings, options: ServeOptions) -> None:
    """What server processes and worker read their settings from is this process's environment."""
    os.environ.update(child_environment(settings, options.workers))
    os.environ.pop(_OWNER_URL, None)  # whoever serves customers has no use for it


def _run(settings: Settings, options: ServeOptions) -> None:
    uvicorn.run(
        "llm_banking.factory:create_app",
        factory=True,
        http=_HTTP_PROTOCOL if importlib.util.find_spec("httptools") else "h11",
        h11_max_incomplete_event_size=settings.max_header_bytes,
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
