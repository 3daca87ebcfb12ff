"""Charges that the caller disputes. A dispute is filed as an operation; a person decides it."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from fastapi import Request

from llm_banking.api.dependencies import CallerDep, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, Model, Timestamp, metadata_of
from llm_banking.api.money import MoneyBody
from llm_banking.banking.disputes import DisputeReason, DisputeRules, DisputeStatus, disputes_of
from llm_banking.banking.models import Dispute
from llm_banking.identity.principal import Permission, requires
from llm_banking.kit.money import Money
from llm_banking.operations.drafts import DisputeDraft, Draft, Kind

routes = router("/api/v2/disputes", "disputes")


class DisputeRequest(Model):
    """Dispute a charge: `entry_id` is the id of the transaction."""

    kind: Literal[Kind.DISPUTE]
    entry_id: UUID
    reason: DisputeReason

    def draft(self) -> Draft:
        """In the gate's terms."""
        return DisputeDraft(self.entry_id, self.reason)


class DisputeBody(Model):
    """A dispute. `credited`: the amount was given back before the decision; `evidence` is what helps to decide it."""

    id: UUID
    account_id: UUID
    entry_id: UUID
    reason: DisputeReason
    status: DisputeStatus
    description: str
    amount: MoneyBody
    credited: bool
    evidence: list[str]
    created_at: Timestamp
    decided_at: Timestamp | None

    @classmethod
    def of(cls, row: Dispute, rules: DisputeRules) -> DisputeBody:
        """A row as it is sent."""
        reason = DisputeReason(row.reason)
        return cls(
            id=row.id,
            account_id=row.account_id,
            entry_id=row.entry_id,
            reason=reason,
            status=DisputeStatus(row.status),
            description=row.description,
            amount=MoneyBody.of(Money(row.amount_minor, row.currency)),
            credited=row.credit_entry_id is not None,
            evidence=[] if row.decided_at else list(rules.reasons[reason].evidence),
            created_at=row.created_at,
            decided_at=row.decided_at,
        )


class DisputeList(Model):
    """Disputes."""

    items: list[DisputeBody]


@routes.get("")
@policy(requires(Permission.BANKING_READ))
async def list_disputes(request: Request, caller: CallerDep, services: ServicesDep) -> Envelope[DisputeList]:
    """The caller's disputes, newest first."""
    async with services.database.transaction(visible_to={caller.user_id}) as session:
        rows = await disputes_of(session, caller.user_id)
    items = [DisputeBody.of(row, services.dispute_rules) for row in rows]
    return Envelope(data=DisputeList(items=items), metadata=metadata_of(request))
