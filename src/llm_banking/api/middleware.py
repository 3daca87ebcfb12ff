"""Pure ASGI middleware: request id, log line, timing, metrics, the last catch, and limits on heads and bodies."""

from __future__ import annotations

import asyncio
import json
import math
import re
import time
from typing import Any, NoReturn

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llm_banking.api.errors import error_response, internal_error
from llm_banking.kit.ids import uuid7
from llm_banking.kit.logs import get_logger
from llm_banking.kit.metrics import Metrics

_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{\]}]', re.DOTALL)
"""A string up to its end or the text's (so that no start is tried twice), or a bracket."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestContext:
    """Outermost: gives each request an id, times it, counts it, logs it, and answers 500 when all else failed."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, version: str) -> None:
        self._app = app
        self._metrics = metrics
        self._version = version
        self._log = get_logger("llm_banking.request")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid7())
        scope.setdefault("state", {}).update(request_id=request_id, started=started, version=self._version)
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            except Exception:  # noqa: BLE001 - the last catch: logged in full, answered generically
                self._log.exception("unhandled error", method=scope["method"], route=_route_of(scope))
                if not status:
                    await internal_error(Request(scope))(scope, receive, send_with_id)
            finally:
                taken_s = time.perf_counter() - started
                self._metrics.observe_request(_method_of(scope), _route_of(scope), status or 499, taken_s)
                self._log.info(
                    "request",
                    method=_method_of(scope),
                    route=_route_of(scope),
                    status=status or 499,
                    duration_ms=round(taken_s * 1000, 3),
                )


def _method_of(scope: Scope) -> str:
    """The method, or OTHER: what a client invents must not become a metric label or a log field."""
    known = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    return scope["method"] if scope["method"] in known else "OTHER"


def _route_of(scope: Scope) -> str:
    """The route's template, never the raw path: it has few values and holds nothing of the customer."""
    route = scope.get("route")
    return getattr(route, "path", None) or "unmatched"


class HeadGuard:
    """Refuses a request whose address and headers are too many bytes, or whose headers are too many (431, RFC 6585)."""

    def __init__(self, app: ASGIApp, *, max_header_bytes: int, max_headers: int) -> None:
        self._app = app
        self._max_header_bytes = max_header_bytes
        self._max_headers = max_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request's head, then pass it on."""
        if scope["type"] == "http" and self._too_large(scope):
            message = (
                f"The address and headers are larger than {self._max_header_bytes} bytes, or more than "
                f"{self._max_headers} headers. Send less."
            )
            await error_response(Request(scope), "HEADERS_TOO_LARGE", message)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _too_large(self, scope: Scope) -> bool:
        headers = scope["headers"]
        if len(headers) > self._max_headers:
            return True
        address = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        return address + sum(len(name) + len(value) for name, value in headers) > self._max_header_bytes


class BodyGuard:
    """Reads the whole body within limits and checks that it is strict JSON before anything else sees it.

    Refused: too slow an arrival (408), too many bytes (413), invalid UTF-8, NaN and infinities, a key twice in one
    object, too deep nesting, another content type (400). RFC 8259 leaves these open; we do not.
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, max_json_depth: int, body_timeout_s: float) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._max_json_depth = max_json_depth
        self._body_timeout_s = body_timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check one request's body, then pass it on."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            async with asyncio.timeout(self._body_timeout_s):
                body = await self._read(Headers(scope=scope), receive)
        except TimeoutError:
            message = f"The body did not arrive within {self._body_timeout_s:g} seconds. Send it again."
            response = error_response(request, "REQUEST_TIMEOUT", message, headers={"Connection": "close"})
            await response(scope, receive, send)
            return
        if body is None:
            message = f"The body is larger than {self._max_body_bytes} bytes. Send less."
            await error_response(request, "PAYLOAD_TOO_LARGE", message)(scope, receive, send)
            return
        checked = body and scope["path"].startswith("/api/")
        problem = self._problem(Headers(scope=scope), body) if checked else None
        if problem is not None:
            await error_response(request, "MALFORMED_BODY", problem)(scope, receive, send)
            return
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes | None:
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._max_body_bytes:
            return None
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return b"".join(chunks)
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self._max_body_bytes:
                return None
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)

    def _problem(self, headers: Headers, body: bytes) -> str | None:
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return "Send the body as JSON, with the header Content-Type: application/json."
        try:
            text = body.decode("utf-8")
            if _depth(text) > self._max_json_depth:
                return f"The body nests deeper than {self._max_json_depth} levels."
            json.loads(text, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_refuse_twins)
        except _StrictJsonError as error:
            return str(error)
        except UnicodeDecodeError:
            return "The body is not valid UTF-8."
        except ValueError:
            return "The body is not valid JSON."
        return None


class _StrictJsonError(Exception):
    pass


def _refuse_constant(_: str) -> NoReturn:
    raise _StrictJsonError("The body holds NaN or an infinity, which JSON does not have.")


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _refuse_constant(digits)


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _StrictJsonError("The body names a key twice in one object.")
    return found


def _depth(text: str) -> int:
    """Deepest nesting of brackets outside strings."""
    deepest = depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        if match.group() in ("[", "{"):
            depth += 1
            deepest = max(deepest, depth)
        elif match.group() in ("]", "}"):
            depth -= 1
    return deepest
