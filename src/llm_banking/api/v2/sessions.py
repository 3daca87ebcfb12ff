"""Stored conversations: list, read, rename, take back from a person, delete."""

from __future__ import annotations

from typing import Annotated, Literal, cast
from uuid import UUID

from fastapi import Query, Request

from llm_banking.api.dependencies import CallerDep, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, Model, Timestamp, metadata_of
from llm_banking.api.paging import Cursor, Limit, Page
from llm_banking.api.text import CustomerRef, ShortText
from llm_banking.dialogue import repository
from llm_banking.dialogue.handoffs import close_handoff, open_handoff, open_handoffs
from llm_banking.dialogue.models import ChatMessage, ChatSession, Handoff
from llm_banking.identity.demo import owner_of
from llm_banking.identity.principal import LimitClass, Permission, requires

routes = router("/api/v2/sessions", "sessions")


class HandoffBody(Model):
    """The person who answers instead of the assistant: called, or there."""

    id: UUID
    status: Literal["waiting", "taken"]


class SessionBody(Model):
    """A conversation. With `handoff`, a person answers in it."""

    id: UUID
    title: str
    message_count: int
    created_at: Timestamp
    last_message_at: Timestamp
    handoff: HandoffBody | None


class MessageBody(Model):
    """One message of a conversation: the customer's (`user`), the assistant's, or a person's of the bank (`agent`)."""

    id: UUID
    role: Literal["user", "assistant", "agent"]
    content: str
    intent: str | None
    confidence: float | None
    suggested_next_steps: list[str]
    created_at: Timestamp


class RenameRequest(Model):
    """The new title."""

    title: ShortText


class Deleted(Model):
    """Confirms a deletion."""

    id: UUID
    deleted: bool


def handoff_body(handoff: Handoff | None) -> HandoffBody | None:
    """What a client is told of an open handoff."""
    if handoff is None:
        return None
    return HandoffBody(id=handoff.id, status=cast("Literal['waiting', 'taken']", handoff.status))


def message_body(row: ChatMessage) -> MessageBody:
    """A stored message as clients read it."""
    return MessageBody(
        id=row.id,
        role=cast("Literal['user', 'assistant', 'agent']", row.role),
        content=row.content,
        intent=row.intent,
        confidence=row.confidence,
        suggested_next_steps=row.suggested_next_steps,
        created_at=row.created_at,
    )


def _body(chat: ChatSession, handoff: Handoff | None) -> SessionBody:
    return SessionBody(
        id=chat.id,
        title=chat.title,
        message_count=chat.message_count,
        created_at=chat.created_at,
        last_message_at=chat.last_message_at,
        handoff=handoff_body(handoff),
    )


@routes.get("")
@policy(requires(Permission.CHAT_READ))
async def list_sessions(
    request: Request,
    caller: CallerDep,
    services: ServicesDep,
    limit: Limit = 20,
    cursor: Cursor = None,
    user_id: Annotated[CustomerRef | None, Query()] = None,
) -> Envelope[Page[SessionBody]]:
    """The caller's conversations, latest first."""
    owners = {owner_of(caller, user_id)}
    async with services.database.transaction(visible_to=owners) as session:
        rows, following = await repository.list_sessions(session, owners, limit, cursor)
        handoffs = await open_handoffs(session, [row.id for row in rows])
    items = [_body(row, handoffs.get(row.id)) for row in rows]
    return Envelope(data=Page(items=items, next_cursor=following), metadata=metadata_of(request))


@routes.get("/{session_id}")
@policy(requires(Permission.CHAT_READ))
async def get_session(
    request: Request, session_id: UUID, caller: CallerDep, services: ServicesDep
) -> Envelope[SessionBody]:
    """One conversation."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        chat = await repository.get_session(session, session_id, caller.visible_user_ids)
        handoff = await open_handoff(session, session_id)
    return Envelope(data=_body(chat, handoff), metadata=metadata_of(request))


@routes.get("/{session_id}/messages")
@policy(requires(Permission.CHAT_READ))
async def list_messages(
    request: Request,
    session_id: UUID,
    caller: CallerDep,
    services: ServicesDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Envelope[Page[MessageBody]]:
    """A conversation's messages, first first."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        await repository.get_session(session, session_id, caller.visible_user_ids)
        rows, following = await repository.list_messages(session, session_id, limit, cursor)
    items = [message_body(row) for row in rows]
    return Envelope(data=Page(items=items, next_cursor=following), metadata=metadata_of(request))


@routes.patch("/{session_id}")
@policy(requires(Permission.CHAT_WRITE, LimitClass.WRITE))
async def rename_session(
    request: Request, session_id: UUID, body: RenameRequest, caller: CallerDep, services: ServicesDep
) -> Envelope[SessionBody]:
    """Give a conversation another title."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        chat = await repository.get_session(session, session_id, caller.visible_user_ids, for_update=True)
        chat.title = body.title
        handoff = await open_handoff(session, session_id)
    return Envelope(data=_body(chat, handoff), metadata=metadata_of(request))


@routes.post("/{session_id}/hand-back")
@policy(requires(Permission.CHAT_WRITE, LimitClass.WRITE))
async def take_back(
    request: Request, session_id: UUID, caller: CallerDep, services: ServicesDep
) -> Envelope[SessionBody]:
    """Go on with the assistant instead of a person. Where no person was called, nothing changes."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        chat = await repository.get_session(session, session_id, caller.visible_user_ids, for_update=True)
        handoff = await open_handoff(session, session_id)
        if handoff is not None:
            await close_handoff(session, handoff)
    return Envelope(data=_body(chat, None), metadata=metadata_of(request))


@routes.delete("/{session_id}")
@policy(requires(Permission.CHAT_WRITE, LimitClass.WRITE))
async def delete_session(
    request: Request, session_id: UUID, caller: CallerDep, services: ServicesDep
) -> Envelope[Deleted]:
    """Delete a conversation with all its messages. What waits in it for a yes is called off."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        chat = await repository.get_session(session, session_id, caller.visible_user_ids, for_update=True)
        await services.gate.void_open(session, chat.user_id, session_id)
        await session.delete(chat)
    return Envelope(data=Deleted(id=session_id, deleted=True), metadata=metadata_of(request))
