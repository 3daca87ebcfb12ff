"""The agents' desk: who waits for a person, take one, read it, answer, hand it back to the assistant."""

from __future__ import annotations

from typing import Literal, cast
from uuid import UUID

from fastapi import Request

from llm_banking.api.dependencies import CallerDep, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, Model, Timestamp, metadata_of
from llm_banking.api.paging import Cursor, Limit, Page
from llm_banking.api.text import MessageText
from llm_banking.api.v2.sessions import MessageBody, message_body
from llm_banking.dialogue import agent_desk, repository
from llm_banking.dialogue.handoff_summary import masked
from llm_banking.dialogue.models import ChatMessage, Handoff
from llm_banking.dialogue.wording import HANDED_BACK
from llm_banking.identity.principal import LimitClass, Permission, requires

routes = router("/api/v2/agent", "agent desk")


class DeskItem(Model):
    """A conversation that was handed over. `summary` has a line for each thing, and no card number or other secret."""

    id: UUID
    session_id: UUID
    reason: Literal["request", "failure", "policy"]
    status: Literal["waiting", "taken", "closed"]
    summary: str
    created_at: Timestamp
    taken_at: Timestamp | None
    closed_at: Timestamp | None


class DeskConversation(Model):
    """A handoff in the caller's hands, and a page of the conversation's messages, the first first, secrets masked."""

    handoff: DeskItem
    messages: Page[MessageBody]


class ReplyRequest(Model):
    """What the customer is told."""

    text: MessageText


class HandBackRequest(Model):
    """The last words to the customer, if there are any."""

    note: MessageText | None = None


def _item(row: Handoff) -> DeskItem:
    return DeskItem(
        id=row.id,
        session_id=row.session_id,
        reason=cast("Literal['request', 'failure', 'policy']", row.reason),
        status=cast("Literal['waiting', 'taken', 'closed']", row.status),
        summary=row.summary,
        created_at=row.created_at,
        taken_at=row.taken_at,
        closed_at=row.closed_at,
    )


def _masked(row: ChatMessage) -> MessageBody:
    return message_body(row).model_copy(update={"content": masked(row.content)})


@routes.get("/queue")
@policy(requires(Permission.AGENT_HANDLE, LimitClass.READ))
async def agent_queue(
    request: Request, caller: CallerDep, services: ServicesDep, limit: Limit = 20, cursor: Cursor = None
) -> Envelope[Page[DeskItem]]:
    """Who waits for any agent, and what the caller has taken; who waits longest comes first."""
    async with services.database.for_agent(caller.user_id) as session:
        rows, following = await agent_desk.queue(session, caller.user_id, limit, cursor)
    return Envelope(data=Page(items=[_item(row) for row in rows], next_cursor=following), metadata=metadata_of(request))


@routes.post("/handoffs/{handoff_id}/take")
@policy(requires(Permission.AGENT_HANDLE))
async def take_handoff(
    request: Request, handoff_id: UUID, caller: CallerDep, services: ServicesDep
) -> Envelope[DeskItem]:
    """Take a conversation that waits. Of two agents at once one gets it, the other a CONFLICT."""
    async with services.database.for_agent(caller.user_id) as session:
        taken = await agent_desk.take(session, caller.user_id, handoff_id)
    return Envelope(data=_item(taken), metadata=metadata_of(request))


@routes.get("/handoffs/{handoff_id}")
@policy(requires(Permission.AGENT_HANDLE, LimitClass.READ))
async def get_handoff(
    request: Request,
    handoff_id: UUID,
    caller: CallerDep,
    services: ServicesDep,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Envelope[DeskConversation]:
    """The summary and the messages of a conversation, while it is in the caller's hands."""
    async with services.database.for_agent(caller.user_id) as session:
        handoff = await agent_desk.taken_by(session, caller.user_id, handoff_id)
        rows, following = await repository.list_messages(session, handoff.session_id, limit, cursor)
    page: Page[MessageBody] = Page(items=[_masked(row) for row in rows], next_cursor=following)
    return Envelope(data=DeskConversation(handoff=_item(handoff), messages=page), metadata=metadata_of(request))


@routes.post("/handoffs/{handoff_id}/reply")
@policy(requires(Permission.AGENT_HANDLE))
async def reply_to_customer(
    request: Request, handoff_id: UUID, body: ReplyRequest, caller: CallerDep, services: ServicesDep
) -> Envelope[MessageBody]:
    """Answer the customer. The message is in the conversation when this returns."""
    async with services.database.for_agent(caller.user_id) as session:
        message = await agent_desk.answer(session, caller.user_id, handoff_id, body.text)
    return Envelope(data=_masked(message), metadata=metadata_of(request))


@routes.post("/handoffs/{handoff_id}/hand-back")
@policy(requires(Permission.AGENT_HANDLE))
async def hand_back(
    request: Request, handoff_id: UUID, caller: CallerDep, services: ServicesDep, body: HandBackRequest | None = None
) -> Envelope[DeskItem]:
    """Give the conversation back to the assistant, with last words to the customer. After that it cannot be read."""
    note = body.note if body is not None else None
    async with services.database.for_agent(caller.user_id) as session:
        closed = await agent_desk.hand_back(session, caller.user_id, handoff_id, note or HANDED_BACK)
    return Envelope(data=_item(closed), metadata=metadata_of(request))
