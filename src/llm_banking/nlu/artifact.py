"""The shipped model's folder: one ONNX file, its tokenizer, prototypes of what it was taught, and their manifest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, cast

from llm_banking.kit.errors import LlmBankingError
from llm_banking.nlu.doubt import Calibration, CalibrationInvalidError
from llm_banking.nlu.requests import SplitPolicy
from llm_banking.nlu.scope import BankInvalidError, Neighbours
from llm_banking.nlu.taxonomy import LABELS

MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
NEIGHBOURS_FILE = "neighbours.npy"
MANIFEST_FILE = "manifest.json"
FILES = (MODEL_FILE, TOKENIZER_FILE, NEIGHBOURS_FILE)
MAX_MODEL_BYTES = 25_000_000
EMBEDDING_SIZE = 384
INPUTS = ("input_ids", "pooling")
OUTPUTS = ("logits", "embedding", "token_logits")
"""What the graph takes and gives, by name and in this order."""


class ArtifactMismatchError(LlmBankingError):
    """A model folder is incomplete or its files are not the ones that its manifest describes."""

    code = "INTENT_CLASSIFICATION_FAILED"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A verified model folder."""

    folder: Path
    manifest: dict[str, Any]
    calibration: Calibration
    neighbours: Neighbours
    split_policy: SplitPolicy | None

    @property
    def version(self) -> str:
        """Name that replies and metrics carry."""
        return str(self.manifest["version"])

    @property
    def answer_confidence(self) -> float:
        """At or above this confidence the assistant answers; below it asks."""
        return self.calibration.answer_confidence


def default_folder() -> Path:
    """The model that ships inside the package."""
    return Path(str(resources.files("llm_banking.nlu") / "artifacts"))


def sha256_of(path: Path) -> str:
    """SHA-256 of a file as hexadecimal text."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        hashes = [manifest["sha256"][name] for name in FILES]
        whole = isinstance(manifest["version"], str) and isinstance(manifest["labels"], list) and hashes
        manifest["calibration"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise ArtifactMismatchError(
            f"{path} is damaged. Reinstall the package, or write the folder again with `llm-banking train nlu`."
        )
    return cast("dict[str, Any]", manifest)


def open_artifact(folder: Path | None = None) -> Artifact:
    """Check a model folder against its manifest. Raises ArtifactMismatchError."""
    folder = folder or default_folder()
    manifest_path = folder / MANIFEST_FILE
    if not manifest_path.is_file():
        raise ArtifactMismatchError(
            f"{folder} holds no {MANIFEST_FILE}. Reinstall the package, or write a model with `llm-banking train nlu`."
        )
    manifest = _read_manifest(manifest_path)
    for name in FILES:
        path = folder / name
        if not path.is_file() or sha256_of(path) != manifest["sha256"][name]:
            raise ArtifactMismatchError(
                f"{path} is missing or is not the file that the manifest describes. "
                "Reinstall the package, or write the folder again with `llm-banking train nlu`."
            )
    if manifest["labels"] != list(LABELS):
        raise ArtifactMismatchError(
            f"{folder}: the model's labels are not this version's intents. Train it again with `llm-banking train nlu`."
        )
    try:
        return Artifact(
            folder,
            manifest,
            calibration=Calibration.from_manifest(manifest["calibration"]),
            neighbours=Neighbours.load(folder / NEIGHBOURS_FILE, EMBEDDING_SIZE),
            split_policy=SplitPolicy.from_calibration(manifest["calibration"]),
        )
    except (CalibrationInvalidError, BankInvalidError) as error:
        raise ArtifactMismatchError(f"{manifest_path}: {error}") from None
