"""What the doctor finds, each with its fault planted in a real database, file or setting."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url
from typer.testing import CliRunner

from llm_banking import cli
from llm_banking.banking.invariants import INVARIANTS
from llm_banking.kit.database import Database
from llm_banking.kit.embedded import APPLICATION_ROLE, embedded_postgres, embedded_redis
from llm_banking.migrations import upgrade
from llm_banking.server import seed_demo
from tests.conftest import ServiceUrls
from tests.support import own_database as own_databases

ALL = [
    *("configuration", "secrets", "model", "knowledge", "cache", "database", "durability", "ledger", "worker", "news"),
]
RUNNER = CliRunner()
FAULTS = {
    "every entry adds up": (
        "UPDATE postings SET amount_minor = amount_minor + 1 WHERE balance_after_minor IS NULL",
        "UPDATE postings SET amount_minor = amount_minor - 1 WHERE balance_after_minor IS NULL",
    ),
    "every entry has two legs": (
        "INSERT INTO ledger_entries (id, body_hash, kind, booked_at) VALUES (gen_random_uuid(), 'x', 'planted', now())",
        "DELETE FROM ledger_entries WHERE kind = 'planted'",
    ),
    "balances are sums of postings": (
        "UPDATE accounts SET balance_minor = balance_minor + 1 WHERE name = 'Everyday Checking'",
        "UPDATE accounts SET balance_minor = balance_minor - 1 WHERE name = 'Everyday Checking'",
    ),
    "the newest posting says the balance": (
        "UPDATE postings SET balance_after_minor = -balance_after_minor",
        "UPDATE postings SET balance_after_minor = -balance_after_minor",
    ),
    "what is held is in active holds": (
        "UPDATE accounts SET held_minor = 1 WHERE name = 'Everyday Checking'",
        "UPDATE accounts SET held_minor = 0 WHERE name = 'Everyday Checking'",
    ),
    "nothing is below its floor": (
        "UPDATE accounts SET floor_minor = balance_minor + 1 WHERE name = 'Everyday Checking'",
        "UPDATE accounts SET floor_minor = 0 WHERE name = 'Everyday Checking'",
    ),
}
"""By rule: what breaks it behind the application's back, and what makes it whole."""


def as_administrator(url: str, *statements: str) -> None:
    asyncio.run(own_databases.as_administrator(url, *statements))


@pytest.fixture(scope="module")
def ledger(service_urls: ServiceUrls) -> Iterator[ServiceUrls]:
    """A database of these tests alone, with the demo's postings."""

    async def seed(url: str) -> None:
        database = Database(url, max_pool_size=1)
        await seed_demo(database)
        await database.close()

    with asyncio.Runner() as runner:
        context = own_databases.own_database(service_urls, "doctor")
        urls = runner.run(context.__aenter__())
        runner.run(seed(urls.database))
        yield urls
        runner.run(context.__aexit__(None, None, None))


