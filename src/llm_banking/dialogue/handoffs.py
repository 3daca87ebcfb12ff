"""Handoffs of a conversation as its customer's side opens and closes them; the agents' side is `agent_desk`."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.dialogue.models import Handoff
from llm_banking.kit.clock import utc_now
from llm_banking.kit.outbox import tell


async def open_handoffs(session: AsyncSession, session_ids: Collection[UUID]) -> dict[UUID, Handoff]:
    """Which of these conversations a person answers, or will; by the conversation's id."""
    query = select(Handoff).where(Handoff.session_id.in_(session_ids), Handoff.status != "closed")
    return {one.session_id: one for one in await session.scalars(query)}


async def open_handoff(session: AsyncSession, session_id: UUID) -> Handoff | None:
    """The open handoff of a conversation; while that is locked, nobody but an agent who takes it can change it."""
    return (await open_handoffs(session, [session_id])).get(session_id)


async def open_of_user(session: AsyncSession, user_id: UUID) -> int:
    """How many conversations of a customer are handed over now."""
    query = select(func.count()).select_from(Handoff).where(Handoff.user_id == user_id, Handoff.status != "closed")
    return await session.scalar(query) or 0


async def put_in_queue(session: AsyncSession, handoff: Handoff) -> None:
    """Write a new handoff and the news of it. The conversation is locked and has no open one."""
    session.add(handoff)
    await session.flush()
    announce(session, handoff, "opened")


async def close_handoff(session: AsyncSession, handoff: Handoff) -> None:
    """End a handoff and write the news of it. The conversation is locked."""
    handoff.status, handoff.closed_at = "closed", utc_now()
    await session.flush()
    announce(session, handoff, "closed")


def announce(session: AsyncSession, handoff: Handoff, what: str) -> None:
    """Write a piece of news about a handoff, `handoff.<what>`, with its ids alone."""
    payload = {"handoff_id": str(handoff.id), "session_id": str(handoff.session_id)}
    tell(session, handoff.user_id, f"handoff.{what}", payload)
