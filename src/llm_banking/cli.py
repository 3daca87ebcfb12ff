"""`llm-banking`: thin commands, one function each. Heavy imports wait until a command needs them."""
# ruff: noqa: PLC0415, FBT002

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from llm_banking.cli_users import users_app
from llm_banking.kit.errors import ConfigurationError, LlmBankingError

if TYPE_CHECKING:
    from fastapi import FastAPI

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="A conversational assistant for banks.")
nlu_app = typer.Typer(no_args_is_help=True, help="The understanding model.")
train_app = typer.Typer(no_args_is_help=True, help="Training; needs the extra `train`.")
proof_app = typer.Typer(no_args_is_help=True, help="Proofs on this machine; each takes minutes.")
app.add_typer(nlu_app, name="nlu")
app.add_typer(proof_app, name="proof")
app.add_typer(users_app)
app.add_typer(train_app, name="train")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
ModelFolder = Annotated[Path | None, typer.Option("--model", help="A model folder; the shipped one by default.")]


def main() -> None:
    """Run a command. A problem that the caller can act on is one line on standard error and exit code 1."""
    try:
        app()
    except LlmBankingError as error:
        _fail(error.message)


def _fail(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise SystemExit(1)


def _print(document: Any) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, indent=1))


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Server processes.")] = 1,
    demo: Annotated[bool, typer.Option("--demo", help="Demo customers and the demo principal (development).")] = False,
) -> None:
    """Serve the API and the page, with embedded PostgreSQL and Redis where no URL is set."""
    from llm_banking.server import ServeOptions
    from llm_banking.server import serve as run

    if demo:
        os.environ["LLM_BANKING_DEMO"] = "true"
    run(ServeOptions(host=host, port=port, workers=workers))


@app.command()
def migrate() -> None:
    """Bring the database at DATABASE_OWNER_URL up to date; harmless when it is."""
    from llm_banking.migrations import upgrade
    from llm_banking.server import required_owner_url
    from llm_banking.settings import load_settings

    upgrade(required_owner_url(load_settings()))
    typer.echo("The database is up to date.")


@app.command("seed-demo")
def seed_demo_command() -> None:
    """Write the demo customers and accounts that are missing into the database at DATABASE_URL."""
    import asyncio

    from llm_banking.kit.database import Database
    from llm_banking.server import give_demo_passwords, required_database_url, seed_demo, shown_sign_ins
    from llm_banking.settings import Environment, load_settings

    settings = load_settings()
    if settings.environment is Environment.PRODUCTION:
        raise ConfigurationError("Demo customers do not belong in production. Set ENVIRONMENT=development.")

    async def run() -> None:
        database = Database(required_database_url(settings), max_pool_size=1)
        try:
            typer.echo(f"Demo customers given accounts: {await seed_demo(database)}.")
            for line in shown_sign_ins(await give_demo_passwords(database, settings)):
                typer.echo(line)
        finally:
            await database.close()

    asyncio.run(run())


@app.command()
def ask(text: str, as_json: Json = False) -> None:
    """Answer one question as a guest. No server, no database, no network."""
    from dataclasses import asdict

    from llm_banking.dialogue.service import guest_reply
    from llm_banking.knowledge.service import load_knowledge
    from llm_banking.nlu.reader import Reader
    from llm_banking.nlu.taxonomy import BY_NAME

    reader = Reader.open()
    reply = guest_reply(reader.read(text), load_knowledge(frozenset(BY_NAME)), reader.artifact.answer_confidence)
    if as_json:
        shown = {key: value for key, value in asdict(reply).items() if key != "tracker"}
        _print({**shown, "model_version": reader.artifact.version})
        return
    typer.echo(reply.text)
    typer.echo("\n" + "\n".join(f"  > {step}" for step in reply.next_steps))


@app.command()
def bench(out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("results")) -> None:
    """Measure the product on this machine and write the figures as JSON."""
    from llm_banking.proof.bench import run_bench
    from llm_banking.settings import load_settings

    typer.echo(f"{run_bench(load_settings().data_dir, out)} written.")


@app.command()
def fuzz(
    out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("results"),
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed sends the same requests.")] = None,
    examples: Annotated[int | None, typer.Option(min=1, help="Requests of each caller to each operation.")] = None,
    least_cases: Annotated[int | None, typer.Option(min=1, help="Fewer cases than this are a failure.")] = None,
) -> None:
    """Send a server of its own whatever its schema allows and forbids, and judge the answers; about ten minutes."""
    from llm_banking.proof.fuzz import run_fuzz

    given = {"seed": seed, "examples": examples, "least_cases": least_cases}
    path, problems = run_fuzz(out, **{name: value for name, value in given.items() if value is not None})
    typer.echo(f"{path} written.")
    if problems:
        _fail("\n".join(problems))


