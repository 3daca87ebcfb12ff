"""`bench`: run the product and write down what it did, with the machine, the date and the sizes beside it."""

from __future__ import annotations

import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from llm_banking.kit.errors import LlmBankingError
from llm_banking.nlu.artifact import MODEL_FILE
from llm_banking.nlu.evaluation import evaluate_rows, load_rows
from llm_banking.nlu.reader import Reader
from llm_banking.settings import RateLimits

RESULTS_FILE = "first-light.json"
COLD_STARTS = 5
CHAT_REQUESTS = 200
READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
FREE_LIMITS = {
    name: {"requests": 100_000, "window_s": 1, "burst_requests": 100_000}
    for name in sorted(set(RateLimits.model_fields) - {"tiers"})
}
"""Limits that a measurement of speed does not meet."""
QUESTION = "why is my transfer pending?"
CUSTOMER = "CUST001"
CONVERSATION = (
    "What is my account balance?",
    "and my savings?",
    "my card got eaten by the machine",
    "I need help with my card",
    "none of these",
    "how long should I boil an egg?",
)


class ServerNotReadyError(LlmBankingError):
    """The measured server did not answer in time; the message holds the end of what it printed."""

    code = "ENGINE_UNAVAILABLE"


def run_bench(data_dir: Path, out: Path) -> Path:
    """Measure everything this machine can, and write `out`/RESULTS_FILE. Returns its path.

    Without the data folder the figures that need it are left out, and the file says so.
    """
    console = Console(stderr=True)
    document: dict[str, Any] = {"machine": machine(), "measured": datetime.now(UTC).isoformat(timespec="seconds")}
    steps: dict[str, Callable[[], dict[str, Any]]] = {
        "sizes": sizes,
        "understanding": lambda: understanding(data_dir / "banking77" / "test.csv"),
        "cold_start": cold_start,
        "server": server,
    }
    for name, step in steps.items():
        console.print(f"measuring {name}")
        document[name] = step()
    out.mkdir(parents=True, exist_ok=True)
    path = out / RESULTS_FILE
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        named = [line.split(":", 1)[1].strip() for line in information.read_text().splitlines() if "model name" in line]
        model = named[0] if named else model
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "llm_banking": version("llm-banking"),
        "onnxruntime": version("onnxruntime"),
    }


def sizes(lock: Path = Path("requirements/base.txt")) -> dict[str, Any]:
    """Size of the model file, and of a new virtual environment that holds the locked runtime alone."""
    reader = Reader.open()
    found: dict[str, Any] = {
        "model_bytes": (reader.artifact.folder / MODEL_FILE).stat().st_size,
        "model_version": reader.artifact.version,
    }
    if not lock.is_file():
        return {**found, "left_out": f"{lock} is not here, so no runtime environment was made"}
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        install = ["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--requirement", str(lock)]
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)  # noqa: S603 - our own command
        subprocess.run([f"{folder}/bin/python", *install], check=True)  # noqa: S603 - our own command
        taken = time.perf_counter() - start
        total = sum(path.lstat().st_blocks * 512 for path in Path(folder).rglob("*"))
    return {**found, "runtime_environment_mib": round(total / 2**20, 1), "runtime_install_s": round(taken, 1)}


def understanding(test: Path) -> dict[str, Any]:
    """Scores and per-text latency on Banking77's official test file, one thread."""
    if not test.is_file():
        return {"left_out": f"{test.parent.name}/{test.name} is not on this machine"}
    reader = Reader.open()
    texts, labels = load_rows(test)
    figures: dict[str, Any] = {}
    for name, restrict in (("restricted_to_77", True), ("all_labels", False)):
        report = evaluate_rows(reader, texts, labels, restrict_to_support=restrict)
        figures[name] = {
            key: report[key] for key in ("rows", "accuracy", "accuracy_low", "accuracy_high", "macro_f1", "ece")
        }
    reader.latencies_ms(texts[:100])
    taken = np.array(reader.latencies_ms(texts))
    figures["read_ms"] = {
        "texts": len(texts),
        "p50": float(np.percentile(taken, 50)),
        "p95": float(np.percentile(taken, 95)),
        "p99": float(np.percentile(taken, 99)),
    }
    return figures


