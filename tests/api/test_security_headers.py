from __future__ import annotations

import re

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from llm_banking.api.pages import CONTENT_SECURITY_POLICY
from llm_banking.api.security_headers import HEADERS, NO_DOCUMENT_POLICY, STRICT_TRANSPORT_SECURITY
from llm_banking.settings import Environment, Settings
from tests.conftest import changed_app

ANSWERS = [
    ("GET", "/health", 200),
    ("GET", "/metrics", 200),
    ("GET", "/openapi.json", 200),
    ("GET", "/docs", 200),
    ("GET", "/api/v2/intents", 200),
    ("POST", "/api/v2/chat", 422),
    ("GET", "/api/v2/sessions/7", 422),
    ("GET", "/api/v2/nowhere", 404),
    ("GET", "/nowhere", 404),
    ("GET", "/assets/nothing.js", 404),
    ("DELETE", "/api/v2/chat", 405),
]


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
async def test_every_answer_carries_the_headers(client: AsyncClient, method: str, path: str, status: int) -> None:
    response = await client.request(method, path)
    assert response.status_code == status
    for name, value in HEADERS.items():
        assert len(response.headers.get_list(name)) == 1, name
        if name != "Content-Security-Policy":
            assert response.headers[name] == value
    assert response.headers["Strict-Transport-Security"] == STRICT_TRANSPORT_SECURITY
    assert (response.headers.get("Cache-Control") == "no-store") == path.startswith("/api/")
    if path != "/docs":
        assert response.headers["Content-Security-Policy"] == NO_DOCUMENT_POLICY


async def test_an_unforeseen_failure_carries_them_too(client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("llm_banking.api.v2.chat.handle_turn", fail)
    response = await client.post("/api/v2/chat", json={"message": "hello"})
    assert response.status_code == 500
    assert {*map(str.lower, HEADERS)} <= {*response.headers}
    assert response.headers["Cache-Control"] == "no-store"


async def test_a_page_keeps_the_policy_that_it_brings(client: AsyncClient) -> None:
    page = await client.get("/")
    if page.status_code == 200:
        assert page.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    documentation = await client.get("/docs")
    policy = documentation.headers["Content-Security-Policy"]
    assert (
        len(re.findall(r"'sha256-[A-Za-z0-9+/]{43}='", policy)) == len(re.findall("<script>", documentation.text)) == 1
    )
    assert "unsafe" not in policy


async def test_in_development_no_browser_is_told_to_insist_on_https(app: FastAPI, settings: Settings) -> None:
    async with (
        changed_app(app, settings, environment=Environment.DEVELOPMENT) as developing,
        AsyncClient(transport=ASGITransport(developing), base_url="http://test") as client,
    ):
        response = await client.get("/health/live")
    assert "Strict-Transport-Security" not in response.headers
    assert response.headers["X-Content-Type-Options"] == "nosniff"
