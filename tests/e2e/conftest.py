"""A real server for the browser tests, and a browser."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from llm_banking.proof.bench import FREE_LIMITS, RunningServer, free_port, running_server
from tests.conftest import CHROMIUM

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Where the server of a file keeps its data."""
    found = Path(tempfile.mkdtemp(prefix="llmb-"))
    yield found
    shutil.rmtree(found)


@pytest.fixture(scope="module")
def more_settings() -> dict[str, str]:
    """What the server of a file is told beside."""
    return {}


@pytest.fixture(scope="module")
def server(home: Path, more_settings: dict[str, str]) -> Iterator[RunningServer]:
    """A demo server of its own for each file, without rate limits; its passkeys are for localhost at its port."""
    port = free_port()
    settings = {
        "WEBAUTHN_ORIGINS": f"http://localhost:{port}",
        "RATE_LIMITS": json.dumps(FREE_LIMITS),
        "RATE_LIMIT_TIMEOUT_S": "1",
        **more_settings,
    }
    with running_server(home, port=port, settings=settings) as found:
        yield found


@pytest.fixture(scope="module")
def passwords(home: Path, server: RunningServer) -> dict[str, str]:
    """The demo passwords by sign-in name, as the server printed them at its start."""
    printed = home.with_name(f"{home.name}.log").read_text(encoding="utf-8")
    return dict(re.findall(r"^ {4}(\S+) +([a-z2-9]{4}(?:-[a-z2-9]{4}){4}) ", printed, re.MULTILINE))


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A fresh browser."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()
