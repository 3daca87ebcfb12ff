"""Figures, rendered documents and the schema."""
# ruff: noqa: PLC0415

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llm_banking.cli.shared import app, fail

if TYPE_CHECKING:
    from fastapi import FastAPI


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
        fail("\n".join(problems))


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
    infrastructure: Annotated[Path, typer.Option(help="Document that says what outlives a crash.")] = Path(
        "docs/06-infrastructure.md"
    ),
) -> None:
    """Write the rendered parts of the documents, from the figures and the code and from nothing else."""
    from llm_banking.api.access import declared_routes
    from llm_banking.proof.access import write_access
    from llm_banking.proof.crash_report import write_crashes
    from llm_banking.proof.report import write_evidence
    from llm_banking.proof.understanding_report import write_understanding

    write_evidence(results, readme, intents)
    write_understanding(results, understanding, card)
    write_crashes(results, infrastructure)
    with _unconnected_app() as served:
        write_access(security, [(one.method, one.path, one.policy.permission) for one in declared_routes(served)])
    written = ", ".join(str(path) for path in (readme, intents, understanding, card, security, infrastructure))
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
