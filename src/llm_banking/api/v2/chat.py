"""POST /api/v2/chat: one customer turn."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from fastapi import Request
from pydantic import StrictBool

from llm_banking.api.dependencies import CallerDep, ServicesDep, elapsed_ms, policy, router
from llm_banking.api.envelope import Envelope, Model, Timestamp, metadata_of
from llm_banking.api.text import CustomerRef, MessageText, ShortText
from llm_banking.api.v2.sessions import HandoffBody, handoff_body
from llm_banking.banking.core import AccountKind
from llm_banking.dialogue.service import ENGINE, PERSON_ENGINE, Turn, handle_turn
from llm_banking.dialogue.tracker import Shown
from llm_banking.identity.demo import owner_of
from llm_banking.identity.principal import LimitClass, Permission, requires

routes = router("/api/v2", "chat")


class ChatContext(Model):
    """Hints about where the customer is. They narrow an answer and never widen what the caller may see."""

    account_type: AccountKind | None = None
    is_premium: StrictBool | None = None
    channel: Literal["web", "mobile", "call_centre", "third_party"] | None = None
    language: ShortText | None = None


class ChatRequest(Model):
    """A message, and where it belongs. Without `session_id` a new conversation starts."""

    message: MessageText
    user_id: CustomerRef | None = None
    session_id: UUID | None = None
    context: ChatContext | None = None


class CitationBody(Model):
    """What the reply rests on."""

    kind: Literal["knowledge", "account", "case"]
    id: str
    text: str


class RequestBody(Model):
    """One thing the message asks for, and the words of it that do."""

    intent: str
    confidence: float
    text: str


class ChatMetadata(Model):
    """How the reply came about. `requests` are those of the message in the order of mention, one at least."""

    processing_time_ms: float
    model_version: str
    engine: str
    in_scope: bool
    cached: bool
    requests: list[RequestBody]


class PendingBody(Model):
    """An operation that the reply shows and that waits for its owner. `requires`: a factor, of which one is proved.

    Where `requires` is empty, a yes as the very next message approves it; POST /api/v2/chat/confirmations/{id} always.
    """

    id: UUID
    kind: str
    summary: str
    expires_at: Timestamp
    requires: list[str]


class ChatData(Model):
    """A reply. Each suggested next step is a text that, sent as a message, does what it says.

    With `handoff`, a person answers from now on: their words are messages of the conversation with the role `agent`.
    The assistant then keeps the customer's messages for them (`metadata.engine` is `agent`) and says so once; after
    that `response` is empty, and `message_id` is the customer's own message.
    """

    response: str
    intent: str
    confidence: float
    suggested_next_steps: list[str]
    session_id: UUID
    message_id: UUID
    pending: PendingBody | None = None
    handoff: HandoffBody | None = None
    citations: list[CitationBody]
    metadata: ChatMetadata


@routes.post("/chat")
@policy(requires(Permission.CHAT_WRITE))
async def chat(request: Request, body: ChatRequest, caller: CallerDep, services: ServicesDep) -> Envelope[ChatData]:
    """Answer a message. Everything is committed before the reply leaves."""
    account_kind = body.context.account_type if body.context else None
    turn = await run_turn(request, services, caller, body.message, body.user_id, body.session_id, account_kind)
    reply = turn.reply
    data = ChatData(
        response=reply.text,
        intent=reply.intent,
        confidence=round(reply.confidence, 6),
        suggested_next_steps=list(reply.next_steps),
        session_id=turn.session_id,
        message_id=turn.message_id,
        pending=_pending_body(reply.pending),
        handoff=handoff_body(reply.handoff),
        citations=[CitationBody(kind=one.kind, id=one.id, text=one.text) for one in reply.citations],
        metadata=ChatMetadata(
            processing_time_ms=elapsed_ms(request),
            model_version=turn.model_version,
            engine=PERSON_ENGINE if reply.by_person else ENGINE,
            in_scope=reply.in_scope,
            cached=False,
            requests=[
                RequestBody(intent=one.intent, confidence=round(one.confidence, 6), text=one.text)
                for one in turn.requests
            ],
        ),
    )
    return Envelope(data=data, metadata=metadata_of(request))


def _pending_body(shown: Shown | None) -> PendingBody | None:
    if shown is None:
        return None
    return PendingBody(
        id=shown.id,
        kind=shown.kind,
        summary=shown.summary,
        expires_at=shown.expires_at,
        requires=list(shown.requires),
    )


async def run_turn(
    request: Request,
    services: ServicesDep,
    caller: CallerDep,
    message: str,
    named: str | None,
    session_id: UUID | None,
    account_kind: AccountKind | None,
) -> Turn:
    """Read the message, then answer it in one transaction that is committed when this returns.

    A yes in words is a confirmation: while the limits on those are not counted, it is not taken.
    """
    owner_id = owner_of(caller, named)
    visible = caller.visible_user_ids if named is None else frozenset({owner_id})
    reading, read_ms = await services.read(message)
    async with services.database.transaction(visible_to=visible) as session:
        return await handle_turn(
            session,
            caller=caller,
            owner_id=owner_id,
            visible_owner_ids=visible,
            session_id=session_id,
            reading=reading,
            read_ms=read_ms,
            knowledge=services.knowledge,
            flows=services.flows,
            gate=services.gate,
            handoff_rules=services.handoff_rules,
            answer_confidence=services.reader.artifact.answer_confidence,
            account_kind=account_kind,
            takes_yes=services.limits.takes(request.scope, LimitClass.CONFIRMATION),
        )
