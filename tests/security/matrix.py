"""The access matrix: every route, every kind of caller, their own things and somebody else's.

What must happen follows from the route's declared policy and from the table of roles; only how to make a request is
written by hand (`recipes.py`). Each check finds problems and returns them in words, so that a test can also plant a
fault and see that it is found.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import Mount

from llm_banking.api.access import served
from llm_banking.api.dependencies import UndeclaredPolicyError, caller_of, enforce_policy, policy_of
from llm_banking.api.errors import STATUS_BY_CODE
from llm_banking.api.pages import MOUNTS
from llm_banking.identity.api_keys import NOT_FOR_KEYS
from llm_banking.identity.principal import Policy
from tests.security.recipes import RECIPES, Recipe
from tests.security.stage import CANARY, Actor, Caller, Stage, callers

CALLERS = callers(NOT_FOR_KEYS)
TIMESTAMP = re.compile(rb'"timestamp":"[^"]*"')
ADD_IT = "add it to RECIPES in tests/security/recipes.py"


@dataclass
class Findings:
    """How many requests were looked at, and what was wrong with them."""

    checks: int = 0
    problems: list[str] = field(default_factory=list)

    def say(self, *what: object) -> None:
        self.problems.append(": ".join(str(one) for one in what))


def route_of(app: FastAPI, name: str) -> APIRoute:
    """The route with this name. Raises StopIteration where there is none."""
    method, path = name.split(" ")
    return next(
        route
        for route in served(app)
        if isinstance(route, APIRoute) and route.path == path and method in (route.methods or ())
    )


# What is declared


def undeclared(app: FastAPI, recipes: Mapping[str, Recipe] = RECIPES) -> list[str]:
    """Every route without a policy, a recipe or a place in the schema, each by its name; and recipes of no route."""
    schema = app.openapi()["paths"]
    described = {f"{method.upper()} {path}" for path, methods in schema.items() for method in methods}
    found, problems = set[str](), []
    for route in served(app):
        if isinstance(route, APIRoute):
            names = {f"{method} {route.path}" for method in route.methods or ()}
            found |= names
            problems += [f"{name}: {what}" for name in sorted(names) for what in _undeclared(name, route, recipes)]
            problems += [
                f"{name}: undeclared route: not in the schema, and its recipe does not say why (hidden)"
                for name in sorted(names - described)
                if not recipes.get(name, Recipe(hidden="said")).hidden
            ]
        elif not isinstance(route, Mount) or route.path not in MOUNTS:
            problems.append(f"{getattr(route, 'path', route)}: served outside of the routes that can have a policy")
    problems += [f"{name}: in the schema, but nothing answers there" for name in sorted(described - found)]
    problems += [f"{name}: a recipe for a route that is gone; take it out" for name in sorted(set(recipes) - found)]
    return problems


def _undeclared(name: str, route: APIRoute, recipes: Mapping[str, Recipe]) -> Iterator[str]:
    try:
        declared = policy_of(route.endpoint)
    except UndeclaredPolicyError:
        yield "no policy; put @policy(...) on its function"
        return
    if enforce_policy not in [one.dependency for one in route.dependencies]:
        yield "does not enforce its policy; make its router with api.dependencies.router"
    if declared.permission is None and _takes_the_caller(route.dependant):
        yield "lets anyone in, yet takes the caller"
    recipe = recipes.get(name)
    if recipe is None:
        yield f"undeclared route; {ADD_IT}"
    elif recipe.hidden and declared.permission is not None:
        yield "hidden from the schema, yet not for anyone"


def _takes_the_caller(dependant: Dependant) -> bool:
    return dependant.call is caller_of or any(_takes_the_caller(one) for one in dependant.dependencies)


def unnamed_ids(app: FastAPI, recipes: Mapping[str, Recipe] = RECIPES) -> list[str]:
    """Every id that a request can carry by the schema and whose recipe does not say what it names, and the reverse."""
    document, problems = app.openapi(), []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {path}"
            recipe = recipes.get(name, Recipe())
            there, said = set(_ids_of(document, operation)), set(recipe.ids)
            problems += [f"{name}: {place}: an id that the recipe does not name" for place in sorted(there - said)]
            problems += [f"{name}: {place}: named by the recipe, not in the schema" for place in sorted(said - there)]
            words = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
            filled = {place.removeprefix("path.") for place in said if place.startswith("path.")} | set(recipe.path)
            problems += [f"{name}: path.{word}: the recipe does not fill it" for word in sorted(words - filled)]
    return problems


def _ids_of(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[str]:
    for one in operation.get("parameters", ()):
        if _is_id(document, one["name"], one["schema"]):
            yield f"{one['in']}.{one['name']}"
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body is not None:
        yield from _ids_within(document, "body", body, frozenset())


def _ids_within(document: dict[str, Any], place: str, schema: dict[str, Any], seen: frozenset[str]) -> Iterator[str]:
    for one in _alternatives(document, schema, seen):
        for name, inner in one.get("properties", {}).items():
            if _is_id(document, name, inner):
                yield f"{place}.{name}"
            yield from _ids_within(document, f"{place}.{name}", inner, seen | _references(one, schema))


def _references(*schemas: dict[str, Any]) -> frozenset[str]:
    return frozenset(one["$ref"] for schema in schemas for one in (schema, *schema.get("anyOf", ())) if "$ref" in one)


def _alternatives(
    document: dict[str, Any], schema: dict[str, Any], seen: frozenset[str] = frozenset()
) -> Iterator[dict[str, Any]]:
    """A schema, or each that it may be, with references followed; not those that led here."""
    reference = schema.get("$ref")
    if reference is not None:
        if reference not in seen:
            found = document["components"]["schemas"][reference.rpartition("/")[2]]
            yield from _alternatives(document, found, seen | {reference})
        return
    yield schema
    for word in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(word, ()):
            yield from _alternatives(document, one, seen)
    if isinstance(schema.get("items"), dict):
        yield from _alternatives(document, schema["items"], seen)


def _is_id(document: dict[str, Any], name: str, schema: dict[str, Any]) -> bool:
    plain = any(one.get("type") == "string" for one in _alternatives(document, schema))
    uuid = any(one.get("format") == "uuid" for one in _alternatives(document, schema))
    return uuid or (plain and (name == "id" or name.endswith("_id")))


# What happens


def split(policy: Policy) -> tuple[list[Caller], list[Caller]]:
    """Those who may call a route of this policy, and those who may not."""
    allowed = [one for one in CALLERS if policy.permission is None or policy.permission in one.permissions]
    return allowed, [one for one in CALLERS if one not in allowed]


def planned(app: FastAPI, name: str) -> dict[str, int]:
    """How many requests each check of a route makes."""
    allowed, refused = split(policy_of(route_of(app, name).endpoint))
    return {"refused": len(refused), "own": len(allowed), "foreign": 2 * len(allowed) * len(RECIPES[name].ids)}


async def who_may_not(stage: Stage, name: str) -> Findings:
    """Callers without the permission are told so and nothing else; nothing is written, and nothing is read for them."""
    policy, found = policy_of(route_of(stage.app, name).endpoint), Findings()
    _, refused = split(policy)
    actors = await stage.add(refused, without=RECIPES[name].without)
    requests = [(one, await _request(stage, name, one, {})) for one in actors]
    before = await stage.fingerprint()
    for actor, request in requests:
        with stage.listening() as statements:
            response = await stage.send(**request)
        found.checks += 1
        for problem in (*_not_refused(policy, actor, response), *_read(actor, statements)):
            found.say(name, actor.caller.name, problem)
    if await stage.fingerprint() != before:
        found.say(name, "a refused request changed the database")
    return found


def _not_refused(policy: Policy, actor: Actor, response: httpx.Response) -> Iterator[str]:
    if policy.permission is None:
        yield "nobody is refused by this policy"
        return
    code = "UNAUTHENTICATED" if actor.caller.anonymous else "FORBIDDEN"
    if (response.status_code, _code(response)) != (STATUS_BY_CODE[code], code):
        yield f"{response.status_code} {_code(response)} instead of {code}"
    elif code == "FORBIDDEN" and _message(response) != f"This needs the permission {policy.permission.value}.":
        yield "refused, but not by the policy"
    if code == "UNAUTHENTICATED" and response.headers.get("WWW-Authenticate") != "Bearer":
        yield "no word on how to sign in"
    if CANARY.search(response.text):
        yield "a refusal that tells something"


def _read(actor: Actor, statements: list[str]) -> Iterator[str]:
    """What was read for somebody who is refused. A key itself must be read."""
    for statement in statements:
        of_a_key = "set_config" in statement or "FROM api_keys JOIN users" in statement
        if actor.caller.scope is None or not of_a_key:
            yield f"the database was asked before the refusal: {' '.join(statement.split())[:80]}"


async def own_things(stage: Stage, name: str) -> Findings:
    """Callers with the permission get a success on what is their own, or the documented error; never others' words."""
    recipe, found = RECIPES[name], Findings()
    allowed, _ = split(policy_of(route_of(stage.app, name).endpoint))
    stranger, *actors = await stage.add([CALLERS[1], *allowed])
    actors = await stage.add(allowed, without=recipe.without) if recipe.without else actors
    for actor in actors:
        response = await stage.send(**await _request(stage, name, actor, {}))
        found.checks += 1
        expected = recipe.own or recipe.answers(actor.caller)
        if not _is(response, expected):
            found.say(
                name,
                actor.caller.name,
                "own",
                f"{response.status_code} {_code(response)}, not {expected or 'a success'}",
            )
        for leak in () if recipe.shows_others else _leaks(response, actor, stranger):
            found.say(name, actor.caller.name, "own", leak)
    return found


