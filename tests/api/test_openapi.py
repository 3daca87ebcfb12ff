"""The committed schema and the client generated from it follow the code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fastapi import FastAPI

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"


def with_node(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "scripts" / "with-node"), sys.executable, str(ROOT / ".node"), *command],
        cwd=WEB,
        env={**os.environ, "CI": "true"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_committed_schema_is_the_codes(app: FastAPI) -> None:
    committed = json.loads((WEB / "openapi.json").read_text())
    assert committed == json.loads(json.dumps(app.openapi())), "run: llm-banking openapi web/openapi.json"


@pytest.mark.slow
def test_the_client_is_generated_from_the_schema(tmp_path: Path) -> None:
    assert (WEB / "node_modules").is_dir(), "run: make web"
    made = tmp_path / "schema.ts"
    done = with_node("npx", "openapi-typescript", "openapi.json", "--output", str(made))
    assert done.returncode == 0, done.stderr
    assert made.read_text() == (WEB / "src/api/schema.ts").read_text(), "run: npm --prefix web run generate"


@pytest.mark.slow
def test_the_page_passes_its_own_tests() -> None:
    done = with_node("npm", "test")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