@pytest.fixture
def home(ledger: ServiceUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the doctor looks: a whole installation on the tests' services."""
    for name, value in (
        ("ENVIRONMENT", "development"),
        ("DATABASE_URL", ledger.database),
        ("REDIS_URL", ledger.redis),
        ("LLM_BANKING_HOME", str(tmp_path)),
    ):
        monkeypatch.setenv(name, value)
    return tmp_path


def examined() -> dict[str, str | None]:
    """What the command finds, by check; that its exit code and its `ok` say the same is seen to here."""
    result = RUNNER.invoke(cli.app, ["doctor", "--json"], catch_exceptions=False)
    document = json.loads(result.stdout)
    found: dict[str, str | None] = {one["name"]: one["finding"] for one in document["checks"]}
    assert document["ok"] == (not any(found.values()))
    assert result.exit_code == (0 if document["ok"] else 1)
    return found


def findings() -> dict[str, str]:
    return {name: finding for name, finding in examined().items() if finding is not None}


def test_a_whole_installation_has_no_finding_and_stays_as_it_is(home: Path) -> None:
    assert examined() == dict.fromkeys(ALL)
    result = RUNNER.invoke(cli.app, ["doctor"], catch_exceptions=False)
    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [["ok", name] for name in ALL]
    assert list(home.iterdir()) == []


@contextmanager
def planted(url: str, rule: str) -> Iterator[None]:
    breaks, mends = FAULTS[rule]
    off = [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in ("postings", "ledger_entries")]
    on = [one.replace("DISABLE", "ENABLE") for one in off]
    as_administrator(url, *off, breaks)
    try:
        yield
    finally:
        as_administrator(url, mends, *on)


@pytest.mark.parametrize("rule", INVARIANTS)
@pytest.mark.usefixtures("home")
def test_each_rule_of_the_ledger_that_is_broken_is_named_with_what_to_do(ledger: ServiceUrls, rule: str) -> None:
    with planted(ledger.database_owner, rule):
        found = findings()
    assert list(found) == ["ledger"]
    assert rule in found["ledger"]
    assert "compare it with the last backup" in found["ledger"]
    assert findings() == {}


@pytest.mark.usefixtures("home")
def test_unsafe_durability_is_found_also_in_development(ledger: ServiceUrls, monkeypatch: pytest.MonkeyPatch) -> None:
    as_administrator(
        ledger.database_owner,
        f"CREATE ROLE doctor_probe LOGIN IN ROLE {APPLICATION_ROLE}",
        "ALTER ROLE doctor_probe SET synchronous_commit = off",
    )
    url = make_url(ledger.database).set(username="doctor_probe").render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    try:
        assert findings() == {
            "durability": "The database runs with synchronous_commit = off, which can lose committed transactions. "
            "Set it to on."
        }
    finally:
        as_administrator(ledger.database_owner, "DROP ROLE doctor_probe")


def test_an_installation_that_does_not_run_says_how_to_start_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.delenv("REDIS_URL")
    found = findings()
    assert list(found) == ["cache", "database"]
    assert all("llm-banking serve" in finding for finding in found.values())
    assert list(home.iterdir()) == [], "the doctor makes nothing"


@pytest.mark.usefixtures("home")
def test_services_that_are_named_and_do_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    found = findings()
    assert "REDIS_URL does not answer" in found["cache"]
    assert "DATABASE_URL cannot be used" in found["database"]


@pytest.mark.usefixtures("home")
def test_a_database_that_was_not_migrated(ledger: ServiceUrls) -> None:
    as_administrator(ledger.database_owner, "UPDATE alembic_version SET version_num = 'x' || version_num")
    try:
        found = findings()
    finally:
        as_administrator(ledger.database_owner, "UPDATE alembic_version SET version_num = ltrim(version_num, 'x')")
    assert list(found) == ["database"]
    assert "llm-banking migrate" in found["database"]


@pytest.mark.usefixtures("home")
def test_bad_configuration_leaves_what_does_not_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_MAX_POOL_SIZE", "0")
    found = examined()
    assert list(found) == ["configuration", "model", "knowledge"]
    assert "DATABASE_MAX_POOL_SIZE" in (found["configuration"] or "")
    assert found["model"] is None


PLANTED_NEWS = (
    "INSERT INTO outbox (id, user_id, topic, payload, created_at, attempts, parked_at) "
    "SELECT '00000000-0000-4000-8000-00000000000d', id, 'planted', '{{}}', now() - interval '1 hour', {}, {} "
    "FROM users LIMIT 1"
)


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("attempts", "parked_at", "name", "says"),
    [("0", "NULL", "worker", "llm-banking worker"), ("10", "now()", "news", "00000000-0000-4000-8000-00000000000d")],
)
def test_what_waits_too_long_and_what_was_given_up(
    ledger: ServiceUrls, attempts: str, parked_at: str, name: str, says: str
) -> None:
    seen = "SELECT set_config('app.scopes', '{system}', false)"
    as_administrator(ledger.database_owner, seen, PLANTED_NEWS.format(attempts, parked_at))
    try:
        found = findings()
        assert list(found) == [name]
        assert says in found[name]
    finally:
        as_administrator(ledger.database_owner, seen, "DELETE FROM outbox WHERE topic = 'planted'")


def test_a_key_that_others_may_read(home: Path) -> None:
    (home / "keys").mkdir()
    (home / "keys" / "master.json").touch(mode=0o644)
    assert "chmod 600" in findings()["secrets"]


@pytest.mark.usefixtures("home")
def test_a_damaged_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_banking.nlu.artifact.default_folder", lambda: tmp_path)
    assert "Reinstall the package" in findings()["model"]


def test_what_serve_has_started_is_found_without_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path(tempfile.mkdtemp(prefix="llmb-"))
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ENVIRONMENT", "development")
    monkeypatch.setenv("LLM_BANKING_HOME", str(home))
    try:
        with embedded_postgres(home) as postgres, embedded_redis(home):
            upgrade(postgres.owner)
            assert examined() == dict.fromkeys(ALL)
        assert list(findings()) == ["cache", "database"]
    finally:
        shutil.rmtree(home)
