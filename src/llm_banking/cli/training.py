"""`llm-banking train`: needs the extra `train`."""
# ruff: noqa: PLC0415, FBT002

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llm_banking.cli.shared import app, fail

train_app = typer.Typer(no_args_is_help=True, help="Training; needs the extra `train`.")
app.add_typer(train_app, name="train")


@train_app.command("nlu")
def train_nlu(
    out: Annotated[Path, typer.Option(help="Folder to write the model to.")],
    encoder: Annotated[
        Path | None, typer.Option(help="Folder with all-MiniLM-L6-v2; the packaged one by default.")
    ] = None,
    teachers: Annotated[int | None, typer.Option(min=0, max=9)] = None,
    teacher_epochs: Annotated[int | None, typer.Option(min=1, max=20)] = None,
    student_epochs: Annotated[int | None, typer.Option(min=1, max=20)] = None,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
    threads: Annotated[int, typer.Option(min=1, max=256)] = 2,
    rows_per_label: Annotated[int | None, typer.Option(min=2, help="A small corpus, to try the pipeline.")] = None,
    score_test: Annotated[
        bool, typer.Option("--score-test", help="Score Banking77's test file once, at the end.")
    ] = False,
    work: Annotated[
        Path | None, typer.Option(help="Folder that keeps what each stage gave: a stopped run goes on from there.")
    ] = None,
) -> None:
    """Train the understanding model from the data folder and write it with its manifest and report."""
    try:
        from llm_banking.training.command import run_train_nlu
    except ModuleNotFoundError as error:
        fail(f"{error.name} is not installed. Install the extra: pip install 'llm-banking[train]'.")
    from llm_banking.settings import load_settings

    run_train_nlu(
        load_settings().data_dir,
        out,
        encoder=encoder,
        changes={
            "teachers": teachers,
            "teacher_epochs": teacher_epochs,
            "student_epochs": student_epochs,
            "seed": seed,
            "threads": threads,
        },
        rows_per_label=rows_per_label,
        score_test=score_test,
        work=work,
    )
