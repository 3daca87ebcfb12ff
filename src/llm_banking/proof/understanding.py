"""`nlu report`: everything the shipped model claims to understand, measured and written as one JSON file.

Every row comes from outside of training. Banking77's official test file is scored here once per released model and
chooses nothing; a rehearsal puts held-out rows in its place.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from llm_banking.nlu.artifact import MODEL_FILE
from llm_banking.nlu.evaluation import evaluate_rows, load_rows
from llm_banking.nlu.metrics import Floats, Ints, classification_report
from llm_banking.nlu.reader import Reader
from llm_banking.nlu.taxonomy import LABELS, OPERATIONAL_INTENTS, OUT_OF_SCOPE, SUPPORT_INTENTS
from llm_banking.proof import leave_intents_out
from llm_banking.proof.bench import machine
from llm_banking.proof.robustness import robustness_table
from llm_banking.proof.scores import (
    Judged,
    abstention,
    latency,
    layer_figures,
    reliability,
    risk_coverage,
    worst_pairs,
)
from llm_banking.proof.sets import cross_fitted, set_figures

RESULTS_FILE = "understanding.json"
SPEED_FILE = "reading-speed.json"
ROBUSTNESS_ROWS = 1000
ROBUSTNESS_SEED = 0
WARM_UP = 100
_MANIFEST = (
    "version",
    "created",
    "bytes",
    "licence",
    "sources",
    "rows",
    "recipe",
    "calibration",
    "metrics",
    "training",
)

Rows = Sequence[tuple[str, str]]
"""Texts with their labels."""
Section = Callable[[], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Material:
    """What is judged: Banking77's official test rows, and rows held out of training; each may be empty.

    In a `rehearsal` other rows stand in for the official ones, and the results say so.
    """

    official: Rows
    held_out: Rows
    rehearsal: bool = False

    @property
    def ours(self) -> list[tuple[str, str]]:
        """The held-out rows that mean one of our intents."""
        return [row for row in self.held_out if row[1] != OUT_OF_SCOPE]


def material_of(data_dir: Path, held_out: Rows, *, rehearsal: bool = False) -> Material:
    """The official test rows of the data folder, none where it is not there, and the held-out rows.

    In a rehearsal the test file stays closed and the held-out rows of the support intents stand in for it.
    """
    if rehearsal:
        return Material([row for row in held_out if row[1] in SUPPORT_INTENTS], held_out, rehearsal=True)
    path = data_dir / "banking77" / "test.csv"
    return Material(list(zip(*load_rows(path), strict=True)) if path.is_file() else [], held_out)


def run_understanding(
    reader: Reader, material: Material, out: Path, sections: Mapping[str, Section] | None = None
) -> dict[str, Any]:
    """Measure every section, write `out`/RESULTS_FILE and return what it holds.

    `sections` adds to those of this module, or replaces them by name. A section without material says what it lacks
    under `left_out`. Raises what the sections raise; nothing is written then.
    """
    document: dict[str, Any] = {
        "machine": {**machine(), "load_before": round(os.getloadavg()[0], 1)},
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "rehearsal": material.rehearsal,
        "model": {key: reader.artifact.manifest[key] for key in _MANIFEST if key in reader.artifact.manifest},
    }
    steps: dict[str, Section] = {
        "speed": lambda: speed(reader, [text for text, _ in material.official]),
        "official": lambda: official(reader, material.official),
        "operational": lambda: operational(reader, material.ours),
        "sets": lambda: sets(reader, material),
        "robustness": lambda: robustness(reader, material.ours),
        "leave_intents_out": lambda: stored(out / leave_intents_out.RESULTS_FILE),
        "reading_speed": lambda: stored(out / SPEED_FILE),
        **(sections or {}),
    }
    started = time.perf_counter()
    columns = (TextColumn("{task.description:20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=len(steps))
        for name, step in steps.items():
            bar.update(task, description=name.replace("_", " "))
            document[name] = step()
            bar.advance(task)
    document["seconds"] = round(time.perf_counter() - started, 1)
    out.mkdir(parents=True, exist_ok=True)
    (out / RESULTS_FILE).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return document


def left_out(why: str) -> dict[str, Any]:
    """A section that was not measured, and why."""
    return {"left_out": why}


def probabilities(reader: Reader, texts: Sequence[str]) -> Floats:
    """Calibrated probability of every intent, given that the text is ours: (texts, intents)."""
    return reader.artifact.calibration.probabilities(reader.outputs(texts)[0])


def indices(labels: Sequence[str]) -> Ints:
    """Places of labels in LABELS."""
    index = {label: place for place, label in enumerate(LABELS)}
    return np.array([index[label] for label in labels], dtype=np.int64)


def judge(reader: Reader, rows: Rows) -> Judged:
    """What the product makes of labelled rows."""
    return Judged.of(reader.read_many([text for text, _ in rows]), [label for _, label in rows])


def official(reader: Reader, rows: Rows) -> dict[str, Any]:
    """Banking77: scores inside the 77 and over all labels, calibration, abstention, and the worst confusions."""
    if not rows:
        return left_out("the data folder with banking77/test.csv is not on this machine")
    texts, labels = [text for text, _ in rows], [label for _, label in rows]
    inside = probabilities(reader, texts)[:, : len(SUPPORT_INTENTS)]
    inside /= inside.sum(axis=1, keepdims=True)
    gold = indices(labels)
    everything = evaluate_rows(reader, texts, labels, restrict_to_support=False)
    judged = judge(reader, rows)
    threshold = reader.artifact.answer_confidence
    return {
        "inside_77": classification_report(gold, inside, list(SUPPORT_INTENTS)),
        "all_labels": {key: value for key, value in everything.items() if key not in ("per_intent", "model_version")},
        "reliability": reliability(inside.max(axis=1), inside.argmax(axis=1) == gold),
        "abstention": abstention(judged, threshold),
        "risk_coverage": risk_coverage(judged),
        "worst_pairs": worst_pairs(judged),
    }


def operational(reader: Reader, rows: Rows) -> dict[str, Any]:
    """The operational layer on held-out rows, all intents competing."""
    if not any(label in OPERATIONAL_INTENTS for _, label in rows):
        return left_out("there are no held-out rows of operational intents")
    return layer_figures(judge(reader, rows), OPERATIONAL_INTENTS, reader.artifact.answer_confidence)


def sets(reader: Reader, material: Material) -> dict[str, Any]:
    """Coverage of the prediction sets: as shipped on the official rows, cross-fitted on the held-out ones."""
    calibration = reader.artifact.calibration
    found: dict[str, Any] = {}
    if material.official:
        texts, labels = [text for text, _ in material.official], [label for _, label in material.official]
        found["official"] = set_figures(calibration.sets, probabilities(reader, texts), indices(labels))
    if material.ours:
        texts, labels = [text for text, _ in material.ours], [label for _, label in material.ours]
        found["held_out"] = cross_fitted(calibration.sets, probabilities(reader, texts), indices(labels))
    return found or left_out("there are no rows to judge")


def robustness(reader: Reader, rows: Rows) -> dict[str, Any]:
    """Points of accuracy that each perturbation costs, on held-out rows of both layers."""
    if not rows:
        return left_out("there are no held-out rows")
    taken = evenly(rows, ROBUSTNESS_ROWS)
    table = robustness_table(lambda texts: reader.outputs(texts)[0], taken, ROBUSTNESS_SEED)
    return {"rows": len(taken), "of": len(rows), "table": [row.as_dict() for row in table]}


def evenly(rows: Rows, most: int) -> list[tuple[str, str]]:
    """At most `most` rows, taken at even steps through rows ordered by label, so that every label has its share."""
    ordered = sorted(rows, key=lambda row: row[1])
    if len(ordered) <= most:
        return ordered
    return [ordered[place * len(ordered) // most] for place in range(most)]


def stored(path: Path) -> dict[str, Any]:
    """Figures that another command measured and wrote."""
    if not path.is_file():
        return left_out(f"{path.name} is not in the results folder")
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def speed(reader: Reader, texts: Sequence[str]) -> dict[str, Any]:
    """Milliseconds of one reading on one thread, texts a second on all cores, and memory of a process that reads.

    Each is taken with a model that has not read the texts before, so that no cache answers for it.
    """
    if len(texts) <= WARM_UP:
        return left_out(f"more than {WARM_UP} texts are needed to time")
    alone = Reader(reader.artifact)
    alone.latencies_ms(texts[:WARM_UP])
    cpu = time.thread_time()
    taken = alone.latencies_ms(texts[WARM_UP:])
    cpu = time.thread_time() - cpu
    together = Reader(reader.artifact)
    together.read_many(texts[:WARM_UP])
    start = time.perf_counter()
    together.read_many(texts[WARM_UP:])
    seconds = time.perf_counter() - start
    return {
        "read_ms": latency(taken),
        "cpu_ms": 1000 * cpu / len(taken),
        "batch": {
            "texts": len(taken),
            "texts_per_s": len(taken) / seconds,
            "cores": os.cpu_count(),
        },
        "model_bytes": (reader.artifact.folder / MODEL_FILE).stat().st_size,
        "resident_mib": resident_of_a_reading_process(reader.artifact.folder),
    }


def resident_of_a_reading_process(folder: Path) -> float | None:
    """Resident memory of a new process that has read one text, in MiB; None where the system does not tell."""
    code = (
        "import json, os, sys\n"
        "from pathlib import Path\n"
        "from llm_banking.nlu.reader import Reader\n"
        "Reader.open(Path(sys.argv[1])).read('where is my card')\n"
        "from llm_banking.proof.bench import resident_mib\n"
        "print(json.dumps(resident_mib(os.getpid())))\n"
    )
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own command
    found: float | None = json.loads(done.stdout)
    return found
