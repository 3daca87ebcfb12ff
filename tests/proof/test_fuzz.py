"""The fuzzer's verdict, and that it sees what is planted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Body, FastAPI, Response
from pydantic import BaseModel

from llm_banking.proof import fuzz
from llm_banking.proof.access_cost import serving
from llm_banking.proof.fuzz import Caller, Hunt, hunt, summary

schemathesis = pytest.importorskip("schemathesis", reason="Schemathesis is not installed")


def a_hunt(**changes: Any) -> Hunt:
    report: dict[str, Any] = {
        "running_time": 1.0,
        "complete": True,
        "operations": {"total": 3, "tested": 3},
        "phases": {},
        "test_cases": {"generated": 100},
        "failures": [],
        "errors": [],
    }
    return Hunt("somebody", {**report, **changes}, "")


SERVED = {"requests": 200, "server_errors": 0}
FAILURE = {"title": "Server error", "code": "ST101", "operations": ["GET /a"]}


def test_a_clean_run_has_no_problem() -> None:
    document = summary([a_hunt(), a_hunt()], SERVED, seed=1, least_cases=200)
    assert document["problems"] == []
    assert (document["cases"], document["operations"]) == (200, 3)
    assert {"not_a_server_error", "ignored_auth", "refused_for_its_value_alone", "hidden_from_the_neighbour"} <= set(
        document["checks"]
    )
    assert len(document["checks"]) >= 16


@pytest.mark.parametrize(
    ("changes", "served", "least_cases"),
    [
        ({"failures": [FAILURE]}, SERVED, 100),
        ({"errors": ["GET /a"]}, SERVED, 100),
        ({"complete": False}, SERVED, 100),
        ({"operations": {"total": 3, "tested": 2}}, SERVED, 100),
        ({}, SERVED, 101),
        ({}, {"requests": 99, "server_errors": 0}, 100),
        ({}, {"requests": 100, "server_errors": 1}, 100),
    ],
)
def test_everything_else_is_a_problem(changes: dict[str, Any], served: dict[str, int], least_cases: int) -> None:
    assert len(summary([a_hunt(**changes)], served, seed=1, least_cases=least_cases)["problems"]) == 1


def test_a_caller_shows_no_credential() -> None:
    assert "secret" not in repr(Caller("somebody", 1, {"users": ["secret"]}))


class Number(BaseModel):
    number: int


def planted() -> FastAPI:
    """One fault for each kind that a schema can tell, and one route without any."""
    app = FastAPI()

    @app.post("/nul")
    async def breaks_on_a_nul_byte(message: Annotated[str, Body(embed=True)]) -> Number:
        if "\x00" in message:
            raise RuntimeError
        return Number(number=1)

    @app.get("/liar", response_model=Number)
    async def answers_something_else() -> Response:
        return Response('{"number": "one"}', media_type="application/json")

    @app.get("/teapot")
    async def answers_what_is_not_documented(response: Response) -> Number:
        response.status_code = 418
        return Number(number=1)

    @app.post("/picky")
    async def refuses_what_is_right(number: Annotated[int, Body(embed=True)]) -> Response:
        body = '{"error": {"details": {"fields": ["number"]}}}'
        return Response(body, status_code=422 if number > 100 else 200, media_type="application/json")

    @app.post("/lax", openapi_extra={"requestBody": {"content": {"application/json": {"schema": {"type": "integer"}}}}})
    async def takes_what_is_wrong() -> Number:
        return Number(number=1)

    @app.get("/open", openapi_extra={"security": [{"bearer": []}]})
    async def asks_for_nothing() -> Number:
        return Number(number=1)

    @app.get("/good")
    async def keeps_its_word() -> Number:
        return Number(number=1)

    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        document["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        return document

    app.openapi = openapi  # type: ignore[method-assign]
    return app


@pytest.fixture
def address() -> Iterator[str]:
    with serving(planted()) as url:
        yield url


@pytest.mark.slow
def test_every_planted_fault_is_found(address: str, tmp_path: Path) -> None:
    found = hunt(address, Caller("nobody", 40, {}), tmp_path, seed=fuzz.SEED)
    seen = {
        (failure["type"], place.split(" ")[1])
        for failure in found.report["failures"]
        for place in failure["operations"]
    }
    assert {
        ("ServerError", "/nul"),
        ("JsonSchemaError", "/liar"),
        ("UndefinedStatusCode", "/teapot"),
        ("RejectedPositiveData", "/picky"),
        ("AcceptedNegativeData", "/lax"),
        ("IgnoredAuth", "/open"),
    } <= seen, found.log
    assert "/good" not in {place for _, place in seen}
    assert "refused_for_its_value_alone" in found.log
    assert found.report["complete"]
