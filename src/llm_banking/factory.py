"""What a server process loads first, and what it makes the application with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llm_banking.kit.imports import importing

if TYPE_CHECKING:
    from fastapi import FastAPI


def create_app() -> FastAPI:
    """As `app.create_app`, of which this imports all there is. Raises what that raises."""
    with importing():
        from llm_banking.app import create_app as create  # noqa: PLC0415 - it is what is done without collections

    return create()
