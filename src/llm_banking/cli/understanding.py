"""`llm-banking nlu`: the understanding model."""
# ruff: noqa: PLC0415, FBT002

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llm_banking.cli.shared import Json, app, fail, print_json

nlu_app = typer.Typer(no_args_is_help=True, help="The understanding model.")
app.add_typer(nlu_app, name="nlu")

ModelFolder = Annotated[Path | None, typer.Option("--model", help="A model folder; the shipped one by default.")]


@nlu_app.command("labels")
def nlu_labels(as_json: Json = False) -> None:
    """List every label with its layer and category."""
    from llm_banking.nlu.taxonomy import INTENTS

    rows = [{"name": one.name, "layer": one.layer.value, "category": one.category.value} for one in INTENTS]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['name']:50} {row['layer']:12} {row['category']}")


@nlu_app.command("read")
def nlu_read(text: str, as_json: Json = False, model: ModelFolder = None) -> None:
    """Read one text: intent, confidence, whether it is ours."""
    from llm_banking.nlu.reader import Reader

    reading = Reader.open(model).read(text)
    if as_json:
        print_json(reading.as_dict())
        return
    typer.echo(f"{reading.intent}  {reading.confidence:.1%}  {'ours' if reading.in_scope else 'not ours'}")


@nlu_app.command("predict")
def nlu_predict(source: Path, target: Path, model: ModelFolder = None) -> None:
    """Read the `text` of every line of a JSONL file; other keys are carried over."""
    from llm_banking.nlu.files import predict_file
    from llm_banking.nlu.reader import Reader

    rows = predict_file(Reader.open(model), source, target)
    typer.echo(f"{rows} lines written to {target}.", err=True)


@nlu_app.command("evaluate")
def nlu_evaluate(
    source: Path,
    as_json: Json = False,
    restrict: Annotated[str | None, typer.Option(help="banking77: only the 77 support intents compete.")] = None,
    model: ModelFolder = None,
) -> None:
    """Score a labelled CSV or JSONL file (text, and category or intent)."""
    from llm_banking.nlu.evaluation import evaluate_rows, load_rows
    from llm_banking.nlu.reader import Reader

    if restrict not in (None, "banking77"):
        fail(f"--restrict takes banking77, not '{restrict}'.")
    texts, labels = load_rows(source)
    report = evaluate_rows(Reader.open(model), texts, labels, restrict_to_support=restrict is not None)
    if as_json:
        print_json(report)
        return
    for key in ("rows", "accuracy", "accuracy_low", "accuracy_high", "macro_f1", "ece"):
        typer.echo(f"{key:14} {report[key]:.4f}" if key != "rows" else f"{key:14} {report[key]}")


@nlu_app.command("report")
def nlu_report(
    out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("results"),
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Leave Banking77's test file closed; held-out rows stand in for it.")
    ] = False,
    as_json: Json = False,
    model: ModelFolder = None,
) -> None:
    """Score the model in every way it claims to understand, and write the figures as JSON."""
    from llm_banking.nlu.reader import Reader
    from llm_banking.proof.sections import further_sections, senses_of
    from llm_banking.proof.understanding import RESULTS_FILE, material_of, run_understanding
    from llm_banking.settings import load_settings
    from llm_banking.training.datasets import load_corpus

    data_dir = load_settings().data_dir
    held_out = [(row.text, row.label) for row in load_corpus(data_dir).calibration]
    material, reader = material_of(data_dir, held_out, rehearsal=rehearse), Reader.open(model)
    document = run_understanding(reader, material, out, further_sections(senses_of(reader), material.ours, data_dir))
    if as_json:
        print_json(document)
    else:
        typer.echo(f"{out / RESULTS_FILE} written.")


@nlu_app.command("reading-speed")
def nlu_reading_speed(out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("results")) -> None:
    """Measure where the time of a reading goes, and what each choice of the runtime costs. For a quiet machine."""
    from llm_banking.proof.reading_speed import run_reading_speed
    from llm_banking.settings import load_settings

    typer.echo(f"{run_reading_speed(load_settings().data_dir, out)} written.")


@nlu_app.command("leave-intents-out")
def nlu_leave_intents_out(
    work: Annotated[Path, typer.Option(help="Folder that keeps each draw: a stopped run goes on from there.")],
    out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("results"),
    draws: Annotated[int, typer.Option(min=1, max=100, help="Draws at 25, 50 and 75% known intents each.")] = 10,
) -> None:
    """Train on some of Banking77's intents and score the refusal of all others; about four minutes a draw and share."""
    try:
        from llm_banking.training.open_set import run_leave_intents_out
    except ModuleNotFoundError as error:
        fail(f"{error.name} is not installed. Install the extra: pip install 'llm-banking[train]'.")
    from llm_banking.proof.leave_intents_out import write_summary
    from llm_banking.settings import load_settings
    from llm_banking.training.datasets import require

    data_dir = load_settings().data_dir

    def tell(what: str, done: int, total: int) -> None:
        if done == total:
            typer.echo(f"trained: {what}", err=True)

    run_leave_intents_out(
        data_dir, work, draws=range(draws), test_file=require(data_dir, "banking77/test.csv"), progress=tell
    )
    typer.echo(f"{write_summary(work, out)} written.")
