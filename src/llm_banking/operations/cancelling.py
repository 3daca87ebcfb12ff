"""Ending a schedule: its owner's act, through the gate like every other, though no money moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.step_up import Method
from llm_banking.kit.ids import uuid7
from llm_banking.operations.drafts import CancelSchedule, Kind
from llm_banking.operations.errors import ScheduleNotFoundError, ScheduleOverError
from llm_banking.operations.handlers import Done
from llm_banking.operations.models import PendingOperation, ScheduledPayment
from llm_banking.operations.policy import OperationPolicy

VERSION = 1


@dataclass(frozen=True, slots=True)
class Cancelling:
    """A frozen wish to end a schedule. `planned` is the text that was approved for it."""

    id: str
    user_id: str
    schedule_id: str
    planned: str
    kind: Kind = Kind.CANCEL_SCHEDULE
    version: int = VERSION

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {**asdict(self), "kind": self.kind.value}

    def summary(self) -> str:
        """The text that the customer is shown, from the payload alone."""
        return f"Cancel this planned payment, so that nothing more is paid by it: {self.planned}"

    def told(self) -> str:
        """What the customer is told once it was approved."""
        return f"You cancelled this planned payment, and nothing more is paid by it: {self.planned}"

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Cancelling:
        """From what is stored. Raises KeyError, TypeError or ValueError on what is no payload of this version."""
        if document["version"] != VERSION:
            raise ValueError("a payload of another version")
        return cls(**{**document, "kind": Kind(document["kind"])})


class CancelSchedules:
    """The handler of cancellations."""

    def __init__(self, policy: OperationPolicy) -> None:
        self._policy = policy

    async def freeze(self, session: AsyncSession, user_id: UUID, draft: CancelSchedule) -> Cancelling:
        """The schedule with the text that it is known by. Raises ScheduleNotFoundError."""
        planned = await session.scalar(
            select(PendingOperation.summary)
            .join(ScheduledPayment, ScheduledPayment.id == PendingOperation.id)
            .where(ScheduledPayment.id == draft.schedule_id, ScheduledPayment.user_id == user_id)
        )
        if planned is None:
            raise ScheduleNotFoundError
        return Cancelling(str(uuid7()), str(user_id), str(draft.schedule_id), planned)

    def read(self, document: Mapping[str, Any]) -> Cancelling:
        """From what is stored. Raises KeyError, TypeError or ValueError on what `freeze` did not make."""
        return Cancelling.of(document)

    async def check(self, session: AsyncSession, payload: Cancelling, _now: datetime) -> frozenset[Method]:
        """By which factors it is proved. Raises ScheduleNotFoundError and ScheduleOverError."""
        await self._active(session, payload)
        return self._policy.proof[payload.kind.value]

    async def execute(self, session: AsyncSession, payload: Cancelling, now: datetime) -> Done:
        """End it. Raises ScheduleNotFoundError and ScheduleOverError."""
        schedule = await self._active(session, payload)
        schedule.status, schedule.next_on, schedule.ended_at = "cancelled", None, now
        await session.flush()
        return Done(result={"schedule_id": payload.schedule_id})

    async def _active(self, session: AsyncSession, payload: Cancelling) -> ScheduledPayment:
        """The schedule, locked: its owner's row is held already, as the worker does it."""
        found = await session.scalar(
            select(ScheduledPayment)
            .where(ScheduledPayment.id == UUID(payload.schedule_id), ScheduledPayment.user_id == UUID(payload.user_id))
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        if found is None:
            raise ScheduleNotFoundError
        if found.status != "active":
            raise ScheduleOverError(found.status)
        return found
