"""Stored conversations: list, read, rename, delete."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request

from llm_banking.api.dependencies import CallerDep, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, Model, Timestamp, metadata_of
from llm_banking.api.paging import Cursor, Limit, Page
from llm_banking.api.text import CustomerRef, ShortText
from llm_banking.dialogue import repository
from llm_banking.dialogue.models import ChatSession
from llm_banking.identity.demo import owner_of
from llm_banking.identity.principal import LimitClass, Permission, requires

routes = router("/api/v2/sessions", "sessions")


class SessionBody(Model):
    """A conversation."""

    id: UUID
    title: str
    message_count: int
    created_at: Timestamp
    last_message_at: Timestamp


class MessageBody(Model):
    """One message of a conversation."""

    id: UUID
    role: str
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


def _body(chat: ChatSession) -> SessionBody:
    return SessionBody(
        id=chat.id,
        title=chat.title,
        message_count=chat.message_count,
        created_at=chat.created_at,
        last_message_at=chat.last_message_at,
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
    return Envelope(data=Page(items=[_body(row) for row in rows], next_cursor=following), metadata=metadata_of(request))


@routes.get("/{session_id}")
@policy(requires(Permission.CHAT_READ))
async def get_session(
    request: Request, session_id: UUID, caller: CallerDep, services: ServicesDep
) -> Envelope[SessionBody]:
    """One conversation."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        chat = await repository.get_session(session, session_id, caller.visible_user_ids)
    return Envelope(data=_body(chat), metadata=metadata_of(request))


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
    items = [
        MessageBody(
            id=row.id,
            role=row.role,
            content=row.content,
            intent=row.intent,
            confidence=row.confidence,
            suggested_next_steps=row.suggested_next_steps,
            created_at=row.created_at,
        )
        for row in rows
    ]
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
    return Envelope(data=_body(chat), metadata=metadata_of(request))


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
