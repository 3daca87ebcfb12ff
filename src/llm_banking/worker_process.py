"""The worker that `serve` keeps beside itself: a process of its own, started again when it ends by itself."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from llm_banking.kit.logs import get_logger

COMMAND = (sys.executable, "-m", "llm_banking.cli", "worker")
STOP_TIMEOUT_S = 10.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0


class _Keeper:
    """Starts the process, and starts it again, later each time that it ends soon."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process = self._start()
        self._thread = threading.Thread(target=self._keep, name="worker-keeper", daemon=True)

    def begin(self) -> None:
        """Watch it from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End it: with SIGTERM, and where that is not heeded in time by force."""
        self._stopping.set()
        with self._lock:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._thread.join()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(COMMAND, stdin=subprocess.DEVNULL)  # noqa: S603 - our own module, no input in it

    def _keep(self) -> None:
        waits_s = FIRST_WAIT_S
        while True:
            code = self._process.wait()
            if self._stopping.is_set():
                return
            get_logger("llm_banking.server").error("the worker ended", exit_code=code, starts_again_in_s=waits_s)
            if self._stopping.wait(waits_s):
                return
            waits_s = min(waits_s * 2, LONGEST_WAIT_S)
            with self._lock:
                if self._stopping.is_set():
                    return
                self._process = self._start()


@contextmanager
def running_worker() -> Iterator[None]:
    """A worker process for as long as the block lasts. It reads its settings from this process's environment."""
    keeper = _Keeper()
    keeper.begin()
    try:
        yield
    finally:
        keeper.stop()
