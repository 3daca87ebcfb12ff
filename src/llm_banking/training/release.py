"""`train nlu`: corpus → student → int8 file → calibration → manifest and report."""

from __future__ import annotations

import json
import platform
import resource
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from llm_banking.nlu.artifact import (
    MANIFEST_FILE,
    MAX_MODEL_BYTES,
    MODEL_FILE,
    TOKENIZER_FILE,
    open_artifact,
    sha256_of,
)
from llm_banking.nlu.evaluation import evaluate_rows
from llm_banking.nlu.metrics import Floats, Ints, area_under_roc, softmax
from llm_banking.nlu.reader import Reader
from llm_banking.nlu.taxonomy import LABELS, OUT_OF_SCOPE
from llm_banking.training.datasets import Corpus, Example, file_sha256, read_banking77
from llm_banking.training.encoder import load_tokenizer
from llm_banking.training.export import export_int8
from llm_banking.training.nlu import Progress, Recipe, train_student

ANSWERED_ACCURACY = 0.97
"""The answer threshold is the lowest at which this share of the answers is right on the calibration rows."""
IN_SCOPE_RECALL = 0.995
"""The in-scope threshold lets this share of our own calibration rows through."""

SOURCES = [
    {"name": "all-MiniLM-L6-v2 (pretrained encoder)", "licence": "Apache-2.0", "by": "sentence-transformers"},
    {"name": "Banking77", "licence": "CC-BY-4.0", "by": "Casanueva et al. 2020, PolyAI"},
    {"name": "CLINC150", "licence": "CC-BY-3.0", "by": "Larson et al. 2019"},
    {"name": "operational_examples.yml", "licence": "Apache-2.0", "by": "the llm-banking authors"},
]


