"""A person decides about applications for loans."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from fastapi import Request

from llm_banking.api.dependencies import CallerDep, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, Model, metadata_of
from llm_banking.api.v2.loans import LoanApplicationBody, LoanApplicationList
from llm_banking.banking.loans import LoanStatus, move_application, owner_of_application, undecided_applications
from llm_banking.identity.principal import Permission, requires
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Scope

routes = router("/api/admin/loan-applications", "administration")


class LoanDecision(Model):
    """Where an application goes: it is taken up, and then approved or declined."""

    status: Literal[LoanStatus.UNDER_REVIEW, LoanStatus.APPROVED, LoanStatus.DECLINED]


@routes.get("")
@policy(requires(Permission.ADMIN_READ))
async def list_undecided_applications(request: Request, services: ServicesDep) -> Envelope[LoanApplicationList]:
    """Everybody's applications that wait for a decision, oldest first."""
    async with services.database.transaction(scope=Scope.SYSTEM) as session:
        rows = await undecided_applications(session)
    items = [LoanApplicationBody.of(row, services.loan_rules) for row in rows]
    return Envelope(data=LoanApplicationList(items=items), metadata=metadata_of(request))


@routes.post("/{application_id}/decision")
@policy(requires(Permission.ADMIN_WRITE))
async def decide_about_loan(
    request: Request, application_id: UUID, body: LoanDecision, caller: CallerDep, services: ServicesDep
) -> Envelope[LoanApplicationBody]:
    """Take an application up, or decide it for good. No money moves by it."""
    async with services.database.transaction(scope=Scope.SYSTEM) as session:
        owner_id = await owner_of_application(session, application_id)
    async with services.database.transaction(visible_to={owner_id}) as session:
        row = await move_application(session, owner_id, application_id, body.status, by=caller.user_id, now=utc_now())
    return Envelope(data=LoanApplicationBody.of(row, services.loan_rules), metadata=metadata_of(request))
