"""What customers thought of a reply."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Request
from pydantic import BeforeValidator, Field

from llm_banking.api.dependencies import CallerDep, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, Model, metadata_of
from llm_banking.api.text import MessageText, whole_number
from llm_banking.dialogue import repository
from llm_banking.identity.principal import LimitClass, Permission, requires

routes = router("/api/v2/messages", "feedback")


class FeedbackRequest(Model):
    """Good (1) or bad (-1), and why."""

    rating: Annotated[Literal[1, -1], BeforeValidator(whole_number)]
    comment: Annotated[MessageText | None, Field(max_length=1_000)] = None


class FeedbackBody(Model):
    """The feedback that is kept; a later one replaces it."""

    message_id: UUID
    rating: Literal[1, -1]


@routes.post("/{message_id}/feedback")
@policy(requires(Permission.CHAT_WRITE, LimitClass.WRITE))
async def give_feedback(
    request: Request, message_id: UUID, body: FeedbackRequest, caller: CallerDep, services: ServicesDep
) -> Envelope[FeedbackBody]:
    """Rate a reply of the assistant."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        metrics = await repository.metrics_of_reply(session, message_id, caller.visible_user_ids)
        metrics.user_feedback = body.rating
        metrics.user_comment = body.comment
    return Envelope(data=FeedbackBody(message_id=message_id, rating=body.rating), metadata=metadata_of(request))
