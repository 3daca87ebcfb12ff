"""Heads and bodies that are too large, too many or too slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from hypothesis import given
from hypothesis import settings as property_settings
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from llm_banking.api import http_protocol
from llm_banking.api.http_protocol import MAX_HEAD_BYTES, BoundedHttpProtocol
from llm_banking.api.middleware import BodyGuard, HeadGuard
from llm_banking.settings import Settings
from tests.conftest import changed_app


@pytest.fixture
async def impatient(app: FastAPI, settings: Settings) -> AsyncIterator[AsyncClient]:
    """A client of an application that waits a moment for a body."""
    async with (
        changed_app(app, settings, body_timeout_s=0.2) as hurried,
        AsyncClient(transport=ASGITransport(hurried), base_url="http://test") as client,
    ):
        yield client


@pytest.mark.parametrize("path", ["/api/v2/chat", "/api/v1/chat", "/api/v2/nowhere", "/health"])
async def test_a_body_that_does_not_arrive_is_given_up(impatient: AsyncClient, path: str) -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b'{"message": '
        await asyncio.Event().wait()

    response = await impatient.post(path, content=stalled(), headers={"Content-Type": "application/json"})
    assert response.status_code == 408
    assert response.headers["Connection"] == "close"
    assert "REQUEST_TIMEOUT" in response.text
    assert response.headers["X-Request-ID"] in response.text
    assert (await impatient.post("/api/v2/chat", json={"message": "hello"})).status_code == 200


async def test_a_deadline_of_the_application_itself_is_not_taken_for_the_bodys() -> None:
    async def late(*_: object) -> None:
        raise TimeoutError

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: object) -> None: ...

    guard = BodyGuard(late, max_body_bytes=10, max_json_depth=2, body_timeout_s=1)
    with pytest.raises(TimeoutError):
        await guard({"type": "http", "method": "POST", "headers": [], "path": "/"}, receive, send)


async def test_a_head_that_is_too_large_is_an_error_in_the_envelope(client: AsyncClient, settings: Settings) -> None:
    for headers, path in (
        ({"X-Padding": "a" * settings.max_header_bytes}, "/api/v2/intents"),
        ({f"X-{number}": "a" for number in range(settings.max_headers)}, "/api/v2/intents"),
        ({}, "/api/v2/intents?q=" + "a" * settings.max_header_bytes),
    ):
        response = await client.get(path, headers=headers)
        assert response.status_code == 431
        assert response.json()["error"]["code"] == "HEADERS_TOO_LARGE"
        assert response.json()["metadata"]["request_id"] == response.headers["X-Request-ID"]
        assert "aaaa" not in response.text
    assert (await client.get("/api/v2/intents", headers={"X-Padding": "a" * 1_000})).status_code == 200


@property_settings(deadline=None)
@given(
    st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=40)), max_size=14),
    st.binary(max_size=60),
    st.binary(max_size=60),
)
def test_a_head_passes_exactly_up_to_its_limits(headers: list[tuple[bytes, bytes]], path: bytes, query: bytes) -> None:
    passed: list[object] = []

    async def inner(*_: object) -> None:
        passed.append(True)

    async def send(_: object) -> None: ...

    state = {"request_id": "1", "version": "1"}
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "server": ("test", 80), "state": state}
    scope |= {"raw_path": path, "query_string": query, "headers": headers}
    with pytest.raises(StopIteration):  # it waits for nothing, so it needs no loop
        HeadGuard(inner, max_header_bytes=300, max_headers=10)(scope, send, send).send(None)  # type: ignore[arg-type]
    size = len(path) + len(query) + sum(len(name) + len(value) for name, value in headers)
    assert bool(passed) == (size <= 300 and len(headers) <= 10)


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = str(size).encode()
    length = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(protocol: type[asyncio.Protocol], seen: list[uvicorn.Server] | None = None) -> AsyncIterator[int]:
    """A server on a port of its own."""
    config = uvicorn.Config(echo, port=0, http=protocol, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    if seen is not None:
        seen.append(server)
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def talk(port: int, *parts: bytes) -> bytes:
    """All that the server says to some bytes until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


