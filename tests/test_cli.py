"""The command line: each command in this process, its output, and its one-line errors."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

from llm_banking import cli
from llm_banking.identity.models import StepUpChallenge, TotpSecret, User
from llm_banking.identity.repository import live_families
from llm_banking.identity.second_factors import Action
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, Scope
from llm_banking.kit.logs import configure_logging
from llm_banking.nlu.taxonomy import INTENTS
from llm_banking.training import open_set
from tests.conftest import ServiceUrls
from tests.identity.people import Clock, add_session, committed_user, second_factors, with_totp

RUNNER = CliRunner()


def run(*arguments: str) -> str:
    """Standard output of a command that must succeed."""
    result = RUNNER.invoke(cli.app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on standard error of a command that must fail."""
    monkeypatch.setattr("sys.argv", ["llm-banking", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


def test_ask_answers_and_names_next_steps() -> None:
    text = run("ask", "why is my transfer pending?")
    assert "pending transfer" in text
    assert "  > " in text
    document = json.loads(run("ask", "why is my transfer pending?", "--json"))
    assert document["intent"] == "pending_transfer"
    assert document["citations"][0]["id"] == "pending_transfer"
    assert "tracker" not in document


def test_read_prints_the_documented_object() -> None:
    document = json.loads(run("nlu", "read", "my card got eaten by the machine", "--json"))
    assert document["intent"] == "card_swallowed"
    assert document["in_scope"] is True
    assert run("nlu", "read", "my card got eaten by the machine").startswith("card_swallowed")


def test_labels_lists_every_intent() -> None:
    assert len(run("nlu", "labels").splitlines()) == len(INTENTS)
    assert len(json.loads(run("nlu", "labels", "--json"))) == len(INTENTS)


def test_predict_and_evaluate_agree_on_a_file(tmp_path: Path) -> None:
    rows = [
        ("What is my account balance?", "check_balance"),
        ("hello", "greeting"),
        ("my card was stolen", "card_arrival"),
    ]
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps({"text": text, "intent": label, "n": 1}) + "\n" for text, label in rows))
    run("nlu", "predict", str(source), str(target))
    read = [json.loads(line) for line in target.read_text().splitlines()]
    assert [one["n"] for one in read] == [1, 1, 1]
    assert [one["intent"] for one in read] == ["check_balance", "greeting", "lost_or_stolen_card"]
    report = json.loads(run("nlu", "evaluate", str(source), "--json"))
    assert report["accuracy"] == pytest.approx(2 / 3)
    assert report["rows"] == 3
    assert "accuracy" in run("nlu", "evaluate", str(source))


def test_the_schema_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BANKING_HOME", str(tmp_path))
    run("openapi", str(tmp_path / "openapi.json"))
    assert "/api/v2/chat" in json.loads((tmp_path / "openapi.json").read_text())["paths"]
    files = [one.baseFilename for one in logging.getLogger().handlers if isinstance(one, logging.FileHandler)]
    assert [name for name in files if not Path(name).is_file()] == [], "no log goes to a folder that is gone"


