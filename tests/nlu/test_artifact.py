from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from llm_banking.nlu.artifact import (
    EMBEDDING_SIZE,
    FILES,
    MANIFEST_FILE,
    MAX_MODEL_BYTES,
    MODEL_FILE,
    NEIGHBOURS_FILE,
    TOKENIZER_FILE,
    ArtifactMismatchError,
    default_folder,
    open_artifact,
    sha256_of,
)
from llm_banking.nlu.doubt import UNFITTED
from llm_banking.nlu.scope import Neighbours
from llm_banking.nlu.taxonomy import LABELS

REMEDY = "llm-banking train nlu"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small folder that is in order; its model is not one that could be run."""
    (tmp_path / MODEL_FILE).write_bytes(bytes(range(256)) * 8)
    (tmp_path / TOKENIZER_FILE).write_text('{"version": "1.0"}', encoding="utf-8")
    Neighbours.of(np.eye(3, EMBEDDING_SIZE)).save(tmp_path / NEIGHBOURS_FILE)
    change(
        tmp_path,
        version="nlu-test",
        labels=list(LABELS),
        sha256={name: sha256_of(tmp_path / name) for name in FILES},
        calibration={**UNFITTED.to_manifest(), "answer_confidence": 0.6},
    )
    return tmp_path


def change(folder: Path, **values: object) -> None:
    file = folder / MANIFEST_FILE
    manifest = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    file.write_text(json.dumps({**manifest, **values}), encoding="utf-8")


def test_a_folder_in_order_opens_with_its_figures(folder: Path) -> None:
    artifact = open_artifact(folder)
    assert artifact.folder == folder
    assert artifact.version == "nlu-test"
    assert artifact.calibration == replace(UNFITTED, answer_confidence=0.6)
    assert artifact.answer_confidence == 0.6
    assert artifact.neighbours.unit.shape == (3, EMBEDDING_SIZE)
    assert artifact.split_policy is None


def test_the_hash_is_the_published_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("name", [MANIFEST_FILE, *FILES])
def test_a_missing_file_is_refused_with_the_remedy(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ArtifactMismatchError, match=REMEDY) as caught:
        open_artifact(folder)
    assert name in caught.value.message


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("position", [0, -1])
def test_one_flipped_bit_is_refused_with_the_remedy(folder: Path, name: str, position: int) -> None:
    content = bytearray((folder / name).read_bytes())
    content[position] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ArtifactMismatchError, match=REMEDY) as caught:
        open_artifact(folder)
    assert name in caught.value.message


@pytest.mark.parametrize(
    "labels",
    [list(LABELS[:-1]), [*LABELS, "new"], [*LABELS[1:], LABELS[0]], []],
    ids=["one fewer", "one more", "another order", "none"],
)
def test_other_labels_are_refused_with_the_remedy(folder: Path, labels: list[str]) -> None:
    change(folder, labels=labels)
    with pytest.raises(ArtifactMismatchError, match=REMEDY):
        open_artifact(folder)


@pytest.mark.parametrize(
    "content", ["", "{", '{"version": "x"}', "[]"], ids=["empty", "cut off", "no hashes", "a list"]
)
def test_a_manifest_that_cannot_be_used_is_refused_with_the_remedy(folder: Path, content: str) -> None:
    (folder / MANIFEST_FILE).write_text(content, encoding="utf-8")
    with pytest.raises(ArtifactMismatchError, match=REMEDY):
        open_artifact(folder)


def test_the_shipped_folder_is_in_order_and_small_enough() -> None:
    artifact = open_artifact()
    assert artifact.folder == default_folder()
    assert (artifact.folder / MODEL_FILE).stat().st_size <= MAX_MODEL_BYTES
    assert artifact.calibration != UNFITTED
    assert 0 < artifact.answer_confidence <= 1
    assert artifact.split_policy is not None


@pytest.mark.parametrize(
    "calibration",
    [{}, {**UNFITTED.to_manifest(), "answer_confidence": 1.5}, {**UNFITTED.to_manifest(), "scope_terms": []}],
    ids=["none", "no probability", "no scores"],
)
def test_a_calibration_that_cannot_be_used_is_refused_with_the_remedy(
    folder: Path, calibration: dict[str, object]
) -> None:
    change(folder, calibration=calibration)
    with pytest.raises(ArtifactMismatchError, match=REMEDY):
        open_artifact(folder)


def test_prototypes_of_another_size_are_refused(folder: Path) -> None:
    Neighbours.of(np.eye(3, EMBEDDING_SIZE + 1)).save(folder / NEIGHBOURS_FILE)
    change(folder, sha256={name: sha256_of(folder / name) for name in FILES})
    with pytest.raises(ArtifactMismatchError, match="neighbour bank"):
        open_artifact(folder)
