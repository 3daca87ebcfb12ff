"""The product as it is started: `llm-banking serve --demo` and what surrounds it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from llm_banking.kit.embedded import postgres_at
from llm_banking.proof.bench import running_server
from tests.conftest import ServiceUrls

pytestmark = pytest.mark.slow

SERVE = [sys.executable, "-m", "llm_banking.cli", "serve", "--demo"]
BALANCE = {"message": "What is my account balance?", "customer_id": "CUST001"}


def eventually(check: Callable[[], bool], timeout_s: float = 60) -> bool:
    """Whether a check comes true before the time is up."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if check():
            return True
        time.sleep(0.05)
    return False


def processes_of(home: Path) -> list[psutil.Process]:
    """Every live process that has the home in its command line."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(home) in part for part in process.info["cmdline"] or [])
    ]


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")
    }
    return {**kept, "ENVIRONMENT": "development", "LLM_BANKING_HOME": str(home), **more}


def refused(home: Path, port: int, *options: str, **more: str) -> str:
    """What a start that must fail prints on standard error."""
    done = subprocess.run(
        [*SERVE, "--port", str(port), *options],
        env=environment(home, **more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    return done.stderr


def test_the_quick_start_calls_answer_and_a_second_start_keeps_everything(home: Path, port: int) -> None:
    with running_server(home, port=port) as server, httpx.Client(base_url=server.url) as client:
        assert client.get("/health").json()["components"] == {
            "api": "healthy",
            "database": "healthy",
            "llm": "disabled",
            "cache": "healthy",
        }
        chat = client.post("/api/v2/chat", json={"message": "How do I transfer money?", "user_id": "CUST001"})
        assert chat.status_code == 200
        assert "Payments" in chat.json()["data"]["response"]
        before = client.post("/api/v1/chat", json=BALANCE).json()
        assert "$" in before["message"]
        session_id = chat.json()["data"]["session_id"]
        asked = client.post("/api/v2/chat", json={"message": BALANCE["message"], "user_id": "CUST001"}).json()["data"]
        follow_up = {"message": "and what about checking?", "user_id": "CUST001"}
        assert "Which do you mean" in client.post("/api/v2/chat", json=follow_up).json()["data"]["response"]
    assert processes_of(home) == []
    with running_server(home, port=port) as server, httpx.Client(base_url=server.url) as client:
        assert client.get(f"/api/v2/sessions/{session_id}").json()["data"]["message_count"] == 2
        assert client.post("/api/v1/chat", json=BALANCE).json()["message"] == before["message"]
        followed = client.post("/api/v2/chat", json={**follow_up, "session_id": asked["session_id"]}).json()["data"]
        assert followed["intent"] == "check_balance", "the conversation outlives the server"
        assert "Everyday Checking" in followed["response"]
        assert "Which do you mean" not in followed["response"]


def test_a_second_start_on_one_home_is_refused_by_name(home: Path, port: int) -> None:
    with running_server(home, port=port) as server:
        assert f"in use by process {server.pid}" in refused(home, port + 1)
        assert f"127.0.0.1:{port} cannot be listened on" in refused(home, port)
        assert httpx.get(f"{server.url}/health").status_code == 200


def test_after_a_kill_the_next_start_takes_over_what_was_left(home: Path, port: int) -> None:
    process = subprocess.Popen([*SERVE, "--port", str(port)], env=environment(home), stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"

    def healthy() -> bool:
        try:
            return httpx.get(f"{url}/health").status_code == 200
        except httpx.TransportError:
            return False

    assert eventually(healthy)
    said = httpx.post(f"{url}/api/v2/chat", json={"message": "hello", "user_id": "CUST001"}).json()["data"]
    process.kill()
    process.wait()
    assert processes_of(home), "PostgreSQL and Redis outlive a kill"
    with running_server(home, port=port) as server:
        kept = httpx.get(f"{server.url}/api/v2/sessions/{said['session_id']}").json()["data"]
        assert kept["message_count"] == 2
    assert processes_of(home) == []


def test_server_processes_leave_the_port_when_the_one_that_started_them_is_killed(home: Path, port: int) -> None:
    command = [*SERVE, "--port", str(port), "--workers", "2", "--no-worker"]
    process = subprocess.Popen(command, env=environment(home), stdout=subprocess.DEVNULL)

    def healthy() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
        except httpx.TransportError:
            return False

    assert eventually(healthy, 60)
    servers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    ours = [one for one in servers if one.name().startswith("python") and str(home) not in " ".join(one.cmdline())]
    assert len(ours) >= 2
    _, alive = psutil.wait_procs(ours, 15)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []
    with running_server(home, port=port) as server:
        assert httpx.get(f"{server.url}/health").status_code == 200
    assert processes_of(home) == []


def test_an_interrupt_stops_everything_that_was_started(home: Path, port: int) -> None:
    with running_server(home, port=port) as server:
        process = psutil.Process(server.pid)
        assert len(processes_of(home)) >= 2
        process.send_signal(signal.SIGINT)
        assert eventually(lambda: not processes_of(home) and process.status() == psutil.STATUS_ZOMBIE)


def test_given_urls_are_used_and_nothing_else_is_started(home: Path, port: int, service_urls: ServiceUrls) -> None:
    command = [*SERVE, "--port", str(port)]
    process = subprocess.Popen(
        command,
        env=environment(
            home,
            DATABASE_URL=service_urls.database,
            DATABASE_OWNER_URL=service_urls.database_owner,
            REDIS_URL=service_urls.redis,
        ),
        stdout=subprocess.DEVNULL,
    )
    try:

        def healthy() -> bool:
            try:
                return httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
            except httpx.TransportError:
                return False

        assert eventually(healthy)
        assert not (home / "postgres").exists()
        assert not (home / "redis").exists()
        children = psutil.Process(process.pid).children()
        assert [one.cmdline()[-1] for one in children] == ["worker"], "its own, and nothing else"
    finally:
        process.terminate()
        process.wait(30)


def test_a_missing_database_is_named_and_its_return_is_noticed(home: Path, port: int) -> None:
    with running_server(home, port=port) as server, httpx.Client(base_url=server.url) as client:
        assert client.post("/api/v1/chat", json=BALANCE).status_code == 200
        postgres = postgres_at((home / "postgres").resolve())
        postgres.start()
        postgres.stop()
        try:
            assert eventually(lambda: client.get("/health").status_code == 503)
            health = client.get("/health")
            assert health.json()["components"]["database"] == "unhealthy"
            assert health.json()["components"]["cache"] == "healthy"
            assert client.head("/health").status_code == 503
            chat = client.post("/api/v2/chat", json={"message": "hello"})
            assert chat.status_code == 503
            assert chat.json()["error"]["code"] == "DATABASE_UNAVAILABLE"
            assert chat.headers["Retry-After"]
            legacy = client.post("/api/v1/chat", json=BALANCE)
            assert (legacy.status_code, legacy.json()["error_code"]) == (503, "DATABASE_UNAVAILABLE")
            assert client.get("/health/live").status_code == 200
        finally:
            postgres.ensure_postgres_running()
        assert eventually(lambda: client.get("/health").status_code == 200)
        assert client.post("/api/v1/chat", json=BALANCE).status_code == 200


def test_a_missing_cache_is_named_and_chat_goes_on(home: Path, port: int) -> None:
    with running_server(home, port=port) as server, httpx.Client(base_url=server.url) as client:
        (redis,) = [one for one in processes_of(home) if "redis-server" in one.name()]
        redis.suspend()
        try:
            assert eventually(lambda: client.get("/health").status_code == 503)
            assert client.get("/health").json()["components"]["cache"] == "unhealthy"
            assert client.post("/api/v1/chat", json=BALANCE).status_code == 200
        finally:
            redis.resume()
        assert eventually(lambda: client.get("/health").status_code == 200)


def test_every_worker_is_counted_in_one_scrape(home: Path, port: int) -> None:
    with running_server(home, "--workers", "2", port=port) as server:
        for _ in range(40):
            assert httpx.get(f"{server.url}/health/live").status_code == 200
        workers = {
            one.pid
            for one in psutil.Process(server.pid).children(recursive=True)
            if "spawn_main" in " ".join(one.cmdline())
        }
        assert len(workers) == 2
        for _ in range(8):
            families = text_string_to_metric_families(httpx.get(f"{server.url}/metrics").text)
            samples = [sample for family in families for sample in family.samples]
            (count,) = [
                sample.value
                for sample in samples
                if sample.name == "http_request_duration_seconds_count" and sample.labels["route"] == "/health/live"
            ]
            assert count == 40
        summary = httpx.get(f"{server.url}/health/metrics").json()["routes"]["/health/live"]
        assert summary["requests"] == 40
        assert 0 < summary["latency_p50_ms"] <= summary["latency_p95_ms"] <= summary["latency_p99_ms"]
    assert processes_of(home) == []


def test_unsafe_configurations_do_not_start(home: Path, port: int) -> None:
    assert "LLM_BANKING_DEMO" in refused(home, port, ENVIRONMENT="production")
    assert "loopback only" in refused(home, port, "--host", "0.0.0.0")  # noqa: S104 - it must be refused
    assert "DATABASE_URL must begin with" in refused(home, port, DATABASE_URL="mysql://user:hunter2@db/bank")
    assert "hunter2" not in refused(home, port, DATABASE_URL="mysql://user:hunter2@db/bank")
    assert "DATABASE_MAX_POOL_SIZE" in refused(home, port, DATABASE_MAX_POOL_SIZE="many")
    assert not (home / "postgres").exists()


def test_a_database_that_cannot_be_used_at_start_is_named(home: Path, port: int, service_urls: ServiceUrls) -> None:
    nobody = refused(home, port, DATABASE_URL="postgresql://user:hunter2@127.0.0.1:1/bank")
    assert "DATABASE_URL cannot be used" in nobody
    assert "hunter2" not in nobody
    assert "is a superuser" in refused(home, port, DATABASE_URL=service_urls.database_owner)
    absent = refused(home, port, DATABASE_URL=service_urls.database.replace("/llm_banking?", "/absent?"))
    assert 'database "absent" does not exist' in absent


def test_the_log_file_holds_one_json_line_per_request_with_its_id(home: Path, port: int) -> None:
    with running_server(home, port=port) as server:
        httpx.get(f"{server.url}/health/live", headers={"X-Request-ID": "look-for-me"})
        httpx.post(f"{server.url}/api/v2/chat", json={"message": "my secret is zebra-4471"})
        log = (home / "logs" / "app.log").read_text()
    lines = [line for line in log.splitlines() if "look-for-me" in line]
    assert len(lines) == 1
    assert '"route": "/health/live"' in lines[0]
    assert "zebra-4471" not in log
