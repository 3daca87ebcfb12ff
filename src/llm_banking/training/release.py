"""`train nlu`: corpus → student → token head → int8 file → calibration → manifest and report."""

from __future__ import annotations

import json
import platform
import resource
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from llm_banking.nlu.artifact import (
    FILES,
    MANIFEST_FILE,
    MAX_MODEL_BYTES,
    MODEL_FILE,
    NEIGHBOURS_FILE,
    TOKENIZER_FILE,
    sha256_of,
)
from llm_banking.nlu.doubt import UNFITTED
from llm_banking.nlu.evaluation import evaluate_rows
from llm_banking.nlu.metrics import Ints
from llm_banking.nlu.reader import Reader
from llm_banking.nlu.taxonomy import BY_NAME, LABELS, OUT_OF_SCOPE
from llm_banking.training.calibration import fit_calibration
from llm_banking.training.calibration_fits import CalibrationData, fit_neighbours
from llm_banking.training.datasets import Corpus, Example, file_sha256, read_banking77
from llm_banking.training.encoder import IntentEncoder, load_tokenizer, run_batches
from llm_banking.training.export import JointModel, export_fp32, export_int8
from llm_banking.training.fine_tune import Progress, Recipe
from llm_banking.training.nlu import train_student
from llm_banking.training.split_policy import development_messages, fit_split_policy, unlabelled_requests
from llm_banking.training.token_head import train_token_head

SAMPLE_ROWS = 32
"""Rows on which the exported graph is compared with the trained module."""

SOURCES = [
    {"name": "all-MiniLM-L6-v2 (pretrained encoder)", "licence": "Apache-2.0", "by": "sentence-transformers"},
    {"name": "Banking77", "licence": "CC-BY-4.0", "by": "Casanueva et al. 2020, PolyAI"},
    {"name": "CLINC150", "licence": "CC-BY-3.0", "by": "Larson et al. 2019"},
    {"name": "NLU++ (token head)", "licence": "CC-BY-4.0", "by": "Casanueva et al. 2022, PolyAI"},
    {"name": "Schema-Guided Dialogue, banks (token head)", "licence": "CC-BY-SA-4.0", "by": "Rastogi et al. 2020"},
    {"name": "MultiDoGO finance (token head)", "licence": "CDLA-Permissive-1.0", "by": "Peskov et al. 2019"},
    {"name": "Presidio Research sentences (token head)", "licence": "MIT", "by": "Microsoft"},
    {"name": "our own examples and templates", "licence": "Apache-2.0", "by": "the llm-banking authors"},
]


@dataclass(frozen=True, slots=True)
class Places:
    """Where a run reads and writes. `work` keeps what a stopped run had finished; None keeps nothing.

    `test` is Banking77's official test file: scored once, after every choice is made, and logged in the manifest.
    """

    data_dir: Path
    encoder_dir: Path
    out: Path
    work: Path | None = None
    test: Path | None = None


