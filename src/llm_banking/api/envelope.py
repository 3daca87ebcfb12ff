"""The shape of every success and every error below /api/v2."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, PlainSerializer

from llm_banking.kit.clock import rfc3339, utc_now

Timestamp = Annotated[datetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]
"""RFC 3339, UTC, milliseconds."""


T = TypeVar("T")


class Model(BaseModel):
    """Strict base of every body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


def one_of(first: str, second: str) -> dict[str, Any]:
    """What a model's schema says where exactly one of two optional fields has to be given."""
    return {
        "oneOf": [
            {"required": [given], "properties": {given: {"not": {"type": "null"}}, absent: {"type": "null"}}}
            for given, absent in ((first, second), (second, first))
        ]
    }


class Metadata(Model):
    """Carried by every response body; `request_id` equals the X-Request-ID header and the log line."""

    request_id: str
    timestamp: Timestamp
    version: str


class Envelope(Model, Generic[T]):
    """A success."""

    success: Literal[True] = True
    data: T
    metadata: Metadata


class ErrorBody(Model):
    """A stable code, and a message that names the problem and the remedy."""

    code: str
    message: str
    details: dict[str, Any]


class ErrorEnvelope(Model):
    """A failure."""

    success: Literal[False] = False
    error: ErrorBody
    metadata: Metadata


class LegacyError(Model):
    """A failure below /api/v1/."""

    status: Literal["error"] = "error"
    error_code: str
    message: str
    details: dict[str, Any]
    request_id: str


def is_legacy(path: str) -> bool:
    """Whether errors of an address have the legacy shape."""
    return path.startswith("/api/v1/")


def product_version() -> str:
    """The installed package's version."""
    return version("llm-banking")


def metadata_of(request: Request) -> Metadata:
    """Metadata of the response to a request."""
    return Metadata(
        request_id=request.scope["state"]["request_id"], timestamp=utc_now(), version=request.scope["state"]["version"]
    )
