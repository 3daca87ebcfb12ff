"""The gate: the only way to move a customer's money, for the API and for a conversation alike (ADR 0010).

A draft is checked and frozen; the customer is shown a text made from what was frozen, and approves that id. Only then,
and from what was frozen alone, is anything done. Everything that an approval writes is in the caller's transaction.
The customer's row is locked first, so that one customer's approvals come one by one and limits hold over all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking.fees import FeeSchedule
from llm_banking.identity.devices import is_by_new_key, is_on_new_device
from llm_banking.identity.principal import Permission, Principal, requires
from llm_banking.identity.second_factors import FactorProof
from llm_banking.identity.step_up import Challenge, Method, Refusal, StepUp, lock_user
from llm_banking.kit import outbox
from llm_banking.kit.clock import utc_now
from llm_banking.kit.ids import uuid7
from llm_banking.operations.contact_codes import ContactCodes
from llm_banking.operations.drafts import PAYMENTS, Draft, Kind
from llm_banking.operations.errors import (
    LettersUnavailableError,
    PendingClosedError,
    PendingExpiredError,
    StepUpNeededError,
    TooManyOpenError,
)
from llm_banking.operations.handlers import Handlers, as_shown
from llm_banking.operations.models import BankOperation, PendingOperation
from llm_banking.operations.payload import Payload, canonical, hash_of
from llm_banking.operations.policy import EITHER_METHOD, OperationPolicy
from llm_banking.operations.records import Operation, Pending, confirmation_code, locked

Channel = Literal["api", "chat"]
_MAY = requires(Permission.BANKING_WRITE)


class Gate:
    """Proposes, approves and calls off. The person is always the principal's own `user_id`."""

    def __init__(
        self,
        step_up: StepUp,
        policy: OperationPolicy,
        fees: FeeSchedule,
        handlers: Handlers,
        *,
        codes: ContactCodes | None = None,
        today: Callable[[datetime], date] = datetime.date,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """`today` tells which day it is at the bank at a time; the day in UTC where it is left out.

        `codes` None: a change of address cannot be confirmed, and its handler proposes none.
        """
        self._step_up = step_up
        self._policy = policy
        self._fees = fees
        self._handlers = handlers
        self._codes = codes
        self._clock = clock
        self.today = today

    @property
    def fees(self) -> FeeSchedule:
        """What the bank takes for services."""
        return self._fees

    @property
    def policy(self) -> OperationPolicy:
        """The rules that every operation is held to."""
        return self._policy

    async def propose(
        self,
        session: AsyncSession,
        principal: Principal,
        draft: Draft,
        *,
        channel: Channel,
        chat_session_id: UUID | None = None,
        message_id: UUID | None = None,
    ) -> Pending:
        """Check a draft and freeze it. Nothing moves, and nothing is set aside.

        In a conversation, `message_id` is the message that shows what is frozen.
        Raises AccountNotFoundError and PayeeNotFoundError (somebody else's too), AccountNotOpenError,
        InsufficientFundsError, AmountLimitError, TooManyOpenError, NotPossibleError, PlainTextError and ForbiddenError.
        """
        principal.check(_MAY)
        user_id, now = principal.user_id, self._clock()
        await lock_user(session, user_id)
        waiting = await self._close_overdue(session, user_id, now)
        if waiting >= self._policy.open_at_most and draft.kind not in self._policy.urgent:
            raise TooManyOpenError(self._policy.open_at_most, self._policy.lifetime)
        payload = await self._freeze(session, user_id, draft)
        methods = await self._methods(session, principal, payload, now)
        document = payload.document()
        row = PendingOperation(
            id=UUID(payload.id),
            user_id=user_id,
            kind=payload.kind.value,
            payload=document,
            payload_hash=hash_of(document),
            summary=payload.summary(),
            requires=sorted(method.value for method in methods),
            session_id=chat_session_id,
            message_id=message_id,
            channel=channel,
            status="pending",
            created_at=now,
            expires_at=now + self._policy.lifetime,
        )
        session.add(row)
        await session.flush()
        if payload.kind is Kind.CONTACT_CHANGE:
            await self._coded().begin(session, row)
        return Pending.of(row, now)

    async def begin_step_up(self, session: AsyncSession, principal: Principal, pending_id: UUID) -> Challenge | None:
        """A challenge for one operation as it was frozen; None where it needs no proof.

        Raises PendingNotFoundError, PendingExpiredError, PendingClosedError, and as `StepUp.begin` does.
        """
        principal.check(_MAY)
        await lock_user(session, principal.user_id)
        row, payload = await self._open(session, principal.user_id, pending_id)
        methods = _stricter(row, await self._methods(session, principal, payload, self._clock()))
        if not methods:
            return None
        return await self._step_up.begin(
            session,
            principal.user_id,
            pending_id=row.id,
            payload=canonical(row.payload),
            methods_allowed=methods,
        )

    async def approve(
        self,
        session: AsyncSession,
        principal: Principal,
        pending_id: UUID,
        *,
        proof: FactorProof | None,
        code: str | None = None,
    ) -> Operation | Refusal:
        """Execute what was frozen, once. Who calls says that the owner approved this id, and nobody else may.

        `code` is what a new address was sent, for a change of address alone.

        A Refusal is a proof or a code that did not hold: commit, for that counts it, then raise its error. Raises
        PendingNotFoundError, PendingExpiredError, PendingClosedError, StepUpNeededError, CodeNeededError,
        PendingAlteredError, AmountLimitError, InsufficientFundsError, AccountNotFoundError, AccountNotOpenError and
        PayeeNotFoundError; roll back then: nothing was done.
        """
        principal.check(_MAY)
        user_id, now = principal.user_id, self._clock()
        await lock_user(session, user_id)
        row, payload = await self._open(session, user_id, pending_id)
        methods = _stricter(row, await self._methods(session, principal, payload, now))
        if methods and proof is None:
            raise StepUpNeededError(methods)
        if payload.kind is Kind.CONTACT_CHANGE:
            refusal = await self._coded().refused(session, row, code)
            if refusal is not None:
                return refusal
        if methods and proof is not None:
            done = await self._step_up.complete(
                session,
                user_id,
                challenge_id=proof.challenge_id,
                pending_id=row.id,
                payload=canonical(row.payload),
                proof=proof.answer,
            )
            if isinstance(done, Refusal):
                return done
            if done.method not in methods:
                raise StepUpNeededError(methods)
        return await self._execute(session, row, payload, now)

    async def void(self, session: AsyncSession, principal: Principal, pending_id: UUID) -> Pending:
        """Call an operation off. Raises PendingNotFoundError and PendingClosedError; an expired one may be, too."""
        principal.check(_MAY)
        row = await locked(session, principal.user_id, pending_id)
        if row.status != "pending":
            raise PendingClosedError(row.status)
        row.status = "voided"
        await session.flush()
        return Pending.of(row, self._clock())

    async def void_open(self, session: AsyncSession, owner_id: UUID, chat_session_id: UUID) -> int:
        """Call off what waits in a conversation of this owner. Returns how many that were."""
        done = await session.scalars(
            update(PendingOperation)
            .where(
                PendingOperation.user_id == owner_id,
                PendingOperation.session_id == chat_session_id,
                PendingOperation.status == "pending",
            )
            .values(status="voided")
            .returning(PendingOperation.id)
        )
        return len(done.all())

    async def _close_overdue(self, session: AsyncSession, user_id: UUID, now: datetime) -> int:
        """Mark what expired. Returns how many wait."""
        waiting = (PendingOperation.user_id == user_id, PendingOperation.status == "pending")
        overdue = update(PendingOperation).where(*waiting, PendingOperation.expires_at <= now)
        await session.execute(overdue.values(status="expired"))
        return await session.scalar(select(func.count()).where(*waiting)) or 0

    async def _freeze(self, session: AsyncSession, user_id: UUID, draft: Draft) -> Payload:
        """Everything that will be shown and done, as it is now."""
        frozen: Payload = await self._handlers[draft.kind].freeze(session, user_id, draft)
        return frozen

    async def _check(self, session: AsyncSession, payload: Payload, now: datetime) -> frozenset[Method]:
        """By which factors a payload is proved that may be done now. Raises where it may not."""
        return await self._handlers[payload.kind].check(session, payload, now)

    async def _methods(
        self, session: AsyncSession, principal: Principal, payload: Payload, now: datetime
    ) -> frozenset[Method]:
        """By which factors this caller proves it: as the payload asks, and by one at least from somewhere new."""
        methods = await self._check(session, payload, now)
        if methods or payload.kind not in PAYMENTS:
            return methods
        rules = self._policy
        new = await is_on_new_device(session, principal, now, rules.new_device_period) or await is_by_new_key(
            session, principal, now, rules.new_key_period
        )
        return EITHER_METHOD if new else methods

    async def _open(self, session: AsyncSession, user_id: UUID, pending_id: UUID) -> tuple[PendingOperation, Payload]:
        """A row that can still be approved, and what it froze. Locks the row."""
        row = await locked(session, user_id, pending_id)
        if row.status == "expired" or (row.status == "pending" and self._clock() >= row.expires_at):
            raise PendingExpiredError
        if row.status != "pending":
            raise PendingClosedError(row.status)
        return row, as_shown(row, self._handlers)

    def _coded(self) -> ContactCodes:
        if self._codes is None:
            raise LettersUnavailableError
        return self._codes

    async def _execute(
        self, session: AsyncSession, row: PendingOperation, payload: Payload, now: datetime
    ) -> Operation:
        row.status, row.consumed_at = "consumed", now
        await session.flush()
        done = await self._handlers[row.kind].execute(session, payload, now)
        operation = BankOperation(
            id=uuid7(),
            user_id=row.user_id,
            kind=row.kind,
            pending_id=row.id,
            entry_id=done.entry_id,
            payee_id=done.payee_id,
            status=done.status,
            amount_minor=None if done.amount is None else done.amount.amount_minor,
            currency=None if done.amount is None else done.amount.currency,
            request=row.payload,
            result={**done.result, "told": payload.told()},
            confirmation_code=confirmation_code(),
            message_id=row.message_id,
            created_at=row.created_at,
            executed_at=now if done.status == "executed" else None,
        )
        session.add(operation)
        await session.flush()
        news = {"operation_id": str(row.id), "kind": row.kind}
        if done.entry_id is not None:
            news["entry_id"] = str(done.entry_id)
        outbox.tell(session, row.user_id, f"operation.{done.status}", news)
        await session.flush()
        return Operation.of(operation, row.summary)


def _stricter(row: PendingOperation, methods: frozenset[Method]) -> frozenset[Method]:
    """By which factors an operation may be proved: what was said when it was frozen, and what the policy says now."""
    frozen = frozenset(Method(one) for one in row.requires)
    return frozen & methods if frozen and methods else frozen | methods
