"""Stored conversations. Every query is scoped to the owners that the caller may see."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.dialogue.errors import MessageNotFoundError, SessionNotFoundError
from llm_banking.dialogue.models import ChatMessage, ChatSession, ModelMetrics
from llm_banking.kit.paging import decode_cursor, encode_cursor


async def get_session(
    session: AsyncSession, session_id: UUID, owner_ids: Collection[UUID], *, for_update: bool = False
) -> ChatSession:
    """One conversation of these owners, locked if asked. Raises SessionNotFoundError."""
    query = select(ChatSession).where(ChatSession.id == session_id, ChatSession.user_id.in_(owner_ids))
    if for_update:
        query = query.with_for_update()
    found = await session.scalar(query)
    if found is None:
        raise SessionNotFoundError
    return found


async def metrics_of_reply(session: AsyncSession, message_id: UUID, owner_ids: Collection[UUID]) -> ModelMetrics:
    """The metrics row of a reply in a conversation of these owners, locked. Raises MessageNotFoundError."""
    query = (
        select(ModelMetrics)
        .join(ChatMessage, ChatMessage.id == ModelMetrics.query_id)
        .join(ChatSession, ChatSession.id == ChatMessage.session_id)
        .where(ModelMetrics.query_id == message_id, ChatSession.user_id.in_(owner_ids))
        .with_for_update(of=ModelMetrics)
    )
    found = await session.scalar(query)
    if found is None:
        raise MessageNotFoundError
    return found


async def list_sessions(
    session: AsyncSession, owner_ids: Collection[UUID], limit: int, cursor: str | None
) -> tuple[list[ChatSession], str | None]:
    """A page of conversations, the latest first, and the cursor of the next page."""
    query: Select[ChatSession] = select(ChatSession).where(ChatSession.user_id.in_(owner_ids))
    if cursor is not None:
        query = query.where(tuple_(ChatSession.last_message_at, ChatSession.id) < decode_cursor(cursor))
    query = query.order_by(ChatSession.last_message_at.desc(), ChatSession.id.desc()).limit(limit + 1)
    rows = list((await session.scalars(query)).all())
    following = encode_cursor(rows[limit - 1].last_message_at, rows[limit - 1].id) if len(rows) > limit else None
    return rows[:limit], following


async def list_messages(
    session: AsyncSession, session_id: UUID, limit: int, cursor: str | None
) -> tuple[list[ChatMessage], str | None]:
    """A page of a conversation's messages, the first first, and the cursor of the next page."""
    query: Select[ChatMessage] = select(ChatMessage).where(ChatMessage.session_id == session_id)
    if cursor is not None:
        query = query.where(tuple_(ChatMessage.created_at, ChatMessage.id) > decode_cursor(cursor))
    query = query.order_by(ChatMessage.created_at, ChatMessage.id).limit(limit + 1)
    rows = list((await session.scalars(query)).all())
    following = encode_cursor(rows[limit - 1].created_at, rows[limit - 1].id) if len(rows) > limit else None
    return rows[:limit], following
