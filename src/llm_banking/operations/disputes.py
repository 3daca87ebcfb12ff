"""Disputes: what is checked before one is shown and again before it is filed, and how a person decides it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking import core
from llm_banking.banking.core import Charge, charge_of, get_account
from llm_banking.banking.disputes import (
    UNDECIDED,
    DisputeReason,
    DisputeRules,
    DisputeStatus,
    credited_of,
    is_disputed,
)
from llm_banking.banking.errors import AlreadyDecidedError, DisputeNotFoundError
from llm_banking.banking.models import Dispute
from llm_banking.identity.errors import ForbiddenError
from llm_banking.identity.step_up import Method, lock_user
from llm_banking.kit import outbox
from llm_banking.kit.clock import utc_now
from llm_banking.kit.ids import uuid7
from llm_banking.kit.money import Money
from llm_banking.kit.plain_text import quotable
from llm_banking.operations.dispute import Credited, DisputedCharge, DisputePayload, credit_entry
from llm_banking.operations.drafts import DisputeDraft, Kind
from llm_banking.operations.errors import NotPossibleError, PendingClosedError
from llm_banking.operations.handlers import Done
from llm_banking.operations.models import BankOperation
from llm_banking.operations.policy import OperationPolicy

MAX_SHOP_CHARS = 60


class Disputes:
    """The handler of disputes."""

    def __init__(self, policy: OperationPolicy, rules: DisputeRules, clock: Callable[[], datetime] = utc_now) -> None:
        self._policy = policy
        self._rules = rules
        self._clock = clock

    async def freeze(self, session: AsyncSession, user_id: UUID, draft: DisputeDraft) -> DisputePayload:
        """Everything that will be shown and done, as it is now."""
        charge = await charge_of(session, user_id, draft.entry_id)
        account = await get_account(session, user_id, charge.account_id)
        amount = -charge.amount
        credited = await credited_of(session, user_id, amount.currency)
        credit = amount if self._rules.credits(charge, draft.reason, credited, self._clock()) else None
        return DisputePayload(
            id=str(uuid7()),
            user_id=str(user_id),
            kind=Kind.DISPUTE,
            charge=DisputedCharge(
                entry_id=str(charge.id),
                account_id=str(account.id),
                account_name=account.name,
                last4=account.number_last4,
                description=quotable(charge.description, most_chars=MAX_SHOP_CHARS),
                amount_minor=amount.amount_minor,
                currency=amount.currency,
                booked_on=charge.booked_at.date().isoformat(),
            ),
            reason=draft.reason.value,
            reason_says=self._rules.reasons[draft.reason].says,
            receiver=None if credit is None else Credited(str(account.id)),
            amount_minor=None if credit is None else credit.amount_minor,
            currency=None if credit is None else credit.currency,
        )

    def read(self, document: Mapping[str, Any]) -> DisputePayload:
        """As DisputePayload.of."""
        return DisputePayload.of(document)

    async def check(self, session: AsyncSession, payload: DisputePayload, now: datetime) -> frozenset[Method]:
        """By which factors a dispute is proved that may be filed now.

        Raises TransactionNotFoundError and NotPossibleError.
        """
        user_id, entry_id = UUID(payload.user_id), UUID(payload.charge.entry_id)
        charge = await charge_of(session, user_id, entry_id)
        if await is_disputed(session, user_id, entry_id):
            raise NotPossibleError("You have disputed this charge already. GET /api/v2/disputes says how it stands.")
        approved = select(BankOperation.id).where(BankOperation.user_id == user_id, BankOperation.entry_id == entry_id)
        if await session.scalar(approved) is not None:
            raise NotPossibleError("You have confirmed this payment yourself. Ask for a person if something is wrong.")
        if now - charge.booked_at > self._rules.file_within:
            days = self._rules.file_within.days
            raise NotPossibleError(f"This charge is more than {days} days old. Ask for a person to look at it.")
        await self._still_credited(session, payload, charge, now)
        return self._policy.proof[Kind.DISPUTE.value]

    async def _still_credited(
        self, session: AsyncSession, payload: DisputePayload, charge: Charge, now: datetime
    ) -> None:
        """What was promised is given; where the rules no longer allow it, it must be asked for anew."""
        if payload.credit is None:
            return
        credited = await credited_of(session, UUID(payload.user_id), charge.amount.currency)
        if not self._rules.credits(charge, DisputeReason(payload.reason), credited, now):
            raise NotPossibleError("This can no longer be credited at once. Ask for the dispute again without that.")

    async def execute(self, session: AsyncSession, payload: DisputePayload, now: datetime) -> Done:
        """File it, and credit what was shown. Raises PendingClosedError where that stood in the ledger already."""
        charge, entry = payload.charge, None
        if payload.credit is not None:
            entry = credit_entry(UUID(payload.id), UUID(charge.account_id), payload.credit, charge.description, now)
            if await core.post(session, entry) is not core.Posted.NOW:
                raise PendingClosedError("consumed")
        status = DisputeStatus.OPEN if entry is None else DisputeStatus.PROVISIONAL_CREDIT
        session.add(
            Dispute(
                id=UUID(payload.id),
                user_id=UUID(payload.user_id),
                account_id=UUID(charge.account_id),
                entry_id=UUID(charge.entry_id),
                reason=payload.reason,
                status=status.value,
                description=charge.description,
                amount_minor=charge.amount_minor,
                currency=charge.currency,
                credit_entry_id=None if entry is None else entry.id,
                created_at=now,
            )
        )
        await session.flush()
        return Done(
            amount=payload.credit, entry_id=None if entry is None else entry.id, result={"status": status.value}
        )


async def decide_dispute(
    session: AsyncSession, owner_id: UUID, dispute_id: UUID, *, for_customer: bool, by: UUID, now: datetime
) -> Dispute:
    """A person's decision, which is final: the amount is given back for good, or the provisional credit taken back.

    The transaction works for the dispute's owner. Raises DisputeNotFoundError, AlreadyDecidedError, ForbiddenError for
    one's own, and InsufficientFundsError where there is too little to take back: nothing is decided then.
    """
    await lock_user(session, owner_id)
    query = select(Dispute).where(Dispute.id == dispute_id, Dispute.user_id == owner_id).with_for_update()
    found = await session.scalar(query.execution_options(populate_existing=True))
    if found is None:
        raise DisputeNotFoundError
    if found.user_id == by:
        raise ForbiddenError("Nobody decides about their own.")
    if DisputeStatus(found.status) not in UNDECIDED:
        raise AlreadyDecidedError
    credited = found.credit_entry_id
    amount, text = Money(found.amount_minor, found.currency), found.description
    if for_customer and credited is None:
        entry = credit_entry(uuid7(), found.account_id, amount, text, now)
    elif not for_customer and credited is not None:
        entry = credit_entry(credited, found.account_id, amount, text, now).reversal(uuid7(), now)
    else:
        entry = None
    if entry is not None:
        await core.post(session, entry)
        found.settled_entry_id = entry.id
    found.status = (DisputeStatus.RESOLVED_FOR_CUSTOMER if for_customer else DisputeStatus.RESOLVED_FOR_MERCHANT).value
    found.decided_at, found.decided_by = now, by
    await session.flush()
    outbox.tell(session, owner_id, "dispute.decided", {"dispute_id": str(dispute_id)})
    return found