async def foreign_things(stage: Stage, name: str) -> Findings:
    """To callers with the permission, somebody else's thing is as if it were not there, and stays as it is."""
    recipe, found = RECIPES[name], Findings()
    allowed, _ = split(policy_of(route_of(stage.app, name).endpoint))
    (stranger,) = await stage.add([CALLERS[1]])
    for place, thing in recipe.ids.items():
        theirs = stranger.object_id(thing.table)
        await stage.change(thing.table, theirs, thing.having)
        asking = await stage.add(allowed, without=recipe.without)
        guessing = await stage.add(allowed, without=recipe.without)
        before = await stage.rows_of(stranger)
        for asks, guesses in zip(asking, guessing, strict=True):
            await stage.change(thing.table, theirs, thing.having)
            answer = await stage.send(**await _request(stage, name, asks, {place: theirs}))
            nothing = await stage.send(**await _request(stage, name, guesses, {place: uuid4()}))
            found.checks += 2
            expected = recipe.answers(asks.caller) or thing.refusal
            told = _reaches if thing.anyones else _tells_apart
            leaks = () if recipe.shows_others else _leaks(answer, asks, stranger)
            for problem in (*told(expected, answer, nothing), *leaks):
                found.say(name, asks.caller.name, f"{place} of somebody else", problem)
        if not thing.anyones and await stage.rows_of(stranger) != before:
            found.say(name, f"{place} of somebody else", "their rows were changed")
    return found


