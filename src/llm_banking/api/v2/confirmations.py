"""The buttons under what a conversation proposed: confirm this one, or call it off."""

from __future__ import annotations

from uuid import UUID

from fastapi import Request
from pydantic import StrictBool
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.api.dependencies import CallerDep, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, metadata_of
from llm_banking.api.idempotency import answered_once
from llm_banking.api.v2.operations import ConfirmRequest, OperationBody, approved, body_of
from llm_banking.identity.principal import LimitClass, Permission, requires
from llm_banking.identity.step_up import Refusal
from llm_banking.operations.records import Record

routes = router("/api/v2/chat/confirmations", "chat")


class ConfirmationRequest(ConfirmRequest):
    """The customer's own decision on one proposal."""

    approve: StrictBool


@routes.post("/{pending_id}")
@policy(requires(Permission.BANKING_WRITE, LimitClass.CONFIRMATION))
async def decide(
    request: Request, pending_id: UUID, body: ConfirmationRequest, caller: CallerDep, services: ServicesDep
) -> Envelope[OperationBody]:
    """Execute what was proposed, or call it off. It is committed before the answer leaves."""

    async def work(session: AsyncSession) -> OperationBody | Refusal:
        if body.approve:
            return await approved(services, session, caller, pending_id, body)
        return body_of(Record(await services.gate.void(session, caller, pending_id), None))

    data = await answered_once(services, caller, request, {}, key=None, status=200, answer=OperationBody, work=work)
    return Envelope(data=data, metadata=metadata_of(request))