def test_migrate_and_seed_can_be_repeated(service_urls: ServiceUrls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", service_urls.database)
    monkeypatch.setenv("DATABASE_OWNER_URL", service_urls.database_owner)
    monkeypatch.setenv("ENVIRONMENT", "development")
    assert "up to date" in run("migrate")
    run("seed-demo")
    assert run("seed-demo").strip() == "Demo customers given accounts: 0."


def test_second_factors_are_reset_for_a_person_who_lost_the_device(
    service_urls: ServiceUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", service_urls.database)
    monkeypatch.setenv("LLM_BANKING_HOME", str(tmp_path))
    command = ("users", "reset-second-factors")
    user_id = asyncio.run(someone_with_factors(service_urls.database))
    email = f"{user_id}@example.com"
    try:
        assert "--yes" in fails(monkeypatch, capsys, *command, email)
        assert asyncio.run(left_of(service_urls.database, user_id)) == (1, 1, 1, 0)
        monkeypatch.setattr("sys.argv", ["llm-banking", *command, "nobody@example.com", "--yes"])
        with pytest.raises(SystemExit):
            cli.main()
        assert "There is nobody" in capsys.readouterr().err
        assert "all sessions have ended" in run(*command, f" {email.upper()}", "--yes")
        assert asyncio.run(left_of(service_urls.database, user_id)) == (0, 0, 0, 1)
        log = (tmp_path / "logs" / "app.log").read_text(encoding="utf-8")
        assert "second factors reset by the operator" in log
        assert str(user_id) in log
        assert email not in log
    finally:
        configure_logging("INFO", None)


def test_an_operator_ends_the_sessions_of_one_person_or_of_everybody(
    service_urls: ServiceUrls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", service_urls.database)
    monkeypatch.setenv("LLM_BANKING_HOME", str(tmp_path))
    monkeypatch.setattr(cli.people, "PEOPLE_AT_ONCE", 1)
    people = [asyncio.run(someone_with_factors(service_urls.database)) for _ in range(3)]

    def left() -> list[tuple[int, int]]:
        found = [asyncio.run(left_of(service_urls.database, one)) for one in people]
        return [(sessions, epoch) for *_, sessions, epoch in found]

    try:
        for arguments in ((), ("zoe@example.com", "--all"), ("--all",), ("nobody@example.com",)):
            fails(monkeypatch, capsys, "users", "end-sessions", *arguments)
        assert left() == [(1, 0)] * 3
        assert "ended: 1." in run("users", "end-sessions", f"{people[0]}@example.com")
        assert left() == [(0, 1), (1, 0), (1, 0)]
        assert "Sessions ended of" in run("users", "end-sessions", "--all", "--yes")
        assert left() == [(0, 1), (0, 1), (0, 1)]
        assert "ended of 0 people" in run("users", "end-sessions", "--all", "--yes")
    finally:
        configure_logging("INFO", None)


async def someone_with_factors(url: str) -> UUID:
    """A customer with an authenticator app, an open challenge and a session."""
    database, clock = Database(url, max_pool_size=1), Clock(utc_now())
    try:
        async with committed_user(database) as user_id, database.transaction(scope=Scope.IDENTITY) as session:
            factors = second_factors(clock)
            await with_totp(session, factors, user_id, clock)
            await factors.begin_step_up(session, user_id, Action.TOTP_DISABLE)
            await add_session(session, user_id, clock())
            return user_id
    finally:
        await database.close()


async def left_of(url: str, user_id: UUID) -> tuple[int, int, int, int]:
    """How many apps, challenges and live sessions a customer has, and the epoch of the tokens."""
    database = Database(url, max_pool_size=1)
    try:
        async with database.transaction(scope=Scope.IDENTITY) as session:
            user = await session.get_one(User, user_id)
            counts = [
                await session.scalar(select(func.count()).select_from(model).where(model.user_id == user_id)) or 0
                for model in (TotpSecret, StepUpChallenge)
            ]
            return counts[0], counts[1], len(await live_families(session, user_id, utc_now())), user.token_epoch
    finally:
        await database.close()


def test_evidence_is_written_from_the_figures(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    readme, intents, security = tmp_path / "README.md", tmp_path / "intents.md", tmp_path / "security.md"
    infrastructure = tmp_path / "infrastructure.md"
    originals = {
        infrastructure: root / "docs/06-infrastructure.md",
        readme: root / "README.md",
        intents: root / "docs/03-banking-use-cases.md",
        security: root / "docs/07-security-compliance.md",
    }
    for copy, original in originals.items():
        copy.write_text(original.read_text())
    run(
        *("evidence", "--results", str(root / "results"), "--readme", str(readme)),
        *("--intents", str(intents), "--security", str(security), "--infrastructure", str(infrastructure)),
    )
    for copy, original in originals.items():
        assert copy.read_text() == original.read_text()


def test_each_misuse_is_one_line_that_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LLM_BANKING_DATA_DIR", str(tmp_path / "nowhere"))
    for arguments, says in (
        (("ask", " "), "at least one visible character"),
        (("nlu", "read", "half \ud83d"), "valid Unicode"),
        (("nlu", "read", "hello", "--model", "nowhere"), "llm-banking train nlu"),
        (("nlu", "predict", "nowhere.jsonl", "out.jsonl"), "Name a JSONL file"),
        (("nlu", "evaluate", "nowhere.csv"), "Name a CSV or JSONL file"),
        (("nlu", "evaluate", "nowhere.csv", "--restrict", "clinc"), "--restrict takes banking77"),
        (("migrate",), "DATABASE_OWNER_URL is needed"),
        (("users", "reset-second-factors", "zoe@example.com"), "--yes"),
        (("users", "reset-second-factors", "zoe@example.com", "--yes"), "DATABASE_URL is needed"),
        (("seed-demo",), "ENVIRONMENT=development"),
        (("serve", "--demo"), "LLM_BANKING_DEMO"),
        (("evidence", "--results", "nowhere"), "make bench"),
        (("train", "nlu", "--out", "model"), "LLM_BANKING_DATA_DIR"),
    ):
        monkeypatch.setenv("LLM_BANKING_DEMO", "false")
        assert says in fails(monkeypatch, capsys, *arguments), arguments
    assert list(tmp_path.iterdir()) == []


def test_the_draws_of_leave_intents_out_become_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The training is `tests/training/test_open_set.py`'s; here a folder with finished draws."""
    data, work, out = tmp_path / "data", tmp_path / "work", tmp_path / "results"
    (data / "banking77").mkdir(parents=True)
    monkeypatch.setenv("LLM_BANKING_DATA_DIR", str(data))
    asked: list[dict[str, Any]] = []

    def draws(data_dir: Path, folder: Path, **how: Any) -> None:
        asked.append(how)
        how["progress"]("25% known, draw 0", 1, 2)
        how["progress"]("25% known, draw 0", 2, 2)
        folder.mkdir()
        figures = {"known_f1": 0.8, "unknown_f1": 0.9, "accuracy": 0.7, "auroc": {"combined": 0.95}}
        document = {"share": 0.25, "draw": 0, "settings": {"test": "made up"}, **figures}
        (folder / "known-25-draw-00.json").write_text(json.dumps(document), encoding="utf-8")

    monkeypatch.setattr(open_set, "run_leave_intents_out", draws)
    arguments = ("nlu", "leave-intents-out", "--work", str(work), "--out", str(out), "--draws", "1")
    result = RUNNER.invoke(cli.app, list(arguments))
    assert "banking77/test.csv is not there" in str(result.exception)
    assert asked == []
    (data / "banking77" / "test.csv").write_text("text,category\n", encoding="utf-8")
    assert run(*arguments) == f"{out / 'leave-intents-out.json'} written.\n"
    assert (list(asked[0]["draws"]), asked[0]["test_file"]) == ([0], data / "banking77" / "test.csv")
    document = json.loads((out / "leave-intents-out.json").read_text(encoding="utf-8"))
    assert document["known_percent"]["25"]["unknown_f1"] == {"mean": 0.9, "sd": 0.0}
