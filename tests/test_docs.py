"""What the documents tell a reader to do works, and what they claim was measured."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from llm_banking.knowledge.service import Knowledge
from llm_banking.nlu.taxonomy import INTENTS
from llm_banking.proof.bench import RESULTS_FILE, running_server
from llm_banking.proof.report import ReportError, filled, intent_parts, measured_parts

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")] if path.name != "CHANGELOG.md"]
RUN_ELSEWHERE = (
    "make ",  # the target exists: see below; this suite is itself `make test`
    "source .venv/bin/activate",  # every test runs in it
    "pip install -r requirements/train.txt",  # so is this
    "LLM_BANKING_DATA_DIR=data llm-banking train nlu",  # tests/training/test_command.py
    "llm-banking nlu evaluate",  # below, on the data
)


def commands(text: str) -> list[str]:
    """Every line of every shell block, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line.split("  #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def run(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_every_make_target_that_a_document_names_exists() -> None:
    named = {name for path in DOCUMENTS for name in re.findall(r"\bmake ([a-z]+)\b", path.read_text(encoding="utf-8"))}
    listed = subprocess.run(["make", "-pqn"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    targets = set(re.findall(r"^([a-z]+):", listed, re.MULTILINE))
    sentences = {"it", "the", "sure", "them"}
    assert named - sentences <= targets
    assert {"run", "test", "lint", "types", "bench", "evidence"} <= named


def test_every_link_in_a_document_leads_somewhere() -> None:
    for path in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (path.parent / target).exists(), f"{path.name}: {target}"


@pytest.mark.slow
def test_the_commands_of_the_readme_do_what_it_says(tmp_path_factory: pytest.TempPathFactory) -> None:
    lines = commands(README)
    curls = [line for line in lines if line.startswith("curl")]
    offline = [line for line in lines if line.startswith("llm-banking") and "data/" not in line]
    elsewhere = [line for line in lines if line not in curls + offline]
    assert len(curls) == 3
    assert len(offline) == 3
    assert all(line.startswith(RUN_ELSEWHERE) for line in elsewhere), elsewhere
    with running_server(tmp_path_factory.mktemp("home")) as server:
        answers = [run(line.replace("localhost:8000", server.url.removeprefix("http://"))) for line in curls]
    health, chat, legacy = (json.loads(answer.stdout) for answer in answers)
    assert health["status"] == "healthy"
    assert "Payments" in chat["data"]["response"]
    assert re.search(r"\$\d[\d,]*\.\d\d", legacy["message"])
    for line in offline:
        done = run(line)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        assert done.stdout.strip()


@pytest.mark.slow
@pytest.mark.data
def test_the_evaluation_command_of_the_readme_runs_on_the_data() -> None:
    (line,) = [line for line in commands(README) if line.startswith("llm-banking nlu evaluate")]
    data = os.environ["LLM_BANKING_DATA_DIR"]
    done = run(line.replace("data/", f"{shlex.quote(data)}/").replace("--model model", "--json"))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["rows"] == 3080
    assert report["accuracy"] >= 0.938
    assert report["ece"] <= 0.03


def test_the_measured_parts_of_the_readme_are_those_of_the_results() -> None:
    document = json.loads((ROOT / "results" / RESULTS_FILE).read_text(encoding="utf-8"))
    assert filled(README, measured_parts(document)) == README, "run: make evidence"
    document["server"]["chat_ms"]["p50"] += 1
    assert filled(README, measured_parts(document)) != README
    with pytest.raises(ReportError):
        filled(README.replace("<!-- measured: end -->", ""), measured_parts(document))


def test_the_list_of_intents_is_the_codes(knowledge: Knowledge) -> None:
    text = (ROOT / "docs" / "03-banking-use-cases.md").read_text(encoding="utf-8")
    assert filled(text, intent_parts(knowledge)) == text, "run: make evidence"
    rows = re.findall(r"^\| `([^`]+)` \| (support|operational) \|", text, re.MULTILINE)
    assert sum(layer == "support" for _, layer in rows) == 77
    assert len(rows) == len(set(rows)) == len(INTENTS)
    sums = [int(number) for number in re.findall(r"^### .*: (\d+)$", text, re.MULTILINE)]
    assert len(sums) == 7
    assert sum(sums) == len(INTENTS)


def test_the_results_were_measured_with_the_shipped_model() -> None:
    document = json.loads((ROOT / "results" / RESULTS_FILE).read_text(encoding="utf-8"))
    manifest = json.loads((ROOT / "src/llm_banking/nlu/artifacts/manifest.json").read_text(encoding="utf-8"))
    assert document["sizes"]["model_version"] == manifest["version"]
