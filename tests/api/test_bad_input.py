from __future__ import annotations

import json

import pytest
from httpx import AsyncClient

CANARY = "zebra-4471-canary"


async def post(client: AsyncClient, content: bytes, content_type: str = "application/json") -> tuple[int, dict]:
    response = await client.post("/api/v2/chat", content=content, headers={"Content-Type": content_type})
    body = response.json()
    assert set(body) == {"success", "error", "metadata"}
    assert body["success"] is False
    assert set(body["error"]) == {"code", "message", "details"}
    assert body["metadata"]["request_id"] == response.headers["X-Request-ID"]
    return response.status_code, body["error"]


@pytest.mark.parametrize(
    ("content", "status", "code", "says"),
    [
        (b"", 422, "INVALID_REQUEST", "body is needed"),
        (b"{", 400, "MALFORMED_BODY", "not valid JSON"),
        (b'{"message": "hi"', 400, "MALFORMED_BODY", "not valid JSON"),
        (b"null", 422, "INVALID_REQUEST", "body"),
        (b"[]", 422, "INVALID_REQUEST", "object"),
        (b'"hi"', 422, "INVALID_REQUEST", "object"),
        (b"{}", 422, "INVALID_REQUEST", "message is needed"),
        (b'{"message": ""}', 422, "INVALID_REQUEST", "too short"),
        (b'{"message": "  \\n "}', 422, "INVALID_REQUEST", "visible"),
        (b'{"message": "\\u200b\\u200b"}', 422, "INVALID_REQUEST", "visible"),
        (b'{"message": 7}', 422, "INVALID_REQUEST", "must be text"),
        (b'{"message": null}', 422, "INVALID_REQUEST", "must be text"),
        (b'{"message": ["hi"]}', 422, "INVALID_REQUEST", "must be text"),
        (b'{"message": NaN}', 400, "MALFORMED_BODY", "NaN"),
        (b'{"message": "hi", "context": {"is_premium": Infinity}}', 400, "MALFORMED_BODY", "infinity"),
        (b'{"message": "hi", "context": {"is_premium": 1e999}}', 400, "MALFORMED_BODY", "infinity"),
        (b'{"message": "hi", "message": "ho"}', 400, "MALFORMED_BODY", "twice"),
        (b'{"message": "hi", "context": {"channel": "web", "channel": "web"}}', 400, "MALFORMED_BODY", "twice"),
        (b'{"message": "\xff\xfe"}', 400, "MALFORMED_BODY", "UTF-8"),
        (b'{"message": "\\ud800"}', 422, "INVALID_REQUEST", "Unicode"),
        (b'{"message": "a\\u0000b"}', 422, "INVALID_REQUEST", "control"),
        (b'{"message": "hi", "session_id": "7"}', 422, "INVALID_REQUEST", "UUID"),
        (b'{"message": "hi", "user_id": "a b"}', 422, "INVALID_REQUEST", "form"),
        (b'{"message": "hi", "context": {"is_premium": "perhaps"}}', 422, "INVALID_REQUEST", "is_premium"),
        (b'{"message": "hi", "colour": 1}', 422, "INVALID_REQUEST", "not a field"),
        (b"[" * 60_000, 400, "MALFORMED_BODY", "nests"),
        (b'{"message": ' + b"9" * 50_000 + b"}", 400, "MALFORMED_BODY", "not valid JSON"),
        (b'"' + b'\\"' * 30_000, 400, "MALFORMED_BODY", "not valid JSON"),
        (json.dumps({"message": "a" * 4_001}).encode(), 422, "INVALID_REQUEST", "too long"),
        (json.dumps({"message": "a" * 100_000}).encode(), 413, "PAYLOAD_TOO_LARGE", "larger"),
    ],
)
async def test_each_bad_body_is_a_clear_error(
    client: AsyncClient, content: bytes, status: int, code: str, says: str
) -> None:
    found, error = await post(client, content)
    assert (found, error["code"]) == (status, code)
    assert says in error["message"]


async def test_another_content_type_is_named_as_the_problem(client: AsyncClient) -> None:
    status, error = await post(client, b'{"message": "hi"}', "application/x-www-form-urlencoded")
    assert (status, error["code"]) == (400, "MALFORMED_BODY")
    assert "Content-Type: application/json" in error["message"]


async def test_a_body_without_a_length_is_cut_off_at_the_limit(client: AsyncClient) -> None:
    async def endless():
        for _ in range(100):
            yield b"a" * 4_096

    response = await client.post("/api/v2/chat", content=endless(), headers={"Content-Type": "application/json"})
    assert response.status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        {"message": {CANARY: CANARY}},
        {"message": "hi", CANARY: 1},
        {"message": "hi", "user_id": f"{CANARY}!"},
        {"message": "hi", "session_id": CANARY},
        {"message": "hi", "context": {"channel": CANARY}},
        {"message": CANARY * 300},
    ],
)
async def test_a_refusal_never_echoes_the_input(client: AsyncClient, body: dict) -> None:
    response = await client.post("/api/v2/chat", json=body)
    assert response.status_code == 422
    assert CANARY not in response.text


async def test_unknown_addresses_and_methods_are_errors_in_the_envelope(client: AsyncClient) -> None:
    for method, path, status, code in (
        ("GET", "/api/v2/nowhere", 404, "NOT_FOUND"),
        ("GET", "/nowhere", 404, "NOT_FOUND"),
        ("DELETE", "/api/v2/chat", 405, "METHOD_NOT_ALLOWED"),
    ):
        response = await client.request(method, path)
        assert response.status_code == status
        assert response.json()["error"]["code"] == code
        assert response.json()["metadata"]["request_id"] == response.headers["X-Request-ID"]


async def test_a_given_request_id_is_kept_and_a_bad_one_is_replaced(client: AsyncClient) -> None:
    kept = await client.get("/health/live", headers={"X-Request-ID": "abc-123"})
    assert kept.headers["X-Request-ID"] == "abc-123"
    replaced = await client.get("/health/live", headers={"X-Request-ID": "a b\tc" * 40})
    assert len(replaced.headers["X-Request-ID"]) == 36
