"""Payments: what is checked before one is shown and again before it is made, and how it is posted or scheduled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.banking import core
from llm_banking.banking.bank_days import BankDays
from llm_banking.banking.core import AccountDetails, AccountStatus, get_account
from llm_banking.banking.errors import AccountNotOpenError, InsufficientFundsError
from llm_banking.banking.fees import FeeSchedule
from llm_banking.banking.ledger import Entry
from llm_banking.banking.models import Payee
from llm_banking.banking.payees import PayeeKind, note_first_payment, payee_of
from llm_banking.identity.models import User
from llm_banking.identity.step_up import Method
from llm_banking.kit.clock import utc_now
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.ids import uuid7
from llm_banking.kit.money import Money
from llm_banking.kit.plain_text import NO_CLOSING_QUOTE, plain
from llm_banking.operations.drafts import (
    MAX_NOTE_CHARS,
    PAYMENTS,
    BillPayment,
    OwnTransfer,
    PayeeTransfer,
    PaymentDraft,
)
from llm_banking.operations.errors import AmountLimitError, NotPossibleError, PendingClosedError
from llm_banking.operations.handlers import Done
from llm_banking.operations.payment import Payer, Payment, Receiver, entry_of
from llm_banking.operations.planning import add_schedule, check_room, plan
from llm_banking.operations.policy import OperationPolicy
from llm_banking.operations.records import sent_since
from llm_banking.operations.when import NOW

DAY = timedelta(hours=24)


class Payments:
    """The handler of own transfers, transfers to payees and bill payments.

    Raises ConfigurationError where the fees leave one of them out.
    """

    def __init__(
        self, policy: OperationPolicy, fees: FeeSchedule, days: BankDays, *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        missing = sorted({kind.value for kind in PAYMENTS} - set(fees.fees))
        if missing:
            raise ConfigurationError(f"banking/data/fees.yml names no fee for {', '.join(missing)}. Add it, or '{{}}'.")
        self._policy = policy
        self._fees = fees
        self._days = days
        self._clock = clock

    async def freeze(self, session: AsyncSession, user_id: UUID, draft: PaymentDraft) -> Payment:
        """Everything that will be shown and posted, as it is now."""
        if draft.amount.amount_minor < 1:
            raise NotPossibleError("An amount is more than nothing.")
        payer = await get_account(session, user_id, draft.from_account)
        if payer.balance.currency != draft.amount.currency:
            raise NotPossibleError(f"This account is in {payer.balance.currency}. Give the amount in that currency.")
        if payer.kind not in self._policy.limits_of(payer.balance.currency).account_per_day:
            raise NotPossibleError("Money is sent from a checking or a savings account. Choose one of those.")
        holder = await session.scalar(select(User.display_name).where(User.id == user_id))
        return Payment(
            id=str(uuid7()),
            user_id=str(user_id),
            kind=draft.kind,
            payer=Payer(str(payer.id), payer.name, payer.number_last4, holder or ""),
            receiver=await _receiver(session, user_id, draft, payer),
            amount_minor=draft.amount.amount_minor,
            fee_minor=self._fees.fee(draft.kind.value, draft.amount).amount_minor,
            currency=payer.balance.currency,
            note=_note(draft),
            when=plan(draft.when, self._days, self._days.today(self._clock()), self._policy.schedules),
        )

    def read(self, document: Mapping[str, Any]) -> Payment:
        """As Payment.of."""
        return Payment.of(document)

    async def check(self, session: AsyncSession, payload: Payment, now: datetime) -> frozenset[Method]:
        """By which factors a payload is proved that may be executed, or scheduled, now. Raises where it may not."""
        payer, payee = await self._parties(session, payload)
        if payload.when == NOW:
            await self._check_money(session, payload, payer, payee, now)
        else:
            await check_room(session, payload, self._days.today(now), self._policy.schedules)
        first_payment = payee is not None and payee.first_paid_at is None
        return self._policy.methods(payload.amount, first_payment=first_payment)

    async def execute(self, session: AsyncSession, payload: Payment, now: datetime) -> Done:
        """Post it, or put it on the customer's schedules.

        Raises PendingClosedError where it stood in the ledger already, and as `core.post` does.
        """
        result = {"amount": payload.amount.as_decimal_string(), "fee": payload.fee.as_decimal_string()}
        payee_id = UUID(payload.receiver.payee_id) if payload.receiver.payee_id else None
        if payload.when != NOW:
            add_schedule(session, payload, self._days, now)
            return Done("scheduled", payload.amount, None, payee_id, result)
        entry_id = await self._post(session, entry_of(payload, now), payload)
        return Done("executed", payload.amount, entry_id, payee_id, result)

    async def pay(self, session: AsyncSession, payload: Payment, number: int, now: datetime) -> UUID:
        """Make one payment of a schedule by what was approved; returns the entry's id.

        Raises as `check` and `execute` do, before anything is written.
        """
        payer, payee = await self._parties(session, payload)
        await self._check_money(session, payload, payer, payee, now)
        return await self._post(session, entry_of(payload, now, number=number), payload)

    async def _post(self, session: AsyncSession, entry: Entry, payload: Payment) -> UUID:
        if await core.post(session, entry) is not core.Posted.NOW:
            raise PendingClosedError("consumed")
        if payload.receiver.payee_id is not None:
            payee_id = UUID(payload.receiver.payee_id)
            await note_first_payment(session, UUID(payload.user_id), payee_id, entry.booked_at)
        return entry.id

    async def _parties(self, session: AsyncSession, payload: Payment) -> tuple[AccountDetails, Payee | None]:
        """Payer and payee as they are now, who may pay and be paid so much at once."""
        user_id, amount, receiver = UUID(payload.user_id), payload.amount, payload.receiver
        payer = await get_account(session, user_id, UUID(payload.payer.account_id))
        if payer.status is not AccountStatus.OPEN:
            raise AccountNotOpenError
        payee = None
        if receiver.payee_id is not None:
            payee = await payee_of(session, user_id, UUID(receiver.payee_id))
        else:
            await get_account(session, user_id, UUID(receiver.account_id or ""))
        limit = self._policy.limits_of(amount.currency).per_operation
        if amount.amount_minor > limit.amount_minor:
            raise AmountLimitError("for one operation", limit)
        return payer, payee

    async def _check_money(
        self, session: AsyncSession, payload: Payment, payer: AccountDetails, payee: Payee | None, now: datetime
    ) -> None:
        """What money has to do with it when it goes: what was sent before counts too, and funds.

        Limits are on a day, on one account in a day, and on a payee who is new.
        """
        user_id, amount = UUID(payload.user_id), payload.amount
        limits = self._policy.limits_of(amount.currency)
        sums: list[tuple[str, Money, datetime, UUID | None, UUID | None]] = [
            ("for a day", limits.per_day, now - DAY, None, None),
            (f"for a day from a {payer.kind} account", limits.account_per_day[payer.kind], now - DAY, None, payer.id),
        ]
        if payee is not None and now - payee.created_at < self._policy.new_payee_period:
            sums.append(("for a payee who was just added", limits.new_payee_limit, payee.created_at, payee.id, None))
        for what, limit, since, payee_id, account_id in sums:
            sent = await sent_since(session, user_id, amount.currency, since, payee_id=payee_id, account_id=account_id)
            if (sent + amount).amount_minor > limit.amount_minor:
                raise AmountLimitError(what, limit)
        free = payer.balance + -payer.held if payer.available is None else payer.available
        if free.amount_minor < payload.total.amount_minor:
            raise InsufficientFundsError


def _note(draft: PaymentDraft) -> str | None:
    if not isinstance(draft, PayeeTransfer) or not (draft.note or "").strip():
        return None
    return plain(draft.note or "", most_chars=MAX_NOTE_CHARS).translate(NO_CLOSING_QUOTE)


async def _receiver(session: AsyncSession, user_id: UUID, draft: PaymentDraft, payer: AccountDetails) -> Receiver:
    """Who is credited: another of the customer's own accounts, or one of their payees."""
    if isinstance(draft, OwnTransfer):
        to = await get_account(session, user_id, draft.to_account)
        if to.id == payer.id or to.balance.currency != payer.balance.currency:
            raise NotPossibleError("Money is moved between two different accounts in one currency.")
        if to.status is AccountStatus.CLOSED:
            raise AccountNotOpenError
        return Receiver(to.name, to.number_last4, str(to.id), None)
    payee = await payee_of(session, user_id, draft.payee_id)
    wanted = PayeeKind.BILLER if isinstance(draft, BillPayment) else PayeeKind.PERSON
    if payee.kind != wanted:
        raise NotPossibleError("A person is sent money, and a biller's bill is paid. Ask for the one that fits.")
    if payee.currency is not None and payee.currency != payer.balance.currency:
        raise NotPossibleError(f"This payee's account is in {payee.currency}. Choose an account in that currency.")
    return Receiver(payee.name, payee.account_last4, str(payee.account_id) if payee.account_id else None, str(payee.id))
