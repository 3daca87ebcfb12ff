"""Processes of the product that are killed, and what an operator's supervisor does then: clear up, wait, start anew."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from llm_banking.kit.embedded import postgres_at
from llm_banking.kit.errors import LlmBankingError
from llm_banking.proof.bench import STOP_TIMEOUT_S

RESTART_AFTER_S = 0.1
"""As systemd does where nothing else is set (RestartSec)."""
WATCH_EVERY_S = 0.02
GONE_TIMEOUT_S = 20.0
KILLABLE_TIMEOUT_S = 60.0


class NothingToKillError(LlmBankingError):
    """A process that was to be killed did not come up, or a killed one did not go; the message says which."""

    code = "ENGINE_UNAVAILABLE"


class Command:
    """A command of the product in a process group of its own, started anew whenever its first process ends."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self._arguments = [sys.executable, "-m", "llm_banking.cli", *arguments]
        self._environment = {**os.environ, **environment}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, on what an earlier one left."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self._arguments, env=self._environment, stdout=output, stderr=output, start_new_session=True
            )

    def is_alive(self) -> bool:
        """Whether its first process runs."""
        return self._process is not None and self._process.poll() is None

    def clear(self) -> None:
        """End what the first process left behind, as a supervisor ends a control group."""
        if self._process is not None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return

    def stop(self) -> None:
        """End it in order."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOP_TIMEOUT_S)

    def first(self) -> list[psutil.Process]:
        """The first process."""
        return [psutil.Process(self._process.pid)] if self._process is not None and self.is_alive() else []

    def all(self) -> list[psutil.Process]:
        """All of its processes, the first one first."""
        return [one for first in self.first() for one in (first, *first.children(recursive=True))]

    def servers(self) -> list[psutil.Process]:
        """Those that answer requests, where there are several."""
        return [one for one in self.all()[1:] if "spawn_main" in " ".join(one.cmdline())]


class Postgres:
    """The embedded PostgreSQL below a home; `embedded_postgres` has started it, and stops it in the end."""

    def __init__(self, home: Path) -> None:
        self._server = postgres_at((home / "postgres").resolve())
        self._left: list[psutil.Process] = []

    def start(self) -> None:
        """Start it on what is on the disk. What cannot be started yet is tried again by who watches."""
        try:
            self._server.ensure_postgres_running()
        except (subprocess.SubprocessError, AssertionError):
            time.sleep(RESTART_AFTER_S)

    def restart(self) -> None:
        """Stop it in order and start it: with settings that only a start reads."""
        self._server.stop()
        self._server.ensure_postgres_running()

    def is_alive(self) -> bool:
        """Whether the postmaster runs."""
        return bool(self.first())

    def clear(self) -> None:
        """Wait until its other processes have seen that the postmaster is gone: they hold its memory."""
        psutil.wait_procs(self._left, GONE_TIMEOUT_S)

    def first(self) -> list[psutil.Process]:
        """The postmaster."""
        process = self._server.get_postmaster_info().process
        return [process] if process is not None and _lives(process) else []

    def all(self) -> list[psutil.Process]:
        """All of its processes, the postmaster first."""
        found = [one for first in self.first() for one in (first, *first.children(recursive=True))]
        self._left = found[1:]
        return found

    def others(self) -> list[psutil.Process]:
        """Those beside the postmaster: of connections, and of PostgreSQL itself."""
        return self.all()[1:]


Supervised = Command | Postgres


@contextmanager
def supervised(part: Supervised) -> Iterator[None]:
    """Start it anew whenever it ends, until the block does."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(WATCH_EVERY_S):
            if not part.is_alive():
                part.clear()
                time.sleep(RESTART_AFTER_S)
                part.start()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def killed(victim: str, parts: Mapping[str, Supervised], rng: random.Random) -> tuple[float, float]:
    """SIGKILL a victim of VICTIMS: when, and when the last that ends with it was gone (`time.monotonic`).

    PostgreSQL ends all of its processes when one is killed. Raises NothingToKillError.
    """
    part = parts[VICTIMS[victim]]
    chosen = _chosen(victim, part, rng)
    going = [*chosen, *part.others()] if isinstance(part, Postgres) else chosen
    began = time.monotonic()
    for one in chosen:
        one.send_signal(signal.SIGKILL)
    deadline = began + GONE_TIMEOUT_S
    while any(_lives(one) for one in going):
        if time.monotonic() > deadline:
            raise NothingToKillError(f"A killed process ({victim}) was still there after {GONE_TIMEOUT_S:g} s.")
        time.sleep(0.002)
    return began, time.monotonic()


VICTIMS = {
    "postgres, all at once": "postgres",
    "postmaster": "postgres",
    "a process of postgres": "postgres",
    "api, all at once": "api",
    "api process": "api",
    "worker": "worker",
}
"""What is killed, and of which part it is."""


def _chosen(victim: str, part: Supervised, rng: random.Random) -> list[psutil.Process]:
    deadline = time.monotonic() + KILLABLE_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            found = _candidates(victim, part)
            if found:
                return [rng.choice(found)] if victim in ("a process of postgres", "api process") else found
        except psutil.NoSuchProcess:
            continue
        time.sleep(WATCH_EVERY_S)
    raise NothingToKillError(f"There was nothing to kill ({victim}) for {KILLABLE_TIMEOUT_S:g} s.")


def _candidates(victim: str, part: Supervised) -> list[psutil.Process]:
    if isinstance(part, Command):
        return part.servers() if victim == "api process" else part.all()
    if victim == "postmaster":
        return part.first()
    return part.others() if victim == "a process of postgres" else part.all()


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
