"""The gate: the only way to move a customer's money, for the API and for a conversation alike (ADR 0010).

A draft is checked and frozen; the customer is shown a text made from what was frozen, and approves that id. Only then,
and from what was frozen alone, is anything posted. Everything that an approval writes is in the caller's transaction.
The customer's row is locked first, so that one customer's approvals come one by one and limits hold over all of them.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking import ledger_store
from llm_banking.banking.errors import AccountNotFoundError, AccountNotOpenError, InsufficientFundsError
from llm_banking.banking.models import Account
from llm_banking.banking.payees import PayeeKind, note_first_payment, payee_of
from llm_banking.identity.models import User
from llm_banking.identity.principal import Permission, Principal, requires
from llm_banking.identity.second_factors import FactorProof
from llm_banking.identity.step_up import Challenge, Method, Refusal, StepUp, lock_user
from llm_banking.kit import outbox
from llm_banking.kit.clock import utc_now
from llm_banking.kit.ids import uuid7
from llm_banking.kit.money import Money
from llm_banking.kit.plain_text import plain
from llm_banking.operations.drafts import MAX_NOTE_CHARS, BillPayment, Draft, Kind, OwnTransfer, PayeeTransfer
from llm_banking.operations.errors import (
    AmountLimitError,
    NotPossibleError,
    PendingAlteredError,
    PendingClosedError,
    PendingExpiredError,
    StepUpNeededError,
    TooManyOpenError,
)
from llm_banking.operations.models import BankOperation, PendingOperation
from llm_banking.operations.payload import Payer, Payload, Receiver, canonical, entry_of, hash_of, summary_of
from llm_banking.operations.policy import OperationPolicy
from llm_banking.operations.records import Operation, Pending, confirmation_code, locked, sent_since

Channel = Literal["api", "chat"]
DAY = timedelta(hours=24)
_MAY = requires(Permission.BANKING_WRITE)
_PAYS_FROM = ("checking", "savings")
_NO_CLOSING_QUOTE = {ord(one): '"' for one in "“”„‟″"}
"""The text shown puts a note between curly quotes, and a note must not end them and go on as if it were the bank."""
_KIND_OF = {OwnTransfer: Kind.OWN_TRANSFER, PayeeTransfer: Kind.PAYEE_TRANSFER, BillPayment: Kind.BILL_PAYMENT}


class Gate:
    """Proposes, approves and calls off. The person is always the principal's own `user_id`."""

    def __init__(self, step_up: StepUp, policy: OperationPolicy, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._step_up = step_up
        self._policy = policy
        self._clock = clock

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
    ) -> Pending:
        """Check a draft and freeze it. Nothing moves, and nothing is set aside.

        Raises AccountNotFoundError and PayeeNotFoundError (somebody else's too), AccountNotOpenError,
        InsufficientFundsError, AmountLimitError, TooManyOpenError, NotPossibleError, PlainTextError and ForbiddenError.
        """
        principal.check(_MAY)
        user_id, now = principal.user_id, self._clock()
        await lock_user(session, user_id)
        await self._close_overdue(session, user_id, now)
        payload = await self._freeze(session, user_id, draft)
        methods = await self._check(session, payload, now)
        document = payload.document()
        row = PendingOperation(
            id=UUID(payload.id),
            user_id=user_id,
            kind=payload.kind.value,
            payload=document,
            payload_hash=hash_of(document),
            summary=summary_of(payload),
            requires=sorted(method.value for method in methods),
            session_id=chat_session_id,
            channel=channel,
            status="pending",
            created_at=now,
            expires_at=now + self._policy.lifetime,
        )
        session.add(row)
        await session.flush()
        return Pending.of(row, now)

    async def begin_step_up(self, session: AsyncSession, principal: Principal, pending_id: UUID) -> Challenge | None:
        """A challenge for one operation as it was frozen; None where it needs no proof.

        Raises PendingNotFoundError, PendingExpiredError, PendingClosedError, and as `StepUp.begin` does.
        """
        principal.check(_MAY)
        await lock_user(session, principal.user_id)
        row, payload = await self._open(session, principal.user_id, pending_id)
        methods = _stricter(row, await self._check(session, payload, self._clock()))
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
        self, session: AsyncSession, principal: Principal, pending_id: UUID, *, proof: FactorProof | None
    ) -> Operation | Refusal:
        """Execute what was frozen, once. Who calls says that the owner approved this id, and nobody else may.

        A Refusal is a proof that did not hold: commit, for that counts it, then raise its error. Raises
        PendingNotFoundError, PendingExpiredError, PendingClosedError, StepUpNeededError, PendingAlteredError,
        AmountLimitError, InsufficientFundsError, AccountNotFoundError, AccountNotOpenError and PayeeNotFoundError;
        roll back then: nothing was done.
        """
        principal.check(_MAY)
        user_id, now = principal.user_id, self._clock()
        await lock_user(session, user_id)
        row, payload = await self._open(session, user_id, pending_id)
        methods = _stricter(row, await self._check(session, payload, now))
        if methods:
            if proof is None:
                raise StepUpNeededError(methods)
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

    async def void_open(self, session: AsyncSession, user_id: UUID, chat_session_id: UUID) -> int:
        """Call off what waits in a conversation of a person. Returns how many that were."""
        done = await session.scalars(
            update(PendingOperation)
            .where(
                PendingOperation.user_id == user_id,
                PendingOperation.session_id == chat_session_id,
                PendingOperation.status == "pending",
            )
            .values(status="voided")
            .returning(PendingOperation.id)
        )
        return len(done.all())

    async def _close_overdue(self, session: AsyncSession, user_id: UUID, now: datetime) -> None:
        """Mark what expired, and refuse another one where too many wait."""
        waiting = (PendingOperation.user_id == user_id, PendingOperation.status == "pending")
        overdue = update(PendingOperation).where(*waiting, PendingOperation.expires_at <= now)
        await session.execute(overdue.values(status="expired"))
        if (await session.scalar(select(func.count()).where(*waiting)) or 0) >= self._policy.open_at_most:
            raise TooManyOpenError(self._policy.open_at_most, self._policy.lifetime)

    async def _freeze(self, session: AsyncSession, user_id: UUID, draft: Draft) -> Payload:
        """Everything that will be shown and posted, as it is now."""
        kind = _KIND_OF[type(draft)]
        if draft.amount.amount_minor < 1:
            raise NotPossibleError("An amount is more than nothing.")
        payer = await _account(session, user_id, draft.from_account)
        if payer.kind not in _PAYS_FROM:
            raise NotPossibleError("Money is sent from a checking or a savings account. Choose one of those.")
        if payer.currency != draft.amount.currency:
            raise NotPossibleError(f"This account is in {payer.currency}. Give the amount in that currency.")
        holder = await session.scalar(select(User.display_name).where(User.id == user_id))
        return Payload(
            id=str(uuid7()),
            user_id=str(user_id),
            kind=kind,
            payer=Payer(str(payer.id), payer.name, payer.number_last4, holder or ""),
            receiver=await _receiver(session, user_id, draft, payer),
            amount_minor=draft.amount.amount_minor,
            fee_minor=self._policy.fee(kind, payer.currency).amount_minor,
            currency=payer.currency,
            note=_note(draft),
        )

    async def _check(self, session: AsyncSession, payload: Payload, now: datetime) -> frozenset[Method]:
        """By which factors a payload is proved that may be executed now. Raises where it may not."""
        user_id, amount = UUID(payload.user_id), payload.amount
        limits = self._policy.limits_of(amount.currency)
        payer = await _account(session, user_id, UUID(payload.payer.account_id))
        if payer.status != "open":
            raise AccountNotOpenError
        receiver, payee = payload.receiver, None
        if receiver.payee_id is not None:
            payee = await payee_of(session, user_id, UUID(receiver.payee_id))
        else:
            await _account(session, user_id, UUID(receiver.account_id or ""))
        if amount.amount_minor > limits.per_operation.amount_minor:
            raise AmountLimitError("for one operation", limits.per_operation)
        today = await sent_since(session, user_id, amount.currency, now - DAY) + amount
        if today.amount_minor > limits.per_day.amount_minor:
            raise AmountLimitError("for a day", limits.per_day)
        if payee is not None and now - payee.created_at < self._policy.new_payee_period:
            sent = await sent_since(session, user_id, amount.currency, payee.created_at, payee.id) + amount
            if sent.amount_minor > limits.new_payee_limit.amount_minor:
                raise AmountLimitError("for a payee who was just added", limits.new_payee_limit)
        if available(payer).amount_minor < payload.total.amount_minor:
            raise InsufficientFundsError
        first_payment = payee is not None and payee.first_paid_at is None
        return self._policy.methods(amount, first_payment=first_payment)

    async def _open(self, session: AsyncSession, user_id: UUID, pending_id: UUID) -> tuple[PendingOperation, Payload]:
        """A row that can still be approved, and what it froze. Locks the row."""
        row = await locked(session, user_id, pending_id)
        if row.status == "expired" or (row.status == "pending" and self._clock() >= row.expires_at):
            raise PendingExpiredError
        if row.status != "pending":
            raise PendingClosedError(row.status)
        return row, _as_shown(row)

    async def _execute(
        self, session: AsyncSession, row: PendingOperation, payload: Payload, now: datetime
    ) -> Operation:
        entry = entry_of(payload, now)
        row.status, row.consumed_at = "consumed", now
        await session.flush()
        if await ledger_store.post(session, entry) is not ledger_store.Posted.NOW:
            raise PendingClosedError("consumed")
        payee_id = UUID(payload.receiver.payee_id) if payload.receiver.payee_id else None
        if payee_id is not None:
            await note_first_payment(session, row.user_id, payee_id, now)
        done = BankOperation(
            id=uuid7(),
            user_id=row.user_id,
            kind=row.kind,
            pending_id=row.id,
            entry_id=entry.id,
            payee_id=payee_id,
            status="executed",
            amount_minor=payload.amount_minor,
            currency=payload.currency,
            request=row.payload,
            result=_result(payload),
            confirmation_code=confirmation_code(),
            created_at=row.created_at,
            executed_at=now,
        )
        session.add(done)
        await session.flush()
        news = {"operation_id": str(row.id), "kind": row.kind, "entry_id": str(entry.id)}
        outbox.tell(session, row.user_id, "operation.executed", news)
        await session.flush()
        return Operation.of(done, row.summary)