def cold_start() -> dict[str, Any]:
    """Seconds of whole processes from start to first answer, after one uncounted run."""
    return {
        name: _timed([sys.executable, "-m", "llm_banking.cli", *arguments])
        for name, arguments in (("nlu_read_s", ["nlu", "read", QUESTION]), ("ask_s", ["ask", QUESTION]))
    }


def _timed(command: list[str]) -> dict[str, float]:
    taken = []
    for _ in range(COLD_STARTS + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
        taken.append(time.perf_counter() - start)
    counted = taken[1:]
    return {"runs": len(counted), "min": min(counted), "median": statistics.median(counted), "max": max(counted)}


def server() -> dict[str, Any]:
    """Start-up, memory and latency of the real server with one worker, on fresh data and then on the same again."""
    with tempfile.TemporaryDirectory(prefix="llmb-") as home:
        with running_server(Path(home)) as first:
            pass
        with running_server(Path(home), settings={"RATE_LIMITS": json.dumps(FREE_LIMITS)}) as second:
            spoken = conversation(second.url)
            question = {"message": QUESTION, "user_id": CUSTOMER}
            chat = [_post(second.url, "/api/v2/chat", question)[0] for _ in range(CHAT_REQUESTS)]
            health = [_post(second.url, "/health", {})[0] for _ in range(CHAT_REQUESTS)]
            memory = resident_mib(second.pid)
    return {
        "ready_on_fresh_data_s": first.ready_s,
        "ready_again_s": second.ready_s,
        "resident_mib_one_worker": memory,
        "conversation": spoken,
        "chat_ms": {"requests": len(chat), "p50": _percentile(chat, 50), "p95": _percentile(chat, 95)},
        "health_ms": {"requests": len(health), "p50": _percentile(health, 50), "p95": _percentile(health, 95)},
    }


def conversation(url: str) -> list[dict[str, Any]]:
    """What a demo customer says and what comes back, in one conversation."""
    body: dict[str, Any] = {"user_id": CUSTOMER}
    spoken = []
    for text in CONVERSATION:
        data = _post(url, "/api/v2/chat", {**body, "message": text})[1]["data"]
        body["session_id"] = data["session_id"]
        spoken.append({"says": text, **{key: data[key] for key in ("response", "intent", "confidence")}})
    return spoken


class RunningServer:
    """A server that answers: its address, its process id, and the seconds it took to get there."""

    def __init__(self, url: str, pid: int, ready_s: float) -> None:
        self.url = url
        self.pid = pid
        self.ready_s = ready_s


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_server(
    home: Path, *options: str, port: int | None = None, demo: bool = True, settings: Mapping[str, str] | None = None
) -> Iterator[RunningServer]:
    """`llm-banking serve` in a process of its own, until the block ends; by default on a free port, with the demo.

    `settings` come on top of this process's environment. Raises ServerNotReadyError.
    """
    port = port or free_port()
    environment = {**os.environ, "ENVIRONMENT": "development", "LLM_BANKING_HOME": str(home)}
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"):
        environment.pop(name, None)
    environment |= settings or {}
    log = home.with_name(f"{home.name}.log")
    command = [sys.executable, "-m", "llm_banking.cli", "serve", "--port", str(port), *options]
    if demo:
        command.append("--demo")
    start = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)  # noqa: S603 - our own
    try:
        url = f"http://127.0.0.1:{port}"
        while not healthy(url):
            if process.poll() is not None or time.perf_counter() - start > READY_TIMEOUT_S:
                raise ServerNotReadyError(f"The server did not get ready: {log.read_text()[-2000:]}")
            time.sleep(0.02)
        yield RunningServer(url, process.pid, time.perf_counter() - start)
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT_S)
        log.unlink(missing_ok=True)


def healthy(url: str) -> bool:
    """Whether a server says that it and what it needs are well."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as response:  # noqa: S310 - loopback
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _post(url: str, path: str, body: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    """Milliseconds of one request, and its answer."""
    request = urllib.request.Request(  # noqa: S310 - loopback
        url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    start = time.perf_counter()
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - loopback
        answer = response.read()
    return (time.perf_counter() - start) * 1000, json.loads(answer)


def _percentile(values: list[float], share: float) -> float:
    return float(np.percentile(np.array(values), share))


def resident_mib(pid: int) -> float | None:
    """Resident memory of a process, or None where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if not status.is_file():
        return None
    kib = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return round(int(kib) / 1024, 1)