def _reaches(refusal: str | None, answer: httpx.Response, nothing: httpx.Response) -> Iterator[str]:
    """How a route that acts on anybody's thing does not: somebody else's is reached, and one that is not, refused."""
    for response, what, expected in ((answer, "theirs", None), (nothing, "none", refusal)):
        if not _is(response, expected):
            yield f"{what}: {response.status_code} {_code(response)}, not {expected or 'a success'}"


def _tells_apart(refusal: str | None, answer: httpx.Response, nothing: httpx.Response) -> Iterator[str]:
    """How the answer for somebody else's thing differs from what it must be: the answer for one that there is not."""
    for response, what in ((answer, "theirs"), (nothing, "none")):
        if not _is(response, refusal):
            yield f"{what}: {response.status_code} {_code(response)}, not {refusal or 'a success'}"
    if refusal is None:
        if answer.status_code != nothing.status_code or _shape(answer.json()) != _shape(nothing.json()):
            yield "not answered as for one that there is not"
    elif _bytes(answer) != _bytes(nothing):
        yield "not byte for byte what is said of one that there is not"


def _bytes(response: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """All of a response but its time; the request's id is the same in all requests."""
    return response.status_code, sorted(response.headers.items()), TIMESTAMP.sub(b"", response.content)


def _shape(document: Any) -> Any:
    """Which fields there are and of which kind, without their values."""
    if isinstance(document, dict):
        return {name: _shape(value) for name, value in document.items()}
    return [_shape(one) for one in document] if isinstance(document, list) else type(document).__name__


def _leaks(response: httpx.Response, actor: Actor, stranger: Actor) -> Iterator[str]:
    """Words or ids of others in an answer. Everybody's words carry a mark of their own."""
    said = f"{response.text} {dict(response.headers)}"
    if set(CANARY.findall(said)) - {actor.canary}:
        yield "shows words of somebody else"
    if any(one in said for one in stranger.ids()):
        yield "shows an id of somebody else"


def _is(response: httpx.Response, code: str | None) -> bool:
    """Whether an answer is this error, or a success where there shall be none."""
    if code is None:
        return 200 <= response.status_code < 400
    return (response.status_code, _code(response)) == (STATUS_BY_CODE[code], code)


def _document(response: httpx.Response) -> dict[str, Any]:
    try:
        found = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _code(response: httpx.Response) -> str:
    """The error's code, in either shape; nothing for what is no error."""
    document = _document(response)
    return str(document.get("error", {}).get("code") or document.get("error_code") or "")


def _message(response: httpx.Response) -> str:
    document = _document(response)
    return str(document.get("error", {}).get("message") or document.get("message") or "")


async def _request(stage: Stage, name: str, actor: Actor, instead: Mapping[str, UUID]) -> dict[str, Any]:
    """A valid request of this person, about their own things but for those that others stand in for."""
    recipe = RECIPES[name]
    method, path = name.split(" ")
    ids = {place: actor.object_id(thing.table) for place, thing in recipe.ids.items()} | dict(instead)
    put, body = ids, None
    if callable(recipe.body):
        body = await recipe.body(stage, actor, ids)
        put = {place: value for place, value in ids.items() if place in instead or not place.startswith("body.")}
    elif recipe.body is not None:
        body = copy.deepcopy(recipe.body)
    query = dict(recipe.query)
    words = dict(recipe.path)
    for place, value in put.items():
        where, *names = place.split(".")
        if where == "path":
            words[names[0]] = str(value)
        elif where == "query":
            query[names[0]] = str(value)
        else:
            body = {} if body is None else body
            inner = body
            for one in names[:-1]:
                inner = inner.setdefault(one, {})
            inner[names[-1]] = str(value)
    headers = {**recipe.headers, **actor.headers}
    return {"method": method, "path": path.format(**words), "query": query, "body": body, "headers": headers}