def available(account: Account) -> Money:
    """What can go from an account: what is on it, without what is set aside, down to its floor."""
    return Money(account.balance_minor - account.held_minor - (account.floor_minor or 0), account.currency)


def _as_shown(row: PendingOperation) -> Payload:
    """What a row froze. Raises PendingAlteredError where any part of the row is not what was made together."""
    try:
        payload = Payload.of(row.payload)
    except (KeyError, TypeError, ValueError) as error:
        raise PendingAlteredError from error
    same = (
        hmac.compare_digest(hash_of(row.payload), row.payload_hash),
        summary_of(payload) == row.summary,
        (payload.id, payload.user_id, payload.kind.value) == (str(row.id), str(row.user_id), row.kind),
    )
    if not all(same):
        raise PendingAlteredError
    return payload


def _stricter(row: PendingOperation, methods: frozenset[Method]) -> frozenset[Method]:
    """By which factors an operation may be proved: what was said when it was frozen, and what the policy says now."""
    frozen = frozenset(Method(one) for one in row.requires)
    return frozen & methods if frozen and methods else frozen | methods


def _result(payload: Payload) -> dict[str, Any]:
    return {"amount": payload.amount.as_decimal_string(), "fee": payload.fee.as_decimal_string()}


def _note(draft: Draft) -> str | None:
    if not isinstance(draft, PayeeTransfer) or not (draft.note or "").strip():
        return None
    return plain(draft.note or "", most_chars=MAX_NOTE_CHARS).translate(_NO_CLOSING_QUOTE)


