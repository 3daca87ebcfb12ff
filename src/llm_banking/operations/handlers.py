"""What the gate has to know of one kind of operation, and nothing more: how it is frozen, checked and done."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.step_up import Method
from llm_banking.kit.money import Money
from llm_banking.operations.errors import PendingAlteredError
from llm_banking.operations.models import PendingOperation
from llm_banking.operations.payload import Payload, hash_of

DraftT_contra = TypeVar("DraftT_contra", contravariant=True)
PayloadT = TypeVar("PayloadT", bound=Payload)


@dataclass(frozen=True, slots=True)
class Done:
    """What was done. `amount` is what left the customer's account without the fee, and counts against limits.

    `scheduled` is approved and done later by the worker; `executed` was done now.
    """

    status: Literal["executed", "scheduled"] = "executed"
    amount: Money | None = None
    entry_id: UUID | None = None
    payee_id: UUID | None = None
    result: dict[str, Any] = field(default_factory=dict)


class Handler(Protocol[DraftT_contra, PayloadT]):
    """One kind of operation. Everything runs in the caller's transaction, with the customer's row locked."""

    async def freeze(self, session: AsyncSession, user_id: UUID, draft: DraftT_contra) -> PayloadT:
        """Everything that will be shown and done, as it is now. Raises where the draft is not possible."""

    def read(self, document: Mapping[str, Any]) -> PayloadT:
        """From what is stored. Raises KeyError, TypeError or ValueError on anything that `freeze` did not make."""

    async def check(self, session: AsyncSession, payload: PayloadT, now: datetime) -> frozenset[Method]:
        """By which factors a payload is proved that may be done now; none where it needs no proof.

        Raises where it may not be done.
        """

    async def execute(self, session: AsyncSession, payload: PayloadT, now: datetime) -> Done:
        """Do what was frozen, and nothing else. The gate calls it once for a payload."""


Handlers = Mapping[str, Handler[Any, Any]]
"""By the kind that a draft and a pending row name."""


def as_shown(row: PendingOperation, handlers: Handlers) -> Payload:
    """What a row froze. Raises PendingAlteredError where any part of the row is not what was made together."""
    try:
        payload: Payload = handlers[row.kind].read(row.payload)
    except (KeyError, TypeError, ValueError) as error:
        raise PendingAlteredError from error
    same = (
        hmac.compare_digest(hash_of(row.payload), row.payload_hash),
        payload.summary() == row.summary,
        (payload.id, payload.user_id, payload.kind.value) == (str(row.id), str(row.user_id), row.kind),
    )
    if not all(same):
        raise PendingAlteredError
    return payload
