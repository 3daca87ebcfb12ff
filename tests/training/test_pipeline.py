"""The whole of `train nlu` once, at a size that only proves the pipeline."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_banking.nlu.artifact import (
    EMBEDDING_SIZE,
    FILES,
    MANIFEST_FILE,
    MAX_MODEL_BYTES,
    MODEL_FILE,
    open_artifact,
    sha256_of,
)
from llm_banking.nlu.doubt import UNFITTED
from llm_banking.nlu.reader import Reader
from llm_banking.nlu.taxonomy import BY_NAME, LABELS
from llm_banking.training import release as release_module
from llm_banking.training import token_head
from llm_banking.training.datasets import Corpus, load_corpus
from llm_banking.training.encoder import packaged_encoder_dir
from llm_banking.training.fine_tune import Recipe
from llm_banking.training.nlu import _Stages
from llm_banking.training.release import Places, train_release
from llm_banking.training.split_policy import fit_split_policy
from tests.training.conftest import BANKING77, write_banking77

pytestmark = pytest.mark.slow

RECIPE = Recipe(teachers=1, teacher_epochs=1, student_epochs=1, finish_epochs=1, finish_pairs=4, threads=1)


@dataclass(frozen=True)
class Release:
    """What one run of the pipeline left behind."""

    folder: Path
    corpus: Corpus
    manifest: dict[str, Any]
    steps: list[tuple[str, int, int]]
    places: Places


def shrink(patch: pytest.MonkeyPatch) -> None:
    """Few spans and few messages to learn from: the real numbers take minutes."""
    patch.setattr(token_head, "OWN_ROWS", 60)
    patch.setattr(token_head, "EPOCHS", 1)
    patch.setattr(release_module, "fit_split_policy", partial(fit_split_policy, pairs=40, most_singles=40))


@pytest.fixture(scope="module")
def release(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = tmp_path_factory.mktemp("release") / "model"
    test = tmp_path_factory.mktemp("official") / "test.csv"
    write_banking77(test, [(f"please: {texts[0]}", label) for label, texts in BANKING77.items()])
    corpus = load_corpus(tiny_data, rows_per_label=8)
    steps: list[tuple[str, int, int]] = []
    work = tmp_path_factory.mktemp("work")
    places = Places(tiny_data, packaged_encoder_dir(), folder, work, test)
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        manifest = train_release(corpus, places, RECIPE, lambda *step: steps.append(step))
    return Release(folder, corpus, manifest, steps, places)


def test_the_folder_serves(release: Release) -> None:
    reader = Reader.open(release.folder)
    found = reader.read("where is my card")
    assert found.intent in BY_NAME
    assert found.model_version == release.manifest["version"]
    assert found.embedding.shape == (EMBEDDING_SIZE,)
    assert float(np.linalg.norm(found.embedding)) == pytest.approx(1.0, abs=1e-3)


def test_the_manifest_describes_the_files_beside_it(release: Release) -> None:
    manifest = json.loads((release.folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    assert manifest == release.manifest
    assert manifest["sha256"] == {name: sha256_of(release.folder / name) for name in FILES}
    assert manifest["labels"] == list(LABELS)
    assert manifest["recipe"] == RECIPE.as_dict()
    assert manifest["data_sha256"] == release.corpus.sha256
    assert manifest["rows"] == {"train": len(release.corpus.train), "calibration": len(release.corpus.calibration)}
    assert {one["name"] for one in manifest["sources"]} >= {"Banking77", "CLINC150"}


def test_the_model_is_small_enough_to_ship(release: Release) -> None:
    size = (release.folder / MODEL_FILE).stat().st_size
    assert size == release.manifest["bytes"] <= MAX_MODEL_BYTES == 25_000_000


def test_the_calibration_is_fitted_and_the_held_out_rows_are_judged(release: Release) -> None:
    calibration = open_artifact(release.folder).calibration
    assert calibration != UNFITTED
    assert 0 < calibration.support_temperature < math.inf
    assert 0 < calibration.answer_confidence <= 1
    held = release.manifest["metrics"]["held_out"]
    assert held["rows"] == sum(row.label in BY_NAME for row in release.corpus.calibration)
    assert sum(one["rows"] for one in held["by_source"].values()) == held["rows"]
    assert sum(one["rows"] for one in held["by_layer"].values()) == held["rows"]
    lost = release.manifest["metrics"]["int8"]
    assert lost["rows"] == held["rows"]
    assert lost["int8_accuracy"] == held["accuracy"]


def test_a_stopped_run_goes_on_from_what_its_teachers_said(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink(monkeypatch)
    work = tmp_path / "work"
    shutil.copytree(release.places.work or tmp_path, work, ignore=shutil.ignore_patterns("*-student.*"))
    places = replace(release.places, out=tmp_path / "out", work=work, test=None)
    assert steps_of(release, places) == {"embeddings", "student", "finish"}
    assert steps_of(release, places) == set()


def steps_of(release: Release, places: Places) -> set[str]:
    """What a run that gives the same model trained on its way."""
    steps: list[tuple[str, int, int]] = []
    again = train_release(release.corpus, places, RECIPE, lambda *step: steps.append(step))
    assert again["sha256"][MODEL_FILE] == release.manifest["sha256"][MODEL_FILE]
    return {what for what, _, _ in steps if what != "calibration" and not what.startswith("token head")}


@pytest.mark.parametrize(
    ("change", "teacher", "student"),
    [
        ({}, True, True),
        ({"seed": 21}, False, False),
        ({"learning_rate": 2e-4}, False, False),
        ({"student_epochs": 9}, True, False),
        ({"finish_pairs": 9}, True, False),
    ],
)
def test_what_another_recipe_left_is_not_taken(
    release: Release, change: dict[str, Any], *, teacher: bool, student: bool
) -> None:
    stages = _Stages(release.places.work, replace(RECIPE, **change), release.corpus)
    assert (stages.load("teacher-1") is not None) is teacher
    assert (stages.load_student(packaged_encoder_dir()) is not None) is student


def test_it_learnt_something(release: Release) -> None:
    """The rows it was taught are told apart far better than by chance (one in 124)."""
    rows = [row for row in release.corpus.train if row.label in BY_NAME]
    readings = Reader.open(release.folder).read_many([row.text for row in rows])
    right = [one.intent == row.label for one, row in zip(readings, rows, strict=True)]
    assert np.mean(right) > 0.5


def test_the_test_file_is_scored_both_ways_and_logged_with_its_hash(release: Release) -> None:
    log = release.manifest["banking77_test"]
    assert len(log["sha256"]) == 64
    for name in ("restricted_to_77", "all_labels"):
        assert log[name]["rows"] == len(BANKING77)
        assert log[name]["accuracy_low"] <= log[name]["accuracy"] <= log[name]["accuracy_high"]
    assert log["restricted_to_77"]["accuracy"] >= log["all_labels"]["accuracy"]


def test_the_report_says_what_the_manifest_says(release: Release) -> None:
    report = (release.folder / "report.md").read_text(encoding="utf-8")
    manifest = release.manifest
    assert report.startswith(f"# {manifest['version']}\n")
    for source, row in manifest["metrics"]["held_out"]["by_source"].items():
        assert f"| held-out accuracy, {source} | {row['rows']} | {row['accuracy']:.4f} |" in report
    assert f"macro-F1 | {len(BANKING77)} | {manifest['banking77_test']['all_labels']['macro_f1']:.4f} |" in report


def test_progress_ends_where_it_said_it_would(release: Release) -> None:
    last = {name: (done, total) for name, done, total in release.steps}
    names = [name for name in last if not name.startswith("token head")]
    assert names == ["embeddings", "teacher 1", "student", "finish", "calibration"]
    assert all(done == total > 0 for done, total in last.values())
