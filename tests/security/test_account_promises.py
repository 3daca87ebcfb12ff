"""What accounts, passwords and requests promise, and no other test says: chapters V2, V6, V7 and V8 of ASVS 5.0."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from sqlalchemy import update

from llm_banking.identity.models import User
from llm_banking.identity.refresh import PREFIX
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, Scope

PASSWORD = "Plum Kettle orbits the QUIET harbour, " + "nine violet ladders stand under a loud fridge; "
LONG = (PASSWORD + "forty grey walnuts roll by")[:128]
IDENTITY = Path(__file__).parents[2] / "src" / "llm_banking" / "identity"
GUESSABLE = {"random", "uuid1", "uuid3", "uuid5", "getnode"}
OPEN_OBJECTS = {"credential", "metadata"}
"""A passkey's answer, which WebAuthn Level 3 defines (section 5.1), and the legacy chat's notes, read by nothing."""
_places = count(1)


async def registered(client: AsyncClient, password: str) -> str:
    email = f"{uuid4().hex}@example.com"
    body = {"email": email, "password": password, "display_name": "Zoe Quill"}
    assert (await client.post("/api/auth/register", json=body)).status_code == 202
    return email


async def sign_in(app: FastAPI, email: str, password: str) -> Any:
    """The answer to a sign-in from a place of its own, so that no failure makes the next attempt wait."""
    transport = ASGITransport(app, raise_app_exceptions=False, client=(f"198.51.100.{next(_places)}", 4711))
    async with AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.post("/api/auth/login", json={"email": email, "password": password})


async def test_a_password_is_taken_as_it_is_sent(app: FastAPI, client: AsyncClient) -> None:
    """ASVS 5.0, 6.2.8: every character counts, to the last of 128, and so does its case."""
    assert len(PASSWORD) < len(LONG) <= 128
    email = await registered(client, LONG)
    others = [LONG.lower(), LONG.upper(), LONG.swapcase(), LONG[:-1], LONG[:72], LONG[:64], LONG + "x", LONG + " "]
    others += [" " + LONG, LONG.replace(" ", ""), LONG.replace(",", "")]
    for other in others:
        assert other != LONG
        assert (await sign_in(app, email, other)).status_code == 401
    assert (await sign_in(app, email, LONG)).status_code == 200


async def test_a_password_grows_no_older(app: FastAPI, client: AsyncClient, database: Database) -> None:
    """ASVS 5.0, 6.2.10: nobody has to change a password because time went by."""
    email = await registered(client, LONG)
    long_ago = utc_now() - timedelta(days=3_650)
    async with database.transaction(scope=Scope.IDENTITY) as session:
        await session.execute(
            update(User).where(User.email == email).values(created_at=long_ago, password_changed_at=long_ago)
        )
    assert (await sign_in(app, email, LONG)).status_code == 200


async def test_a_refresh_token_is_256_random_bits(app: FastAPI, client: AsyncClient) -> None:
    email = await registered(client, LONG)
    tokens = {(await sign_in(app, email, LONG)).json()["data"]["refresh_token"] for _ in range(3)}
    assert len(tokens) == 3
    assert {len(token.removeprefix(PREFIX)) for token in tokens} == {43}, "43 characters of base64url are 256 bits"


def guessable(source: str) -> set[str]:
    """Names in a source that make values somebody could guess."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {part for alias in node.names for part in alias.name.split(".")}
            found |= set((getattr(node, "module", None) or "").split("."))
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
    return found & GUESSABLE


def test_no_secret_of_identity_comes_from_a_guessable_source() -> None:
    """ASVS 5.0, 6.5.3 and 7.2.3. Demo ids may be derived: they are names, and no secrets."""
    sources = sorted(IDENTITY.rglob("*.py"))
    assert len(sources) > 20
    found = {path.name: guessable(path.read_text(encoding="utf-8")) for path in sources}
    assert {name: what for name, what in found.items() if what} == {"demo.py": {"uuid5"}}


@pytest.mark.parametrize(
    "source",
    ["import random", "from random import choice", "from uuid import uuid1", "import numpy\nnumpy.random.bytes(4)"],
)
def test_the_check_sees_a_guessable_source(source: str) -> None:
    assert guessable(source)


def bodies(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object that a request may hold, however deep, with the name of its field or model."""
    models = schema["components"]["schemas"]
    pending: list[tuple[str, Any]] = []
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            content = operation.get("requestBody", {}).get("content", {})
            pending += [(path, one["schema"]) for one in content.values()]
    seen: set[str] = set()
    while pending:
        name, node = pending.pop()
        if "$ref" in node:
            name = node["$ref"].rpartition("/")[2]
            if name in seen:
                continue
            seen.add(name)
            node = models[name]
        pending += [(name, one) for key in ("anyOf", "allOf", "oneOf") for one in node.get(key, [])]
        pending += [(name, node["items"])] if "items" in node else []
        pending += list(node.get("properties", {}).items())
        if node.get("type") == "object":
            yield name, node


def open_bodies(schema: dict[str, Any]) -> list[str]:
    """Objects of requests that take fields which they do not name."""
    return [name for name, node in bodies(schema) if node.get("additionalProperties", True) is not False]


def test_no_request_takes_a_field_that_it_does_not_name(app: FastAPI) -> None:
    """ASVS 5.0, 8.2.3: nobody gives an object more than the request offers."""
    schema = app.openapi()
    assert sum(1 for _ in bodies(schema)) > 10
    assert set(open_bodies(schema)) <= OPEN_OBJECTS


def test_the_check_sees_an_open_request() -> None:
    planted = FastAPI()

    @planted.post("/thing")
    async def thing(body: dict[str, int]) -> None: ...

    assert open_bodies(planted.openapi()) == ["/thing"]


@pytest.mark.parametrize("extra", [{"account_type": "admin"}, {"permissions": ["admin:write"]}, {"status": "active"}])
async def test_nobody_registers_with_more_than_a_customer_has(client: AsyncClient, extra: dict[str, Any]) -> None:
    body = {"email": f"{uuid4().hex}@example.com", "password": LONG, "display_name": "Zoe Quill", **extra}
    response = await client.post("/api/auth/register", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (422, "INVALID_REQUEST")


def test_nobody_is_asked_for_a_hint_or_a_secret_question(app: FastAPI) -> None:
    """ASVS 5.0, 6.4.2."""
    fields = {field for _, node in bodies(app.openapi()) for field in node.get("properties", {})}
    assert {"email", "old_password", "refresh_token"} <= fields
    assert [field for field in fields if any(word in field for word in ("hint", "question", "maiden"))] == []
