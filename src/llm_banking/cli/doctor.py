"""`llm-banking doctor`: whether this installation is as it should be."""
# ruff: noqa: PLC0415, FBT002

from __future__ import annotations

from dataclasses import asdict

import typer

from llm_banking.cli.shared import Json, app, print_json


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check configuration, services, durability, model and ledger; exit 1 on a finding, which names its remedy."""
    from llm_banking.doctor import examine

    checks = examine()
    well = all(check.finding is None for check in checks)
    if as_json:
        print_json({"ok": well, "checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            word = "ok" if check.finding is None else "FINDING"
            typer.echo(f"{word:<9} {check.name:<14} {check.finding or ''}".rstrip())
    if not well:
        raise typer.Exit(1)