def train_release(corpus: Corpus, places: Places, recipe: Recipe, progress: Progress) -> dict[str, Any]:
    """Train, export and calibrate into the folder `places.out`; returns the manifest that was written there.

    Raises DataMissingError, DataInvalidError, ExportMismatchError.
    """
    started = time.monotonic()
    out, tokenizer = places.out, load_tokenizer(places.encoder_dir)
    out.mkdir(parents=True, exist_ok=True)
    student = train_student(corpus, places.encoder_dir, recipe, progress, places.work)
    head = train_token_head(student, tokenizer, places.data_dir, lambda line: progress(line, 1, 1), recipe.seed)
    joint = JointModel(student, head)
    sample = [
        encoding.ids for encoding in tokenizer.encode_batch([row.text for row in corpus.calibration[:SAMPLE_ROWS]])
    ]
    export_int8(joint, sample, out / MODEL_FILE)
    shutil.copyfile(places.encoder_dir / "tokenizer.json", out / TOKENIZER_FILE)
    _write_neighbours(student, tokenizer, corpus, out, recipe)
    manifest = _describe(corpus, places, recipe)
    _write(out, manifest)
    _calibrate(out, manifest, corpus, places.data_dir, progress)
    manifest["metrics"]["int8"] = _int8_figures(joint, sample, out, manifest, corpus)
    manifest["training"] = {
        "machine": platform.processor() or platform.machine(),
        "threads": recipe.threads,
        "seconds": round(time.monotonic() - started),
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    _write(out, manifest)
    if places.test is not None:
        _score_test(out, manifest, read_banking77(places.test), file_sha256(places.test))
    (out / "report.md").write_text(_report(manifest), encoding="utf-8")
    return manifest


def _write_neighbours(student: IntentEncoder, tokenizer: Tokenizer, corpus: Corpus, out: Path, recipe: Recipe) -> None:
    """Prototypes of the training rows' embeddings, beside the model."""
    student.bert.set_attn_implementation("sdpa")
    _, embeddings = run_batches(
        student, [one.ids for one in tokenizer.encode_batch([row.text for row in corpus.train])]
    )
    bank = fit_neighbours(embeddings.numpy().astype(np.float64), _gold(corpus.train), seed=recipe.seed)
    bank.save(out / NEIGHBOURS_FILE)


def _gold(rows: Sequence[Example]) -> Ints:
    """Places of the rows' labels in LABELS."""
    index = {label: position for position, label in enumerate(LABELS)}
    return np.array([index[row.label] for row in rows])


def _describe(corpus: Corpus, places: Places, recipe: Recipe) -> dict[str, Any]:
    """The manifest before anything was calibrated. Raises ValueError when the model is too large to ship."""
    out = places.out
    size = (out / MODEL_FILE).stat().st_size
    if size > MAX_MODEL_BYTES:
        raise ValueError(f"the model file is {size} bytes; the limit is {MAX_MODEL_BYTES}")
    return {
        "version": f"nlu-{package_version('llm-banking')}-{sha256_of(out / MODEL_FILE)[:8]}",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "labels": list(LABELS),
        "licence": "Apache-2.0; see NOTICE for the training data",
        "sources": SOURCES,
        "torch": torch.__version__.split("+")[0],
        "encoder_sha256": file_sha256(places.encoder_dir / "model.safetensors"),
        "data_sha256": corpus.sha256,
        "rows": {"train": len(corpus.train), "calibration": len(corpus.calibration)},
        "recipe": recipe.as_dict(),
        "sha256": {name: sha256_of(out / name) for name in FILES},
        "bytes": size,
        "calibration": UNFITTED.to_manifest(),
    }


def _write(out: Path, manifest: dict[str, Any]) -> None:
    (out / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _calibrate(out: Path, manifest: dict[str, Any], corpus: Corpus, data_dir: Path, progress: Progress) -> None:
    """Thresholds and held-out figures, all from the int8 file that will serve, into the manifest and its file."""
    progress("calibration", 0, 2)
    reader = Reader.open(out)
    rows = [*corpus.calibration, *corpus.unseen_out_of_scope]
    logits, embeddings = reader.outputs([row.text for row in rows])
    data = CalibrationData(
        logits=logits.astype(np.float64),
        nearest=reader.artifact.neighbours.nearest(embeddings),
        gold=_gold(rows),
        sources=tuple(_kind(row) for row in rows),
    )
    calibration, metrics = fit_calibration(data)
    manifest["calibration"] = calibration.to_manifest()
    manifest["metrics"] = {"calibration": metrics, "held_out": _held_out(out, manifest, corpus)}
    progress("calibration", 1, 2)
    reader = Reader.open(out)
    policy = fit_split_policy(
        reader.examine,
        [(row.text, row.label) for row in corpus.train],
        development_messages(),
        unlabelled_requests(data_dir),
    )
    manifest["calibration"].update(policy.as_calibration())
    _write(out, manifest)
    progress("calibration", 2, 2)


def _kind(row: Example) -> str:
    """Whose a row is, as calibration weighs it: ours, a bank's but not ours, or a stranger's."""
    if row.label != OUT_OF_SCOPE:
        return "ours"
    return "near" if row.source == "own" else "far"


def _right(reader: Reader, rows: Sequence[Example]) -> NDArray[np.bool_]:
    """Whether the likeliest of all intents is the row's own, row by row."""
    logits, _ = reader.outputs([row.text for row in rows])
    chosen = reader.artifact.calibration.probabilities(logits).argmax(axis=1)
    return np.array([LABELS[at] == row.label for at, row in zip(chosen, rows, strict=True)])


def _held_out(out: Path, manifest: dict[str, Any], corpus: Corpus) -> dict[str, Any]:
    """Accuracy over all intents of the rows kept out of training, in all, by source and by layer."""
    _write(out, manifest)
    ours = [row for row in corpus.calibration if row.label != OUT_OF_SCOPE]
    right = _right(Reader.open(out), ours)
    found: dict[str, Any] = {"rows": len(ours), "accuracy": float(right.mean()), "by_source": {}, "by_layer": {}}
    for place, row_of in (
        ("by_source", lambda row: row.source),
        ("by_layer", lambda row: BY_NAME[row.label].layer.value),
    ):
        names = [row_of(row) for row in ours]
        for name in sorted(set(names)):
            mask = np.array([one == name for one in names])
            found[place][name] = {"rows": int(mask.sum()), "accuracy": float(right[mask].mean())}
    return found


def _int8_figures(
    joint: JointModel, sample: list[list[int]], out: Path, manifest: dict[str, Any], corpus: Corpus
) -> dict[str, Any]:
    """What the held-out accuracy was before the weights were rounded to eight bits."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(shutil.copytree(out, Path(folder) / "fp32"))
        export_fp32(joint, sample, whole / MODEL_FILE)
        hashes = {**manifest["sha256"], MODEL_FILE: sha256_of(whole / MODEL_FILE)}
        _write(whole, {**manifest, "sha256": hashes})
        rows = [row for row in corpus.calibration if row.label != OUT_OF_SCOPE]
        exact = _right(Reader.open(whole), rows)
    held = manifest["metrics"]["held_out"]
    return {"rows": held["rows"], "fp32_accuracy": float(exact.mean()), "int8_accuracy": held["accuracy"]}


def _score_test(out: Path, manifest: dict[str, Any], rows: list[Example], sha256: str) -> None:
    reader = Reader.open(out)
    texts, gold = [row.text for row in rows], [row.label for row in rows]
    log: dict[str, Any] = {"sha256": sha256, "scored": datetime.now(UTC).isoformat(timespec="seconds")}
    for name, restrict in (("restricted_to_77", True), ("all_labels", False)):
        figures = evaluate_rows(reader, texts, gold, restrict_to_support=restrict)
        log[name] = {
            key: figures[key] for key in ("rows", "accuracy", "accuracy_low", "accuracy_high", "macro_f1", "ece")
        }
    manifest["banking77_test"] = log
    _write(out, manifest)


def _report(manifest: dict[str, Any]) -> str:
    held, lines = manifest["metrics"]["held_out"], []
    lines.append(f"# {manifest['version']}\n")
    lines.append(
        f"Written {manifest['created']} by `llm-banking train nlu`, {manifest['training']['seconds']} s on "
        f"{manifest['training']['threads']} threads, peak {manifest['training']['peak_rss_mib']} MiB.\n"
    )
    lines.append("| figure | rows | value |\n|---|---|---|")
    for kind in ("by_source", "by_layer"):
        for name, row in held[kind].items():
            lines.append(f"| held-out accuracy, {name} | {row['rows']} | {row['accuracy']:.4f} |")
    for name, row in manifest["metrics"]["calibration"]["cross_validated"].items():
        if isinstance(row, dict) and "answered_right" in row:
            lines.append(
                f"| {name}: answered at the threshold, cross-validated | {row['rows']} | {row['answered']:.4f} |"
            )
            lines.append(f"| {name}: right among the answered | {row['rows']} | {row['answered_right'] or 0:.4f} |")
        elif isinstance(row, dict):
            lines.append(f"| {name}: refused | {row['rows']} | {row['refused']:.4f} |")
    for name in ("restricted_to_77", "all_labels"):
        if "banking77_test" in manifest:
            row = manifest["banking77_test"][name]
            title = f"Banking77 official test, {name.replace('_', ' ')}"
            lines.append(
                f"| {title}: accuracy | {row['rows']} | {row['accuracy']:.4f} "
                f"({row['accuracy_low']:.4f} to {row['accuracy_high']:.4f}) |"
            )
            lines.append(f"| {title}: macro-F1 | {row['rows']} | {row['macro_f1']:.4f} |")
            lines.append(f"| {title}: ECE | {row['rows']} | {row['ece']:.4f} |")
    return "\n".join(lines) + "\n"
