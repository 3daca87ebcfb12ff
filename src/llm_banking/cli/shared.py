"""What every command shares: the application they hang on, and how they answer."""

from __future__ import annotations

import json
from typing import Annotated, Any, NoReturn

import typer

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="A conversational assistant for banks.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def fail(message: str) -> NoReturn:
    """Say on standard error what is wrong, and end with 1."""
    typer.echo(f"error: {message}", err=True)
    raise SystemExit(1)


def print_json(document: Any) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(document, ensure_ascii=False, indent=1))
