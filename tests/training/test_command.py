"""`llm-banking train nlu`, in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llm_banking.nlu.artifact import FILES
from tests.test_cli import run
from tests.training.test_pipeline import shrink


@pytest.mark.slow
def test_train_nlu_writes_a_model_that_serves(tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_BANKING_DATA_DIR", str(tiny_data))
    shrink(monkeypatch)
    out = tmp_path / "model"
    size = ("--teachers", "0", "--student-epochs", "1", "--threads", "1", "--rows-per-label", "8")
    run("train", "nlu", "--out", str(out), *size)
    assert {path.name for path in out.iterdir()} == {*FILES, "manifest.json", "report.md"}
    document = json.loads(run("nlu", "read", "hello", "--json", "--model", str(out)))
    assert document["model_version"] == json.loads((out / "manifest.json").read_text())["version"]
