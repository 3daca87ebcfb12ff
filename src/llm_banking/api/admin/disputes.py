"""An agent decides what customers dispute."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from fastapi import Request

from llm_banking.api.dependencies import CallerDep, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, Model, metadata_of
from llm_banking.api.v2.disputes import DisputeBody, DisputeList
from llm_banking.banking.disputes import owner_of_dispute, undecided_disputes
from llm_banking.identity.principal import Permission, requires
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Scope
from llm_banking.operations.disputes import decide_dispute

routes = router("/api/agent/disputes", "administration")


class DisputeDecision(Model):
    """For whom a dispute is decided."""

    outcome: Literal["for_customer", "for_merchant"]


@routes.get("")
@policy(requires(Permission.AGENT_HANDLE))
async def list_undecided_disputes(request: Request, services: ServicesDep) -> Envelope[DisputeList]:
    """Everybody's disputes that wait for a decision, oldest first."""
    async with services.database.transaction(scope=Scope.SYSTEM) as session:
        rows = await undecided_disputes(session)
    items = [DisputeBody.of(row, services.dispute_rules) for row in rows]
    return Envelope(data=DisputeList(items=items), metadata=metadata_of(request))


@routes.post("/{dispute_id}/decision")
@policy(requires(Permission.AGENT_HANDLE))
async def decide_about_dispute(
    request: Request, dispute_id: UUID, body: DisputeDecision, caller: CallerDep, services: ServicesDep
) -> Envelope[DisputeBody]:
    """Decide a dispute for good: the amount is given back, or what was credited before is taken back."""
    async with services.database.transaction(scope=Scope.SYSTEM) as session:
        owner_id = await owner_of_dispute(session, dispute_id)
    async with services.database.transaction(visible_to={owner_id}) as session:
        row = await decide_dispute(
            session,
            owner_id,
            dispute_id,
            for_customer=body.outcome == "for_customer",
            by=caller.user_id,
            now=utc_now(),
        )
    return Envelope(data=DisputeBody.of(row, services.dispute_rules), metadata=metadata_of(request))
