"""Running the product: the server, its database, and a question without either."""
# ruff: noqa: PLC0415, FBT002

from __future__ import annotations

import os
from typing import Annotated

import typer

from llm_banking.cli.shared import Json, app, print_json
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.imports import importing


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Server processes.")] = 1,
    demo: Annotated[bool, typer.Option("--demo", help="Demo customers and the demo principal (development).")] = False,
    worker_beside: Annotated[
        bool, typer.Option("--worker/--no-worker", help="Keep a worker process beside the server.")
    ] = True,
) -> None:
    """Serve the API and the page, with embedded PostgreSQL and Redis where no URL is set."""
    with importing():
        from llm_banking.server import ServeOptions
        from llm_banking.server import serve as run

    if demo:
        os.environ["LLM_BANKING_DEMO"] = "true"
    run(ServeOptions(host=host, port=port, workers=workers, worker=worker_beside))


@app.command()
def worker(once: Annotated[bool, typer.Option("--once", help="Do what is due now, and end.")] = False) -> None:
    """Make due payments, deliver news, release holds; `serve` starts one itself, and several at once do no harm."""
    import asyncio

    with importing():
        from llm_banking.settings import load_settings
        from llm_banking.worker import work

    asyncio.run(work(load_settings(), once=once))


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

    from llm_banking.dialogue.flow_files import load_flows
    from llm_banking.dialogue.service import guest_reply
    from llm_banking.knowledge.service import load_knowledge
    from llm_banking.nlu.reader import Reader
    from llm_banking.nlu.taxonomy import BY_NAME

    reader = Reader.open()
    intents = frozenset(BY_NAME)
    found = (load_knowledge(intents), load_flows(intents))
    reply = guest_reply(reader.read(text), *found, reader.artifact.answer_confidence)
    if as_json:
        shown = {key: value for key, value in asdict(reply).items() if key != "tracker"}
        print_json({**shown, "model_version": reader.artifact.version})
        return
    typer.echo(reply.text)
    typer.echo("\n" + "\n".join(f"  > {step}" for step in reply.next_steps))