def train_release(
    corpus: Corpus, encoder_dir: Path, out: Path, recipe: Recipe, progress: Progress, test: Path | None = None
) -> dict[str, Any]:
    """Train, export and calibrate into the folder `out`; returns the manifest that was written there.

    `test` is Banking77's official test file: scored once, after every choice is made, and logged in the manifest.
    """
    started = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    student = train_student(corpus, encoder_dir, recipe, progress)
    tokenizer = load_tokenizer(encoder_dir)
    sample = [encoding.ids for encoding in tokenizer.encode_batch([row.text for row in corpus.calibration[:32]])]
    export_int8(student, sample, out / MODEL_FILE)
    shutil.copyfile(encoder_dir / "tokenizer.json", out / TOKENIZER_FILE)
    size = (out / MODEL_FILE).stat().st_size
    if size > MAX_MODEL_BYTES:
        raise ValueError(f"the model file is {size} bytes; the limit is {MAX_MODEL_BYTES}")
    manifest: dict[str, Any] = {
        "version": f"nlu-{package_version('llm-banking')}-{sha256_of(out / MODEL_FILE)[:8]}",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "labels": list(LABELS),
        "licence": "Apache-2.0; see NOTICE for the training data",
        "sources": SOURCES,
        "encoder_sha256": file_sha256(encoder_dir / "model.safetensors"),
        "data_sha256": corpus.sha256,
        "rows": {"train": len(corpus.train), "calibration": len(corpus.calibration)},
        "recipe": recipe.as_dict(),
        "sha256": {name: sha256_of(out / name) for name in (MODEL_FILE, TOKENIZER_FILE)},
        "bytes": size,
        "calibration": {"temperature": 1.0, "answer_confidence": 0.0, "in_scope_minimum": 0.0},
    }
    _write(out, manifest)
    manifest["calibration"], manifest["metrics"] = _calibrate(out, corpus)
    manifest["training"] = {
        "machine": platform.processor() or platform.machine(),
        "threads": recipe.threads,
        "seconds": round(time.monotonic() - started),
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    _write(out, manifest)
    if test is not None:
        _score_test(out, manifest, read_banking77(test), file_sha256(test))
    (out / "report.md").write_text(_report(manifest), encoding="utf-8")
    return manifest


def _write(out: Path, manifest: dict[str, Any]) -> None:
    (out / MANIFEST_FILE).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def _calibrate(out: Path, corpus: Corpus) -> tuple[dict[str, float], dict[str, Any]]:
    """Thresholds and held-out figures, all from the int8 file that will serve."""
    reader = Reader(open_artifact(out))
    ours = [row for row in corpus.calibration if row.label != OUT_OF_SCOPE]
    logits = reader.logits([row.text for row in ours])
    index = {label: position for position, label in enumerate(LABELS)}
    gold = np.array([index[row.label] for row in ours])
    temperature = fit_temperature(logits[:, :-1].astype(np.float64), gold)
    scope_ours = 1 - softmax(logits / temperature)[:, -1]
    in_scope_minimum = float(np.quantile(scope_ours, 1 - IN_SCOPE_RECALL))
    intents = softmax(logits[:, :-1] / temperature)
    calibration = {
        "temperature": round(temperature, 4),
        "answer_confidence": round(answer_threshold(intents.max(1), intents.argmax(1) == gold), 4),
        "in_scope_minimum": round(in_scope_minimum, 6),
    }
    strangers = {
        "out_of_scope_unseen_domains": list(corpus.unseen_out_of_scope),
        "out_of_scope_same_domains": [row for row in corpus.calibration if row.label == OUT_OF_SCOPE],
    }
    metrics: dict[str, Any] = {}
    for name, rows in strangers.items():
        if rows:
            scope = 1 - softmax(reader.logits([row.text for row in rows]) / temperature)[:, -1]
            metrics[name] = {
                "rows": len(rows),
                "auroc": area_under_roc(scope_ours, scope),
                "refused": float((scope < in_scope_minimum).mean()),
            }
    metrics["held_out"] = _held_out(ours, gold, intents, calibration["answer_confidence"])
    return calibration, metrics


def _held_out(rows: Sequence[Example], gold: Ints, intents: Floats, threshold: float) -> dict[str, Any]:
    right = intents.argmax(1) == gold
    answered = intents.max(1) >= threshold
    by_source = {}
    for source in sorted({row.source for row in rows}):
        mask = np.array([row.source == source for row in rows])
        by_source[source] = {"rows": int(mask.sum()), "accuracy": float(right[mask].mean())}
    return {
        "rows": len(rows),
        "accuracy": float(right.mean()),
        "answered": float(answered.mean()),
        "answered_accuracy": float(right[answered].mean()) if answered.any() else None,
        "by_source": by_source,
    }


def fit_temperature(logits: Floats, gold: Ints) -> float:
    """The temperature that minimises negative log-likelihood on held-out rows (Guo et al. 2017)."""
    rows = np.arange(len(gold))

    def loss(log_temperature: float) -> float:
        probabilities = softmax(logits / np.exp(log_temperature))
        return float(-np.log(np.maximum(probabilities[rows, gold], 1e-12)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def answer_threshold(confidence: Floats, right: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
    """Lowest confidence at which ANSWERED_ACCURACY of the rows at or above it are right; 1.0 if none is."""
    order = np.argsort(-confidence)
    running = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    ends_a_tie = np.append(np.diff(confidence[order]) != 0, True)
    good = np.flatnonzero((running >= ANSWERED_ACCURACY) & ends_a_tie)
    return float(confidence[order][good[-1]]) if len(good) else 1.0


def _score_test(out: Path, manifest: dict[str, Any], rows: list[Example], sha256: str) -> None:
    reader = Reader(open_artifact(out))
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
    for name, row in held["by_source"].items():
        lines.append(f"| held-out accuracy, {name} | {row['rows']} | {row['accuracy']:.4f} |")
    lines.append(f"| answered at the shipped threshold | {held['rows']} | {held['answered']:.4f} |")
    lines.append(f"| right among the answered | {held['rows']} | {held['answered_accuracy'] or 0:.4f} |")
    for name in ("out_of_scope_unseen_domains", "out_of_scope_same_domains"):
        if name in manifest["metrics"]:
            row = manifest["metrics"][name]
            lines.append(f"| {name.replace('_', ' ')}: AUROC | {row['rows']} | {row['auroc']:.4f} |")
            lines.append(f"| {name.replace('_', ' ')}: refused | {row['rows']} | {row['refused']:.4f} |")
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