async def _account(session: AsyncSession, user_id: UUID, account_id: UUID) -> Account:
    """One of the customer's own accounts as it is now. Raises AccountNotFoundError."""
    found = await session.scalar(
        select(Account)
        .where(Account.id == account_id, Account.user_id == user_id)
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise AccountNotFoundError
    return found


async def _receiver(session: AsyncSession, user_id: UUID, draft: Draft, payer: Account) -> Receiver:
    """Who is credited: another of the customer's own accounts, or one of their payees."""
    if isinstance(draft, OwnTransfer):
        to = await _account(session, user_id, draft.to_account)
        if to.id == payer.id or to.currency != payer.currency:
            raise NotPossibleError("Money is moved between two different accounts in one currency.")
        if to.status == "closed":
            raise AccountNotOpenError
        return Receiver(to.name, to.number_last4, str(to.id), None)
    payee = await payee_of(session, user_id, draft.payee_id)
    wanted = PayeeKind.BILLER if isinstance(draft, BillPayment) else PayeeKind.PERSON
    if payee.kind != wanted:
        raise NotPossibleError("A person is sent money, and a biller's bill is paid. Ask for the one that fits.")
    if payee.currency is not None and payee.currency != payer.currency:
        raise NotPossibleError(f"This payee's account is in {payee.currency}. Choose an account in that currency.")
    return Receiver(payee.name, payee.account_last4, str(payee.account_id) if payee.account_id else None, str(payee.id))
