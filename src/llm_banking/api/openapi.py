"""The API's schema: what FastAPI finds, with every refusal, its headers and each route's credentials added here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi import FastAPI
from starlette.routing import BaseRoute

from llm_banking.api.dependencies import policy_of
from llm_banking.api.envelope import ErrorEnvelope, LegacyError, is_legacy
from llm_banking.api.errors import STATUS_BY_CODE
from llm_banking.api.routes import api_routes
from llm_banking.identity.api_keys import NOT_FOR_KEYS
from llm_banking.identity.principal import Policy

Document = dict[str, Any]

SECURITY_SCHEMES: Document = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token of POST /api/auth/login; an API key is taken here too.",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "A key of POST /api/auth/api-keys.",
    },
}
_STATUS_NAMES = {
    400: "MalformedBody",
    401: "Unauthenticated",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "RequestTimeout",
    409: "Conflict",
    413: "PayloadTooLarge",
    422: "InvalidRequest",
    429: "RateLimitExceeded",
    431: "HeadersTooLarge",
    500: "Internal",
    503: "Unavailable",
}
_ONLY_WITH_CREDENTIALS = frozenset({401, 403})
_REQUEST_ID = {
    "description": "Equals `request_id` in the body and in the log.",
    "required": True,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
}
_RETRY_AFTER = {
    "description": "Seconds to wait (RFC 9110, section 10.2.3).",
    "required": True,
    "schema": {"type": "integer", "minimum": 0},
}
_HEADERS_BY_STATUS: dict[int, Document] = {
    401: {
        "WWW-Authenticate": {
            "description": "The scheme to sign in with (RFC 6750, section 3).",
            "required": True,
            "schema": {"type": "string", "pattern": "^Bearer"},
        }
    },
    405: {
        "Allow": {
            "description": "The methods that this address answers.",
            "required": True,
            "schema": {"type": "string", "pattern": "^[A-Z]+(, [A-Z]+)*$"},
        }
    },
    429: {"Retry-After": _RETRY_AFTER},
    503: {"Retry-After": _RETRY_AFTER},
}


class Application(FastAPI):
    """FastAPI with a schema that names what every route may answer and what it asks of its caller."""

    def openapi(self) -> Document:
        """The schema (OpenAPI 3.1), made once. Raises UndeclaredPolicyError."""
        if self.openapi_schema is None:
            document = super().openapi()
            complete(document, self.routes)
            self.openapi_schema = document
        return self.openapi_schema


def complete(document: Document, routes: Iterable[BaseRoute]) -> None:
    """Add the refusals, the security schemes and every operation's demands to what FastAPI made."""
    components = document["components"]
    schemas = components["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for model in (ErrorEnvelope, LegacyError):
        made = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(made.pop("$defs", {}))
        schemas[model.__name__] = made
    components["schemas"] = dict(sorted(schemas.items()))
    components["securitySchemes"] = SECURITY_SCHEMES
    components["headers"] = {"X-Request-ID": _REQUEST_ID}
    components["responses"] = {
        _response_name(status, legacy=legacy): _refusal(status, legacy=legacy)
        for legacy in (False, True)
        for status in _STATUS_NAMES
    }
    for route in api_routes(routes):
        if route.include_in_schema:
            for method in route.methods or ():
                _complete_operation(
                    document["paths"][route.path][method.lower()], route.path, policy_of(route.endpoint)
                )


def _complete_operation(operation: Document, path: str, declared: Policy) -> None:
    """An operation's own responses stay; every other refusal that can happen on it is added."""
    responses = operation["responses"]
    named = {int(status) for status in responses}
    ours = {status: response for status, response in responses.items() if not _is_refusal(response)}
    for status in _STATUS_NAMES:
        if declared.permission is not None or status in named or status not in _ONLY_WITH_CREDENTIALS:
            name = _response_name(status, legacy=is_legacy(path))
            ours.setdefault(str(status), {"$ref": f"#/components/responses/{name}"})
    for response in ours.values():
        if "$ref" not in response:
            response.setdefault("headers", {})["X-Request-ID"] = {"$ref": "#/components/headers/X-Request-ID"}
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "header":
            _without_null(parameter["schema"])
    operation["responses"] = dict(sorted(ours.items()))
    operation["security"] = _security(declared)


def _without_null(schema: Document) -> None:
    """A header that is not sent is absent, never null."""
    kept = [one for one in schema.pop("anyOf", ()) if one != {"type": "null"}]
    for one in kept[:1]:
        schema.update(one)


def _security(declared: Policy) -> list[Document]:
    """One of these credentials, with the permission that it must carry (OpenAPI 3.1, 4.8.30)."""
    if declared.permission is None:
        return []
    schemes = ["bearer"] if declared.permission in NOT_FOR_KEYS else ["bearer", "apiKey"]
    return [{scheme: [declared.permission.value]} for scheme in schemes]


def _is_refusal(response: Document) -> bool:
    """Whether FastAPI was told no more of a response than that it is an error."""
    return any(name in str(response.get("content")) for name in ("/HTTPValidationError", "/ErrorEnvelope"))


def _response_name(status: int, *, legacy: bool) -> str:
    return f"{'Legacy' if legacy else ''}{_STATUS_NAMES[status]}"


def _refusal(status: int, *, legacy: bool) -> Document:
    model = LegacyError if legacy else ErrorEnvelope
    codes = ", ".join(code for code, of in STATUS_BY_CODE.items() if of == status)
    return {
        "description": codes,
        "headers": {
            "X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"},
            **_HEADERS_BY_STATUS.get(status, {}),
        },
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}},
    }
