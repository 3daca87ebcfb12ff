"""What an agent does: see who waits, take one, read and answer, hand back. Every call is for one agent.

It runs in a transaction of `Database.for_agent`. Nothing here knows the gate: an agent moves nobody's money.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.dialogue.errors import HandoffNotFoundError, HandoffTakenError
from llm_banking.dialogue.handoffs import announce, close_handoff
from llm_banking.dialogue.models import ChatMessage, ChatSession, Handoff
from llm_banking.kit.clock import utc_now
from llm_banking.kit.ids import uuid7
from llm_banking.kit.paging import decode_cursor, encode_cursor


def _in_hands_of(agent_id: UUID) -> ColumnElement[bool]:
    return (Handoff.taken_by == agent_id) & (Handoff.status == "taken")


async def queue(
    session: AsyncSession, agent_id: UUID, limit: int, cursor: str | None
) -> tuple[list[Handoff], str | None]:
    """A page of what waits for anybody and of what this agent has taken, oldest first, and the next page's cursor."""
    query: Select[Handoff] = select(Handoff).where(or_(Handoff.status == "waiting", _in_hands_of(agent_id)))
    if cursor is not None:
        query = query.where(tuple_(Handoff.created_at, Handoff.id) > decode_cursor(cursor))
    query = query.order_by(Handoff.created_at, Handoff.id).limit(limit + 1)
    rows = list((await session.scalars(query)).all())
    following = encode_cursor(rows[limit - 1].created_at, rows[limit - 1].id) if len(rows) > limit else None
    return rows[:limit], following


async def take(session: AsyncSession, agent_id: UUID, handoff_id: UUID) -> Handoff:
    """Take what waits; whose own it is already, gets it again. Of two agents at once one wins.

    Raises HandoffTakenError.
    """
    statement = (
        update(Handoff)
        .where(Handoff.id == handoff_id, Handoff.status == "waiting")
        .values(status="taken", taken_by=agent_id, taken_at=utc_now())
        .returning(Handoff)
    )
    taken = await session.scalar(statement)
    if taken is not None:
        announce(session, taken, "taken")
        return taken
    own = await session.scalar(select(Handoff).where(Handoff.id == handoff_id, _in_hands_of(agent_id)))
    if own is None:
        raise HandoffTakenError
    return own


async def taken_by(session: AsyncSession, agent_id: UUID, handoff_id: UUID) -> Handoff:
    """An open handoff that this agent has taken. Raises HandoffNotFoundError."""
    found = await session.scalar(select(Handoff).where(Handoff.id == handoff_id, _in_hands_of(agent_id)))
    if found is None:
        raise HandoffNotFoundError
    return found


async def answer(session: AsyncSession, agent_id: UUID, handoff_id: UUID, text: str) -> ChatMessage:
    """Write an agent's message into the conversation. Raises HandoffNotFoundError."""
    handoff, chat = await _locked(session, agent_id, handoff_id)
    message = await _say(session, agent_id, chat, text)
    announce(session, handoff, "replied")
    return message


async def hand_back(session: AsyncSession, agent_id: UUID, handoff_id: UUID, last_words: str) -> Handoff:
    """Say the last words and give the conversation back to the assistant. Raises HandoffNotFoundError."""
    handoff, chat = await _locked(session, agent_id, handoff_id)
    await _say(session, agent_id, chat, last_words)
    await close_handoff(session, handoff)
    return handoff


async def _locked(session: AsyncSession, agent_id: UUID, handoff_id: UUID) -> tuple[Handoff, ChatSession]:
    """The handoff and its conversation, locked in the order in which a customer's turn locks them."""
    found = await taken_by(session, agent_id, handoff_id)
    chat = await session.scalar(select(ChatSession).where(ChatSession.id == found.session_id).with_for_update())
    still = (
        select(Handoff)
        .where(Handoff.id == handoff_id, _in_hands_of(agent_id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    handoff = await session.scalar(still)
    if chat is None or handoff is None:
        raise HandoffNotFoundError
    return handoff, chat


async def _say(session: AsyncSession, agent_id: UUID, chat: ChatSession, text: str) -> ChatMessage:
    now = max(utc_now(), chat.last_message_at + timedelta(microseconds=1))
    message = ChatMessage(
        id=uuid7(),
        session_id=chat.id,
        role="agent",
        author_id=agent_id,
        content=text,
        suggested_next_steps=[],
        created_at=now,
    )
    chat.message_count += 1
    chat.last_message_at = now
    session.add(message)
    await session.flush()
    return message
