"""The routes of an application, through the routers that it includes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute


def api_routes(routes: Iterable[BaseRoute]) -> Iterator[APIRoute]:
    """Every route that runs a function of ours."""
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        else:
            included = getattr(route, "original_router", None)
            yield from api_routes(getattr(included, "routes", ()))


def allowed_methods(routes: Iterable[BaseRoute], path: str) -> str:
    """The Allow header of an address: the methods of every route there, or of a file where there is none."""
    found = {method for route in api_routes(routes) if route.path_regex.match(path) for method in route.methods or ()}
    return ", ".join(sorted(found or {"GET", "HEAD"}))
