"""One table from error code to HTTP status, and one rendering of every error."""

from __future__ import annotations

from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from llm_banking.api.envelope import ErrorBody, ErrorEnvelope, LegacyError, is_legacy, metadata_of
from llm_banking.api.routes import allowed_methods
from llm_banking.identity.errors import UnauthenticatedError
from llm_banking.kit.errors import LlmBankingError

STATUS_BY_CODE = {
    "INVALID_REQUEST": 422,
    "MALFORMED_BODY": 400,
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "CONFLICT": 409,
    "LIMIT_EXCEEDED": 409,
    "INSUFFICIENT_FUNDS": 409,
    "PENDING_EXPIRED": 409,
    "IDEMPOTENCY_IN_FLIGHT": 409,
    "IDEMPOTENCY_MISMATCH": 422,
    "STEP_UP_REQUIRED": 403,
    "RATE_LIMIT_EXCEEDED": 429,
    "REQUEST_TIMEOUT": 408,
    "PAYLOAD_TOO_LARGE": 413,
    "HEADERS_TOO_LARGE": 431,
    "RATE_LIMIT_UNAVAILABLE": 503,
    "INTENT_CLASSIFICATION_FAILED": 503,
    "DATABASE_UNAVAILABLE": 503,
    "PROVIDER_UNAVAILABLE": 503,
    "INTERNAL": 500,
}
RETRY_AFTER_S = 2
"""What a 503 asks for where nothing better is known."""
_CODE_BY_STATUS = {400: "MALFORMED_BODY", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}
_MESSAGE_BY_CODE = {
    "MALFORMED_BODY": "The body is not valid JSON.",
    "NOT_FOUND": "There is nothing at this address. See /docs for the routes.",
    "METHOD_NOT_ALLOWED": "This address does not answer that method; the Allow header names those it does.",
    "INTERNAL": "Something went wrong on our side. Quote the request id when you report it.",
}
_PROBLEMS = {
    "missing": "is needed",
    "extra_forbidden": "is not a field of this request; see /docs",
    "string_type": "must be text",
    "string_unicode": "must be valid Unicode",
    "string_too_short": "is too short",
    "string_too_long": "is too long",
    "string_pattern_mismatch": "has the wrong form",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "too_long": "has too many items",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "literal_error": "is not one of the allowed values; see /docs",
    "enum": "is not one of the allowed values; see /docs",
    "greater_than_equal": "is too small",
    "less_than_equal": "is too large",
    "invisible_text": "needs at least one visible character",
    "control_characters": "holds control characters",
    "one_sign_in_name": "needs an e-mail or a customer number, and not both",
}
"""Pydantic's error types in our words: its own messages may quote the input, ours never do."""


def error_response(
    request: Request,
    code: str,
    message: str,
    details: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """An error in the envelope; in the legacy shape below /api/v1/."""
    status = STATUS_BY_CODE[code]
    metadata = metadata_of(request)
    body: LegacyError | ErrorEnvelope
    if is_legacy(request.scope["path"]):
        body = LegacyError(error_code=code, message=message, details=details or {}, request_id=metadata.request_id)
    else:
        body = ErrorEnvelope(error=ErrorBody(code=code, message=message, details=details or {}), metadata=metadata)
    return JSONResponse(body.model_dump(mode="json"), status_code=status, headers=headers)


def validation_details(error: RequestValidationError) -> list[dict[str, str]]:
    """Which field has which problem, without a word of the input: an unknown field is not named either."""
    found = []
    for problem in error.errors():
        place = ".".join(str(part) for part in problem["loc"] if part != "body")
        if problem["type"] == "extra_forbidden":
            place = "(unknown)"
        found.append({"field": place or "body", "problem": _PROBLEMS.get(problem["type"], "is not valid")})
    return found


def install_error_handlers(app: FastAPI) -> None:
    """Route every error of the application through `error_response`."""

    async def on_domain_error(request: Request, error: Exception) -> JSONResponse:
        error = cast("LlmBankingError", error)
        if STATUS_BY_CODE.get(error.code, 500) == 500:
            raise error
        return error_response(request, error.code, error.message, error.details, _headers_of(error))

    async def on_validation_error(request: Request, error: Exception) -> JSONResponse:
        fields = validation_details(cast("RequestValidationError", error))
        first = fields[0]
        message = f"The request cannot be used: {first['field']} {first['problem']}."
        return error_response(request, "INVALID_REQUEST", message, {"fields": fields})

    async def on_http_error(request: Request, error: Exception) -> JSONResponse:
        error = cast("HTTPException", error)
        code = _CODE_BY_STATUS.get(error.status_code, "INTERNAL")
        headers = dict(error.headers) if error.headers else {}
        if code == "METHOD_NOT_ALLOWED":
            headers["Allow"] = allowed_methods(request.app.routes, request.scope["path"])
        return error_response(request, code, _MESSAGE_BY_CODE[code], headers=headers)

    app.add_exception_handler(LlmBankingError, on_domain_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_error)


def _headers_of(error: LlmBankingError) -> dict[str, str] | None:
    """What a client is told beside the body: how to sign in, or when to come again."""
    if isinstance(error, UnauthenticatedError):
        return {"WWW-Authenticate": error.challenge}
    if error.retry_after_s is not None or STATUS_BY_CODE[error.code] == 503:
        return {"Retry-After": str(error.retry_after_s or RETRY_AFTER_S)}
    return None


def internal_error(request: Request) -> JSONResponse:
    """The generic answer to an unforeseen failure."""
    return error_response(request, "INTERNAL", _MESSAGE_BY_CODE["INTERNAL"])
