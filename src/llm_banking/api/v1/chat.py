"""POST /api/v1/chat: the legacy shape, over the same turn as v2. Deprecated; use v2."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Request, Response
from pydantic import Field, JsonValue

from llm_banking.api.dependencies import CallerDep, ServicesDep, elapsed_ms, policy, router
from llm_banking.api.envelope import Model, Timestamp
from llm_banking.api.text import CustomerRef, MessageText, ShortText
from llm_banking.api.v2.chat import run_turn
from llm_banking.banking import core as banking
from llm_banking.banking.core import AccountKind
from llm_banking.dialogue.service import ENGINE
from llm_banking.identity.demo import owner_of
from llm_banking.identity.principal import Permission, requires
from llm_banking.kit.clock import utc_now

routes = router("/api/v1", "legacy")

SUCCESSOR = "/api/v2/chat"
DEPRECATED_SINCE = datetime(2026, 11, 1, tzinfo=UTC)
"""Sent as RFC 9745 has it, in Unix seconds."""


class HistoryItem(Model):
    """A turn as the client remembers it. The server's own record is what counts; this is not used."""

    role: Literal["user", "assistant"]
    content: MessageText


class LegacyRequest(Model):
    """A message from a customer. `account_id` narrows an account answer to that account's kind."""

    message: MessageText
    customer_id: CustomerRef
    session_id: UUID | None = None
    account_id: UUID | None = None
    context_type: ShortText | None = None
    conversation_history: Annotated[list[HistoryItem], Field(default_factory=list, max_length=50)]
    metadata: Annotated[dict[str, JsonValue], Field(default_factory=dict, max_length=20)]


class LegacyMetadata(Model):
    """How the reply came about."""

    customer_id: str
    session_id: UUID
    context_type: str | None
    timestamp: Timestamp
    processing_time_ms: float
    model_used: str
    model_version: str
    confidence_score: float
    intent: str


class LegacyResponse(Model):
    """The reply. `suggestions` are texts that can be sent as the next message."""

    status: Literal["success"] = "success"
    message: str
    metadata: LegacyMetadata
    suggestions: list[str]
    action_items: list[dict[str, Any]]


@routes.post("/chat", deprecated=True)
@policy(requires(Permission.CHAT_WRITE))
async def legacy_chat(
    request: Request, response: Response, body: LegacyRequest, caller: CallerDep, services: ServicesDep
) -> LegacyResponse:
    """Answer a message in the legacy shape."""
    kind: AccountKind | None = None
    if body.account_id is not None:
        owner_id = owner_of(caller, body.customer_id)
        async with services.database.transaction(visible_to={owner_id}) as session:
            kind = (await banking.get_account(session, owner_id, body.account_id)).kind
    turn = await run_turn(request, services, caller, body.message, body.customer_id, body.session_id, kind)
    response.headers["Deprecation"] = f"@{int(DEPRECATED_SINCE.timestamp())}"
    response.headers["Link"] = f'<{SUCCESSOR}>; rel="successor-version"'
    return LegacyResponse(
        message=turn.reply.text,
        metadata=LegacyMetadata(
            customer_id=body.customer_id,
            session_id=turn.session_id,
            context_type=body.context_type,
            timestamp=utc_now(),
            processing_time_ms=elapsed_ms(request),
            model_used=ENGINE,
            model_version=turn.model_version,
            confidence_score=round(turn.reply.confidence, 6),
            intent=turn.reply.intent,
        ),
        suggestions=list(turn.reply.next_steps),
        action_items=[],
    )
