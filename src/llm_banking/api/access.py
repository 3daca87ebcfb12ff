"""Who may call what, as the routes themselves declare it: for the documents, and for the tests that try each one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from llm_banking.api.dependencies import policy_of
from llm_banking.identity.principal import Policy


@dataclass(frozen=True, slots=True)
class DeclaredRoute:
    """One method of one address, and its policy."""

    method: str
    path: str
    policy: Policy
    in_schema: bool

    @property
    def name(self) -> str:
        """`METHOD /path`, as the documents and the tests call it."""
        return f"{self.method} {self.path}"


def served(app: FastAPI) -> Iterator[BaseRoute]:
    """Everything that the application routes to, with what its included routers bring."""
    pending = list(app.routes)
    while pending:
        route = pending.pop(0)
        inner = getattr(getattr(route, "original_router", None), "routes", None)
        if inner is None:
            yield route
        else:
            pending[:0] = inner


def declared_routes(app: FastAPI) -> list[DeclaredRoute]:
    """Every method of every route, in the order of their addresses. Raises UndeclaredPolicyError."""
    found = [
        DeclaredRoute(method, route.path, policy_of(route.endpoint), route.include_in_schema)
        for route in served(app)
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    ]
    return sorted(found, key=lambda one: (one.path, one.method))
