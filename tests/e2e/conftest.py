"""A real server for the browser tests, and a browser."""

from __future__ import annotations

import json
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
def server() -> Iterator[RunningServer]:
    """A demo server of its own for each file, without rate limits; its passkeys are for localhost at its port."""
    home = Path(tempfile.mkdtemp(prefix="llmb-"))
    port = free_port()
    settings = {
        "WEBAUTHN_ORIGINS": f"http://localhost:{port}",
        "RATE_LIMITS": json.dumps(FREE_LIMITS),
        "RATE_LIMIT_TIMEOUT_S": "1",
    }
    with running_server(home, port=port, settings=settings) as found:
        yield found
    shutil.rmtree(home)


@pytest.fixture
def browser() -> Iterator[Browser]:
    """A fresh browser."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()
