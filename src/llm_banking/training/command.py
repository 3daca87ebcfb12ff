"""What `llm-banking train nlu` does, with its progress bar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from llm_banking.training.datasets import load_corpus, require
from llm_banking.training.encoder import packaged_encoder_dir
from llm_banking.training.fine_tune import Recipe
from llm_banking.training.release import Places, train_release


def run_train_nlu(
    data_dir: Path,
    out: Path,
    *,
    encoder: Path | None,
    changes: Mapping[str, int | None],
    rows_per_label: int | None,
    score_test: bool,
    work: Path | None,
) -> None:
    """Train into `out` with the standard recipe and the given changes to it; `work` keeps what a stop would lose.

    Raises DataMissingError, DataInvalidError, ExportMismatchError.
    """
    recipe = replace(Recipe(), **{name: value for name, value in changes.items() if value is not None})
    corpus = load_corpus(data_dir, rows_per_label=rows_per_label)
    test = require(data_dir, "banking77/test.csv") if score_test else None
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        tasks = {}

        def advance(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)

        train_release(corpus, Places(data_dir, encoder or packaged_encoder_dir(), out, work, test), recipe, advance)
    console.print((out / "report.md").read_text(encoding="utf-8"), highlight=False)