GET = b"GET / HTTP/1.1\r\nHost: test\r\n"
POST = b"POST / HTTP/1.1\r\nHost: test\r\n"
LAST = b"Connection: close\r\n\r\n"


async def test_requests_in_a_row_and_a_large_body_are_served() -> None:
    large = 3 * MAX_HEAD_BYTES
    async with serving(BoundedHttpProtocol) as port:
        said = await talk(port, *[GET + b"\r\n"] * 3, GET + LAST)
        assert said.count(b"HTTP/1.1 200") == 4
        said = await talk(port, POST + f"Content-Length: {large}\r\n".encode() + LAST, b"a" * large)
        assert said.endswith(f"\r\n\r\n{large}".encode())
        said = await talk(port, *[bytes([byte]) for byte in GET + LAST])
        assert b"HTTP/1.1 200" in said


@pytest.mark.parametrize(
    "endless",
    [
        [GET + b"X-Padding: ", *[b"a" * 4_096] * 40],
        [GET, *[b"X-Padding: a\r\n" * 300] * 40],
        [b"GET /", *[b"a" * 4_096] * 40],
        [GET + b"\r\n", GET + b"X-Padding: ", *[b"a" * 4_096] * 400],
    ],
    ids=["one header", "many headers", "address", "second request"],
)
async def test_a_head_that_does_not_end_is_cut_off(endless: list[bytes]) -> None:
    async with serving(BoundedHttpProtocol) as port:
        with suppress(ConnectionError):  # it may close while we are still writing
            assert b"HTTP/1.1 431" in await talk(port, *endless)
        assert b"HTTP/1.1 200" in await talk(port, GET + LAST)


async def test_the_parser_alone_has_no_such_limit() -> None:
    async with serving(HttpToolsProtocol) as port:
        said = await talk(port, GET + b"X-Padding: ", *[b"a" * 4_096] * 40, b"\r\n" + LAST)
    assert b"HTTP/1.1 200" in said


@pytest.mark.parametrize("parts", [[], [GET], [b"G"]], ids=["silence", "half a head", "one letter"])
async def test_a_head_that_does_not_arrive_is_given_up(monkeypatch: pytest.MonkeyPatch, parts: list[bytes]) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_TIMEOUT_S", 0.05)
    async with serving(BoundedHttpProtocol) as port:
        assert await talk(port, *parts) == b""


async def test_the_clock_of_a_head_stops_when_it_is_whole() -> None:
    seen: list[uvicorn.Server] = []
    async with serving(BoundedHttpProtocol, seen) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        connections = seen[0].server_state.connections
        while not connections:  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.01)
        (protocol,) = connections
        assert isinstance(protocol, BoundedHttpProtocol)
        assert protocol._head_deadline is not None
        writer.write(POST + b"Content-Length: 2\r\n" + LAST)
        while protocol.cycle is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert protocol._head_deadline is None
        writer.write(b"ab")
        assert b"HTTP/1.1 200" in await asyncio.wait_for(reader.read(), 10)
        writer.close()


async def test_an_address_that_is_no_text_is_an_error_in_the_envelope(app: FastAPI) -> None:
    """Bytes above 127 in a query: the parser takes them, so an error must be told without reading them as text."""
    said = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    scope = {"type": "http", "method": "GET", "path": "/api/v2/nowhere", "raw_path": b"/api/v2/nowhere", "headers": []}
    await app({**scope, "query_string": b"\x80", "http_version": "1.1", "scheme": "http"}, receive, send)  # type: ignore[arg-type]
    assert said[0]["status"] == 404
    assert b"NOT_FOUND" in said[1]["body"]
