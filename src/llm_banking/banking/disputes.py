"""Disputed charges: the bank's rules as data, and the rows. Money is given back and taken back by entries alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from importlib import resources
from typing import Annotated
from uuid import UUID

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.core import Charge
from llm_banking.banking.errors import DisputeNotFoundError
from llm_banking.banking.models import Dispute
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.money import Money, MoneyError

MAX_DISPUTES = 100
"""That a page lists."""


class DisputeReason(StrEnum):
    """Why a charge is disputed."""

    NOT_RECOGNISED = "not_recognised"
    CHARGED_TWICE = "charged_twice"
    WRONG_AMOUNT = "wrong_amount"
    NOT_RECEIVED = "not_received"
    CANCELLED = "cancelled"


class DisputeStatus(StrEnum):
    """Being looked into, without or with provisional credit; decided for one side or the other, which is final."""

    OPEN = "open"
    PROVISIONAL_CREDIT = "provisional_credit"
    RESOLVED_FOR_CUSTOMER = "resolved_for_customer"
    RESOLVED_FOR_MERCHANT = "resolved_for_merchant"


UNDECIDED = frozenset({DisputeStatus.OPEN, DisputeStatus.PROVISIONAL_CREDIT})


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Credit(_Strict):
    up_to: str
    in_all: str


class ReasonRule(_Strict):
    """What a reason is called to the customer, what is asked for, and whether it is credited provisionally."""

    says: Annotated[str, Field(min_length=1)]
    credited: bool
    evidence: tuple[str, ...]


class _Document(_Strict):
    file_within_days: Annotated[int, Field(ge=1, le=3650)]
    credit_within_days: Annotated[int, Field(ge=0, le=3650)]
    credit: dict[str, _Credit]
    reasons: dict[DisputeReason, ReasonRule]


@dataclass(frozen=True, slots=True)
class DisputeRules:
    """What may be disputed, and what is credited: by currency the most for one charge, and in all."""

    file_within: timedelta
    credit_within: timedelta
    credit: Mapping[str, tuple[Money, Money]]
    reasons: Mapping[DisputeReason, ReasonRule]

    def credits(self, charge: Charge, reason: DisputeReason, credited: Money, now: datetime) -> bool:
        """Whether a charge is credited provisionally, where so much is credited and not decided yet."""
        limits = self.credit.get(charge.amount.currency)
        if limits is None or not self.reasons[reason].credited or now - charge.booked_at > self.credit_within:
            return False
        up_to, in_all = (one.amount_minor for one in limits)
        amount = -charge.amount.amount_minor
        return amount <= up_to and amount + credited.amount_minor <= in_all


def load_dispute_rules(text: str | None = None) -> DisputeRules:
    """The shipped rules, or those of a text. Raises ConfigurationError where they are incomplete or not strict."""
    if text is None:
        text = resources.files("llm_banking.banking").joinpath("data/disputes.yml").read_text("utf-8")
    try:
        found = _Document.model_validate(yaml.safe_load(text))
        missing = set(DisputeReason) - set(found.reasons)
        if missing:
            raise ConfigurationError(f"banking/data/disputes.yml has no reason '{min(missing)}'.")
        credit = {
            currency: (Money.parse(one.up_to, currency), Money.parse(one.in_all, currency))
            for currency, one in found.credit.items()
        }
    except (yaml.YAMLError, ValidationError, MoneyError) as error:
        raise ConfigurationError(f"banking/data/disputes.yml cannot be used: {error}") from error
    return DisputeRules(
        timedelta(days=found.file_within_days), timedelta(days=found.credit_within_days), credit, found.reasons
    )


async def is_disputed(session: AsyncSession, owner_id: UUID, entry_id: UUID) -> bool:
    """Whether an owner has disputed a charge, be it decided or not."""
    query = select(Dispute.id).where(Dispute.user_id == owner_id, Dispute.entry_id == entry_id)
    return await session.scalar(query) is not None


async def disputed_entries(session: AsyncSession, owner_id: UUID) -> set[UUID]:
    """The entries that an owner has disputed, be it decided or not."""
    return set(await session.scalars(select(Dispute.entry_id).where(Dispute.user_id == owner_id)))


async def credited_of(session: AsyncSession, owner_id: UUID, currency: str) -> Money:
    """What an owner was credited provisionally and nobody has decided about."""
    query = select(func.coalesce(func.sum(Dispute.amount_minor), 0)).where(
        Dispute.user_id == owner_id,
        Dispute.currency == currency,
        Dispute.status == DisputeStatus.PROVISIONAL_CREDIT.value,
    )
    return Money(int(await session.scalar(query) or 0), currency)


async def disputes_of(session: AsyncSession, owner_id: UUID) -> list[Dispute]:
    """An owner's disputes, newest first, of which MAX_DISPUTES are listed."""
    query = select(Dispute).where(Dispute.user_id == owner_id).order_by(Dispute.id.desc()).limit(MAX_DISPUTES)
    return list(await session.scalars(query))


async def undecided_disputes(session: AsyncSession) -> list[Dispute]:
    """Everybody's that a person must decide, oldest first; the transaction has the scope `system`."""
    waiting = Dispute.status.in_([one.value for one in UNDECIDED])
    return list(await session.scalars(select(Dispute).where(waiting).order_by(Dispute.id).limit(MAX_DISPUTES)))


async def owner_of_dispute(session: AsyncSession, dispute_id: UUID) -> UUID:
    """Whose a dispute is; the transaction has the scope `system`. Raises DisputeNotFoundError."""
    found = await session.scalar(select(Dispute.user_id).where(Dispute.id == dispute_id))
    if found is None:
        raise DisputeNotFoundError
    return found
