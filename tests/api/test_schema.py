"""What the schema says of every route, and that the answers keep to it."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx import AsyncClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from llm_banking.api.auth.api_keys import LifetimeDays
from llm_banking.api.dependencies import policy_of
from llm_banking.api.errors import STATUS_BY_CODE
from llm_banking.api.openapi import SECURITY_SCHEMES
from llm_banking.api.routes import allowed_methods, api_routes
from llm_banking.api.text import TEXT_PATTERN, ShortText
from llm_banking.identity.api_keys import NOT_FOR_KEYS

ALWAYS = {"400", "404", "405", "408", "409", "413", "422", "429", "431", "500", "503"}


def operations(app: FastAPI) -> list[tuple[str, str, dict]]:
    return [
        (method.upper(), path, operation)
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_refusal_is_documented_in_the_shape_that_is_sent(app: FastAPI) -> None:
    responses = app.openapi()["components"]["responses"]
    for method, path, operation in operations(app):
        assert set(operation["responses"]) >= ALWAYS, (method, path)
        prefix = "Legacy" if path.startswith("/api/v1/") else ""
        for status, response in operation["responses"].items():
            if "$ref" in response:
                name = response["$ref"].removeprefix("#/components/responses/")
                model = "LegacyError" if prefix else "ErrorEnvelope"
                assert name.startswith("Legacy") == bool(prefix), (method, path, status)
                schema = responses[name]["content"]["application/json"]["schema"]
                assert schema == {"$ref": f"#/components/schemas/{model}"}
            else:
                assert int(status) < 400 or path.startswith("/health"), (method, path, status)
                assert "X-Request-ID" in response["headers"]


def test_the_schema_knows_every_status_of_the_error_table(app: FastAPI) -> None:
    described = {status for status in app.openapi()["paths"]["/api/v2/chat"]["post"]["responses"] if status >= "400"}
    assert described == {str(status) for status in STATUS_BY_CODE.values()}


JUDGE_A_CREDENTIAL = {
    *("/api/auth/login", "/api/auth/login/second-factor", "/api/auth/refresh"),
    *("/api/auth/oauth/{provider}/callback", "/api/auth/oauth/exchange"),
}
"""Public routes that look at what a caller brings in the body or in a cookie."""


def test_every_route_asks_for_the_credentials_that_its_policy_does(app: FastAPI) -> None:
    document = app.openapi()
    assert document["components"]["securitySchemes"] == SECURITY_SCHEMES
    seen = set()
    for route in api_routes(app.routes):
        if not route.include_in_schema:
            continue
        permission = policy_of(route.endpoint).permission
        for method in route.methods or ():
            operation = document["paths"][route.path][method.lower()]
            demanded = {scheme: scopes for one in operation["security"] for scheme, scopes in one.items()}
            if permission is None:
                assert demanded == {}
                judges = route.path in JUDGE_A_CREDENTIAL
                assert ("403" in operation["responses"]) == judges, route.path
            else:
                assert demanded.pop("bearer") == [permission.value]
                assert demanded == ({} if permission in NOT_FOR_KEYS else {"apiKey": [permission.value]})
                assert {"401", "403"} <= set(operation["responses"])
            seen.add(len(operation["security"]))
    assert seen == {0, 1, 2}


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/v2/sessions/00000000-0000-0000-0000-000000000000", "DELETE, GET, PATCH"),
        ("/api/auth/api-keys", "GET, POST"),
        ("/health", "GET, HEAD, POST"),
        ("/api/v1/chat", "POST"),
        ("/swagger/swagger-ui.css", "GET, HEAD"),
    ],
)
async def test_an_unanswered_method_is_told_every_other(client: AsyncClient, path: str, allowed: str) -> None:
    response = await client.put(path)
    assert response.status_code == 405
    assert response.headers["Allow"] == allowed


def test_the_methods_of_an_address_are_those_of_the_schema(app: FastAPI) -> None:
    for path, methods in app.openapi()["paths"].items():
        address = re.sub(r"{\w+}", "00000000-0000-0000-0000-000000000000", path)
        assert allowed_methods(app.routes, address) == ", ".join(sorted(method.upper() for method in methods))


@given(st.text(st.characters(codec="utf-8"), max_size=100))
def test_the_pattern_of_a_text_is_the_rule_for_it(text: str) -> None:
    try:
        TypeAdapter(ShortText).validate_python(text)
        taken = True
    except ValidationError:
        taken = False
    assert taken == (re.search(TEXT_PATTERN, text) is not None)


@pytest.mark.parametrize(
    "text", ["\u200b", "\u00ad \u3000", "\u3164", "\U000e0041", "\x85a", "a\x00", "\ufeff", "\t\n"]
)
def test_what_cannot_be_seen_is_no_text(text: str) -> None:
    assert re.search(TEXT_PATTERN, text) is None


@pytest.mark.parametrize("number", [7, 7.0])
def test_a_whole_number_may_be_written_with_a_point(number: float) -> None:
    assert TypeAdapter(LifetimeDays).validate_python(number) == 7


@pytest.mark.parametrize("number", [7.5, True, "7", 1e300, 0.0, 366.0, None])
def test_what_is_no_whole_number_of_days_is_refused(number: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(LifetimeDays).validate_python(number)


def test_a_sign_in_names_one_of_two(app: FastAPI) -> None:
    schemas = app.openapi()["components"]["schemas"]
    for name, fields in (("LoginRequest", {"email", "customer_number"}), ("StepUpAnswer", {"code", "credential"})):
        ways = schemas[name]["oneOf"]
        assert {way["required"][0] for way in ways} == fields
        for way in ways:
            absent = (fields - set(way["required"])).pop()
            assert way["properties"][absent] == {"type": "null"}


async def test_head_of_health_has_no_body(client: AsyncClient) -> None:
    response = await client.head("/health")
    assert (response.status_code, response.content) == (200, b"")
    assert UUID(response.headers["X-Request-ID"])
