"""Processes of the product that are killed, and what the simplest supervisor does then: wait, and start anew.

It does not clear up: what a killed process left behind has to end by itself.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

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


class Part:
    """A command in a process group of its own, started anew whenever its first process ends."""

    def __init__(self, command: Sequence[str], log: Path, **how: Any) -> None:
        """`how`: what else `subprocess.Popen` is told."""
        self._command = command
        self._log = log
        self._how = how
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, on what an earlier one left."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self._command, stdout=output, stderr=output, start_new_session=True, **self._how
            )

    def is_alive(self) -> bool:
        """Whether its first process runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it in order."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(STOP_TIMEOUT_S)

    def first(self) -> list[psutil.Process]:
        """The first process."""
        return [psutil.Process(self._process.pid)] if self._process is not None and self.is_alive() else []

    def others(self) -> list[psutil.Process]:
        """Those that it started, and those that these started."""
        found = [other for one in self.first() for other in one.children(recursive=True)]
        return [one for one in found if "resource_tracker" not in _command(one)]


def _command(process: psutil.Process) -> str:
    """What a process runs; nothing where it ended meanwhile, as PostgreSQL's own do all the time."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def product(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Part:
    """A command of the product."""
    command = [sys.executable, "-m", "llm_banking.cli", *arguments]
    return Part(command, log, env={**os.environ, **environment})


def postgres(home: Path) -> Part:
    """The PostgreSQL that `embedded_postgres` runs below a home: stopped, and from now on a child of this process.

    A killed process that nobody has waited for yet looks alive to the next PostgreSQL; who is its parent can wait.
    """
    server = postgres_at((home / "postgres").resolve())
    running = server.get_postmaster_info()
    server.stop()
    psutil.wait_procs([running.process], STOP_TIMEOUT_S)
    command = [str(server.bin_path / "postgres"), "-D", str(server.pgdata), "-h", "", "-k", str(running.socket_dir)]
    return Part(command, home / "postgres.log", user=server.system_user)


@contextmanager
def supervised(part: Part) -> Iterator[None]:
    """Start it anew whenever it ends, until the block does."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(WATCH_EVERY_S):
            if not part.is_alive():
                time.sleep(RESTART_AFTER_S)
                part.start()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def killed(victim: str, parts: Mapping[str, Part], rng: random.Random) -> tuple[float, float]:
    """SIGKILL a victim of VICTIMS: when, and when the last that ends with it was gone (`time.monotonic`).

    All of PostgreSQL's processes end with any of them, and those of the API with its first. Raises NothingToKillError.
    """
    names = VICTIMS[victim]
    hit = [parts[name] for name in ([rng.choice(names)] if victim in _ONE_PART else names)]
    chosen = [one for part in hit for one in _chosen(victim, part, rng)]
    going = chosen if victim in _ALONE else [*chosen, *(one for part in hit for one in part.others())]
    began = time.monotonic()
    for one in chosen:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(signal.SIGKILL)
    deadline = began + GONE_TIMEOUT_S
    while any(_lives(one) for one in going):
        if time.monotonic() > deadline:
            raise NothingToKillError(f"A killed process ({victim}) was still there after {GONE_TIMEOUT_S:g} s.")
        time.sleep(0.002)
    return began, time.monotonic()


WORKERS = ("worker", "second worker")
VICTIMS = {
    "postgres, all at once": ("postgres",),
    "postmaster": ("postgres",),
    "a process of postgres": ("postgres",),
    "api, all at once": ("api",),
    "api's first process": ("api",),
    "api process": ("api",),
    "a worker of two": WORKERS,
    "both workers": WORKERS,
}
"""What is killed, and of which parts it is."""
_ALONE = ("api process", "a worker of two", "both workers")
"""Nothing else ends with these."""
_ONE_PART = ("a worker of two",)
_FIRST = ("postmaster", "api's first process")
_ONE_OF = ("a process of postgres", "api process")
_BRIEF = ("autovacuum worker", "parallel worker")
"""What ends by itself so soon that a kill may come too late, and then kills nothing."""


def _chosen(victim: str, part: Part, rng: random.Random) -> list[psutil.Process]:
    deadline = time.monotonic() + KILLABLE_TIMEOUT_S
    while time.monotonic() < deadline:
        with suppress(psutil.NoSuchProcess):
            first, others = part.first(), part.others()
            staying = [one for one in others if not any(word in _command(one) for word in _BRIEF)]
            if victim in _ONE_OF and staying:
                return [rng.choice(staying)]
            if victim not in _ONE_OF and first:
                return first if victim in _FIRST else [*first, *others]
        time.sleep(WATCH_EVERY_S)
    raise NothingToKillError(f"There was nothing to kill ({victim}) for {KILLABLE_TIMEOUT_S:g} s.")


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