@app.command()
def evidence(
    results: Annotated[Path, typer.Option(help="Folder with the figures.")] = Path("results"),
    readme: Annotated[Path, typer.Option(help="Document that shows the figures.")] = Path("README.md"),
    intents: Annotated[Path, typer.Option(help="Document that lists the intents.")] = Path(
        "docs/03-banking-use-cases.md"
    ),
    understanding: Annotated[Path, typer.Option(help="Document that shows what was measured of the model.")] = Path(
        "docs/04-understanding.md"
    ),
    card: Annotated[Path, typer.Option(help="The model card.")] = Path("docs/model-card.md"),
    security: Annotated[Path, typer.Option(help="Document that says who may call what.")] = Path(
        "docs/07-security-compliance.md"
    ),
) -> None:
    """Write the rendered parts of the documents, from the figures and the code and from nothing else."""
    from llm_banking.api.access import declared_routes
    from llm_banking.proof.access import write_access
    from llm_banking.proof.report import write_evidence
    from llm_banking.proof.understanding_report import write_understanding

    write_evidence(results, readme, intents)
    write_understanding(results, understanding, card)
    with _unconnected_app() as served:
        write_access(security, [(one.method, one.path, one.policy.permission) for one in declared_routes(served)])
    written = ", ".join(str(path) for path in (readme, intents, understanding, card, security))
    typer.echo(f"The rendered parts of {written} are those of {results} and of the code.")


@app.command()
def openapi(out: Path) -> None:
    """Write the API's schema, from which the web client is generated."""
    with _unconnected_app() as served:
        out.write_text(json.dumps(served.openapi(), indent=1) + "\n", encoding="utf-8")


@contextmanager
def _unconnected_app() -> Iterator[FastAPI]:
    """The application as it is built, without a database; no key and no log stays behind."""
    import tempfile

    from llm_banking.app import create_app
    from llm_banking.kit.logs import configure_logging
    from llm_banking.settings import Settings

    with tempfile.TemporaryDirectory() as home:
        urls = {"database_url": "postgresql://none", "redis_url": "redis://none"}
        settings = Settings.model_validate({**urls, "LLM_BANKING_HOME": home})
        yield create_app(settings)
        configure_logging(settings.log_level, None)


@nlu_app.command("labels")
def nlu_labels(as_json: Json = False) -> None:
    """List every label with its layer and category."""
    from llm_banking.nlu.taxonomy import INTENTS

    rows = [{"name": one.name, "layer": one.layer.value, "category": one.category.value} for one in INTENTS]
    if as_json:
        _print(rows)
        return
    for row in rows:
        typer.echo(f"{row['name']:50} {row['layer']:12} {row['category']}")


@nlu_app.command("read")
def nlu_read(text: str, as_json: Json = False, model: ModelFolder = None) -> None:
    """Read one text: intent, confidence, whether it is ours."""
    from llm_banking.nlu.reader import Reader

    reading = Reader.open(model).read(text)
    if as_json:
        _print(reading.as_dict())
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
        _fail(f"--restrict takes banking77, not '{restrict}'.")
    texts, labels = load_rows(source)
    report = evaluate_rows(Reader.open(model), texts, labels, restrict_to_support=restrict is not None)
    if as_json:
        _print(report)
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
        _print(document)
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
        _fail(f"{error.name} is not installed. Install the extra: pip install 'llm-banking[train]'.")
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


@proof_app.command("rate-limits")
def proof_rate_limits(
    seconds: Annotated[float, typer.Option(min=1, help="Length of each scenario.")] = 60.0,
    clients: Annotated[int, typer.Option(min=1, max=1_000, help="Clients at once.")] = 64,
    out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("results"),
) -> None:
    """Drive four workers from many clients while Redis dies, hangs or forgets; exit 1 where a limit did not hold."""
    import signal
    import sys

    from llm_banking.proof.rate_limits import RESULTS_FILE, run_rate_limits, shown

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended on the way out
    document = run_rate_limits(out / RESULTS_FILE, seconds, clients)
    typer.echo(shown(document))
    if not document["holds"]:
        raise typer.Exit(1)


@proof_app.command("access-cost")
def proof_access_cost(out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("results")) -> None:
    """Time sign-ins under names that exist and that do not, and a route with its checks and bare."""
    try:
        from llm_banking.proof.access_cost import run_access_cost
    except ModuleNotFoundError as error:
        _fail(f"{error.name} is not installed. Install the extra: pip install 'llm-banking[train]'.")

    typer.echo(f"{run_access_cost(out)} written.")


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
        _fail(f"{error.name} is not installed. Install the extra: pip install 'llm-banking[train]'.")
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


if __name__ == "__main__":
    main()
