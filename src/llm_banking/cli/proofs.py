"""`llm-banking proof`: proofs on this machine."""
# ruff: noqa: PLC0415, FBT002

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llm_banking.cli.shared import app, fail

proof_app = typer.Typer(no_args_is_help=True, help="Proofs on this machine; each takes minutes.")
app.add_typer(proof_app, name="proof")


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


@proof_app.command("ledger")
def proof_ledger(
    operations: Annotated[int, typer.Option(min=1_000, help="Random operations.")] = 1_000_000,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("results"),
) -> None:
    """Compare the ledger with a model of it over random operations; about 20 minutes a million."""
    from llm_banking.proof.ledger import RESULTS_FILE, run_ledger

    document = run_ledger(out / RESULTS_FILE, operations, seed)
    typer.echo(f"{document['operations']} operations in {document['seconds']} s: the ledger did as its model.")


@proof_app.command("ledger-load")
def proof_ledger_load(
    seconds: Annotated[float, typer.Option(min=1, help="Length of each load.")] = 60.0,
    clients: Annotated[int, typer.Option(min=1, max=64, help="Clients at once.")] = 16,
    out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("results"),
) -> None:
    """Move money from many clients at once, and run pgbench beside it; exit 1 where a total changed."""
    from llm_banking.proof.ledger_load import RESULTS_FILE, run_ledger_load

    document = run_ledger_load(out / RESULTS_FILE, seconds, clients)
    typer.echo(f"{document['transfers_per_s']} transfers a second, p99 {document['ms']['p99']} ms.")


@proof_app.command("crashes")
def proof_crashes(
    kills: Annotated[int, typer.Option(min=1, help="Kills; with --unsafe at most.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Of victims, moments and payments.")] = 20_261_121,
    unsafe: Annotated[bool, typer.Option("--unsafe", help="With synchronous_commit off: must find a loss.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("results"),
) -> None:
    """Kill PostgreSQL and the servers at random under load; exit 1 where anything acknowledged was lost or done twice.

    With --unsafe it is the other way round: exit 1 where nothing was found lost.
    """
    import signal
    import sys

    from llm_banking.proof.crashes import RESULTS_FILE, UNSAFE_RESULTS_FILE, run_crashes, shown

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended on the way out
    document = run_crashes(out / (UNSAFE_RESULTS_FILE if unsafe else RESULTS_FILE), kills, seed, unsafe=unsafe)
    typer.echo(shown(document))
    if unsafe and document["holds"]:
        typer.echo("With synchronous_commit off acknowledged operations were lost, and the loss was found: as it must.")
    if not document["holds"]:
        fail("No loss was found, though one must be." if unsafe else "This does not hold, or not in time: see above.")


@proof_app.command("access-cost")
def proof_access_cost(out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("results")) -> None:
    """Time sign-ins under names that exist and that do not, and a route with its checks and bare."""
    try:
        from llm_banking.proof.access_cost import run_access_cost
    except ModuleNotFoundError as error:
        fail(f"{error.name} is not installed. Install the extra: pip install 'llm-banking[train]'.")

    typer.echo(f"{run_access_cost(out)} written.")
