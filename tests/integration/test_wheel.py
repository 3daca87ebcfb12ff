"""The wheel, installed into an empty environment outside the checkout, answers with the network cut off."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

CUT_OFF = """
import socket, sys

def refuse(*_):
    raise OSError("the network is cut off")

socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = refuse
sys.argv = ["llm-banking", *sys.argv[1:]]
from llm_banking.cli import main
main()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy so that nothing is left behind in it."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(folder),
    ]
    subprocess.run([*build, str(ROOT)], check=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The Python of an environment that holds the locked runtime and the wheel, and nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    install = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    subprocess.run([*install, "--require-hashes", "--requirement", str(ROOT / "requirements/base.txt")], check=True)
    subprocess.run([*install, str(wheel)], check=True)
    yield python
    shutil.rmtree(folder)


def cut_off(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of the product in a process that cannot connect to anything."""
    bare = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    command = [str(python), "-c", CUT_OFF, *arguments]
    return subprocess.run(command, cwd=folder, env=bare, capture_output=True, text=True, timeout=60, check=False)


def test_the_wheel_carries_the_model_the_page_and_the_knowledge(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        "llm_banking/nlu/artifacts/model.onnx",
        "llm_banking/nlu/artifacts/tokenizer.json",
        "llm_banking/nlu/artifacts/manifest.json",
        "llm_banking/knowledge/data/facts.yml",
        "llm_banking/migrations/versions/0001_first_tables.py",
        "llm_banking/api/static/index.html",
        "llm_banking/api/static/docs/swagger-ui-bundle.js",
    ):
        assert name in names
    assert any(name.endswith("licenses/NOTICE") for name in names)
    assert not [name for name in names if "tests/" in name or "node_modules" in name]
    assert not [name for name in names if name.endswith((".orig", ".rej", ".part"))], "what a tool left behind"


def test_it_answers_outside_the_checkout_with_the_network_cut_off(environment: Path, tmp_path: Path) -> None:
    answer = cut_off(environment, tmp_path, "ask", "why is my transfer pending?", "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["intent"] == "pending_transfer"
    read = cut_off(environment, tmp_path, "nlu", "read", "what is my balance", "--json")
    assert json.loads(read.stdout)["intent"] == "check_balance"
    assert list(tmp_path.iterdir()) == [], "the home folder stays empty: no telemetry id, no cache"


def test_the_empty_home_would_show_the_runtimes_telemetry(environment: Path, tmp_path: Path) -> None:
    bare = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    subprocess.run([environment, "-c", "import onnxruntime"], cwd=tmp_path, env=bare, check=True)
    assert list(tmp_path.iterdir()) != []


def test_the_cut_is_real(environment: Path, tmp_path: Path) -> None:
    probe = CUT_OFF.replace("from llm_banking.cli import main\nmain()", "socket.create_connection(('127.0.0.1', 9))")
    done = subprocess.run([environment, "-c", probe], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "the network is cut off" in done.stderr


def test_training_says_what_it_needs_where_the_extra_is_absent(environment: Path, tmp_path: Path) -> None:
    done = cut_off(environment, tmp_path, "train", "nlu", "--out", "model")
    assert done.returncode == 1
    assert "llm-banking[train]" in done.stderr


def test_a_text_that_cannot_be_read_is_one_line(environment: Path, tmp_path: Path) -> None:
    done = cut_off(environment, tmp_path, "ask", "  ")
    assert done.returncode == 1
    assert done.stderr.startswith("error: The text is empty.")
