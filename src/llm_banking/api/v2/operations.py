"""Moving money: propose, prove, confirm. Nothing moves before a confirmation, and each moves it once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Body, Query, Request
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.api.auth.step_up import ChallengeBody, StepUpAnswer
from llm_banking.api.dependencies import CallerDep, Services, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, Model, Timestamp, metadata_of
from llm_banking.api.idempotency import IdempotencyKey, OptionalIdempotencyKey, answered_once
from llm_banking.api.money import Amount, Currency
from llm_banking.api.text import ShortText
from llm_banking.api.v2.card_requests import CardLimitsRequest, CardRequest
from llm_banking.api.v2.contact import ContactChangeRequest, ContactCodeText
from llm_banking.api.v2.disputes import DisputeRequest
from llm_banking.api.v2.loans import LoanApplicationRequest
from llm_banking.api.v2.when import WhenBody, WhenRequest, when_body, wish_of
from llm_banking.identity.principal import LimitClass, Permission, Principal, requires
from llm_banking.identity.second_factors import FactorProof
from llm_banking.identity.step_up import Method, Refusal
from llm_banking.kit.clock import utc_now
from llm_banking.kit.money import Money
from llm_banking.operations.drafts import BillPayment, Draft, Kind, OwnTransfer, PayeeTransfer
from llm_banking.operations.records import MAX_PAGE_ROWS, Pending, Record, record_of, records_of
from llm_banking.operations.when import NOW

routes = router("/api/v2/operations", "operations")

Status = Literal["pending", "executed", "voided", "expired", "failed", "scheduled"]
PAGE_CURSOR = "^[0-9a-f]{32}$"


class OwnTransferRequest(Model):
    """Move money between two of the caller's accounts."""

    kind: Literal[Kind.OWN_TRANSFER]
    from_account: UUID
    to_account: UUID
    amount: Amount
    currency: Currency
    when: WhenRequest = NOW

    def draft(self) -> Draft:
        """In the gate's terms. Raises MoneyError."""
        amount = Money.parse(self.amount, self.currency)
        return OwnTransfer(self.from_account, self.to_account, amount, wish_of(self.when))


class PayeeTransferRequest(Model):
    """Send money to a person among the caller's payees, who reads the note."""

    kind: Literal[Kind.PAYEE_TRANSFER]
    from_account: UUID
    payee_id: UUID
    amount: Amount
    currency: Currency
    note: ShortText | None = None
    when: WhenRequest = NOW

    def draft(self) -> Draft:
        """In the gate's terms. Raises MoneyError."""
        amount = Money.parse(self.amount, self.currency)
        return PayeeTransfer(self.from_account, self.payee_id, amount, self.note, wish_of(self.when))


class BillPaymentRequest(Model):
    """Pay a biller among the caller's payees."""

    kind: Literal[Kind.BILL_PAYMENT]
    from_account: UUID
    payee_id: UUID
    amount: Amount
    currency: Currency
    when: WhenRequest = NOW

    def draft(self) -> Draft:
        """In the gate's terms. Raises MoneyError."""
        amount = Money.parse(self.amount, self.currency)
        return BillPayment(self.from_account, self.payee_id, amount, wish_of(self.when))


OperationRequest = Annotated[
    OwnTransferRequest
    | PayeeTransferRequest
    | BillPaymentRequest
    | CardRequest
    | CardLimitsRequest
    | DisputeRequest
    | LoanApplicationRequest
    | ContactChangeRequest,
    Field(discriminator="kind"),
]


class OperationBody(Model):
    """An operation from its proposal on. `summary` is the text to show; one of the factors in `requires` is proved.

    `amount`, `fee` and `currency` are null where no money moves; `from_account` is the caller's account that pays, null
    where none does.
    One whose `when` is not "now" is `scheduled` once it was confirmed; its payments are at
    GET /api/v2/scheduled-payments/{id}. `id` stays the same; `confirmation_code` is there once it was confirmed,
    `executed_at` once it was executed.
    """

    id: UUID
    kind: Kind
    status: Status
    summary: str
    amount: str | None
    fee: str | None
    currency: str | None
    when: WhenBody | None
    requires: list[Method]
    created_at: Timestamp
    expires_at: Timestamp
    executed_at: Timestamp | None
    confirmation_code: str | None
    from_account: UUID | None


class OperationPage(Model):
    """Operations, and where the next page begins (null on the last)."""

    items: list[OperationBody]
    next_cursor: str | None


class StepUpBody(Model):
    """What to prove before confirming; null where nothing is asked for."""

    challenge: ChallengeBody | None


class ConfirmRequest(Model):
    """The answer to a challenge, where one is needed; for a change of address also the code that was sent there."""

    step_up: StepUpAnswer | None = None
    code: Annotated[ContactCodeText | None, Field(repr=False)] = None

    def proof(self) -> FactorProof | None:
        """The answer in the gate's terms."""
        return None if self.step_up is None else FactorProof(self.step_up.challenge_id, self.step_up.proof)


def body_of(record: Record) -> OperationBody:
    """An operation as it is sent."""
    pending, done = record.pending, record.operation
    return OperationBody(
        id=pending.id,
        kind=Kind(pending.kind),
        status=done.status if done is not None else pending.status,
        summary=pending.summary,
        amount=decimal(pending.payload, "amount_minor"),
        fee=decimal(pending.payload, "fee_minor"),
        currency=pending.payload.get("currency"),
        when=when_body(pending.payload),
        requires=sorted(Method(one) for one in pending.requires),
        created_at=pending.created_at,
        expires_at=pending.expires_at,
        executed_at=done.executed_at if done is not None else None,
        confirmation_code=done.confirmation_code if done is not None else None,
        from_account=_from_account(pending),
    )


def decimal(payload: Mapping[str, Any], name: str) -> str | None:
    """An amount of a payload that has some."""
    minor, currency = payload.get(name), payload.get("currency")
    return None if minor is None or currency is None else Money(minor, currency).as_decimal_string()


def _from_account(pending: Pending) -> UUID | None:
    payer = pending.payload.get("payer")
    return None if payer is None else UUID(payer["account_id"])


async def approved(
    services: Services, session: AsyncSession, caller: Principal, operation_id: UUID, asked: ConfirmRequest
) -> OperationBody | Refusal:
    """Approve an operation in the caller's name, in this transaction."""
    done = await services.gate.approve(session, caller, operation_id, proof=asked.proof(), code=asked.code)
    if isinstance(done, Refusal):
        return done
    return body_of(await record_of(session, caller.user_id, operation_id, now=utc_now()))


@routes.post("", status_code=201)
@policy(requires(Permission.BANKING_WRITE))
async def propose_operation(
    request: Request, body: OperationRequest, key: IdempotencyKey, caller: CallerDep, services: ServicesDep
) -> Envelope[OperationBody]:
    """Check and freeze an operation. Show its `summary`; nothing moves until it is confirmed."""

    async def work(session: AsyncSession) -> OperationBody:
        draft = body.draft_in(caller) if isinstance(body, ContactChangeRequest) else body.draft()
        pending = await services.gate.propose(session, caller, draft, channel="api")
        return body_of(Record(pending, None))

    sent = body.model_dump(mode="json")
    data = await answered_once(services, caller, request, sent, key=key, status=201, answer=OperationBody, work=work)
    return Envelope(data=data, metadata=metadata_of(request))


@routes.get("")
@policy(requires(Permission.BANKING_READ))
async def list_operations(
    request: Request,
    caller: CallerDep,
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE_ROWS)] = 20,
    cursor: Annotated[str | None, Query(pattern=PAGE_CURSOR)] = None,
) -> Envelope[OperationPage]:
    """The caller's operations, newest first."""
    before = None if cursor is None else UUID(cursor)
    async with services.database.transaction(visible_to={caller.user_id}) as session:
        found = await records_of(session, caller.user_id, now=utc_now(), limit=limit + 1, before=before)
    items = [body_of(one) for one in found[:limit]]
    following = items[-1].id.hex if len(found) > limit else None
    return Envelope(data=OperationPage(items=items, next_cursor=following), metadata=metadata_of(request))


@routes.get("/{operation_id}")
@policy(requires(Permission.BANKING_READ))
async def get_operation(
    request: Request, operation_id: UUID, caller: CallerDep, services: ServicesDep
) -> Envelope[OperationBody]:
    """One operation."""
    async with services.database.transaction(visible_to={caller.user_id}) as session:
        found = await record_of(session, caller.user_id, operation_id, now=utc_now())
    return Envelope(data=body_of(found), metadata=metadata_of(request))


@routes.post("/{operation_id}/step-up")
@policy(requires(Permission.BANKING_WRITE, LimitClass.TRANSFER))
async def begin_operation_step_up(
    request: Request, operation_id: UUID, caller: CallerDep, services: ServicesDep
) -> Envelope[StepUpBody]:
    """A challenge for this operation alone."""
    async with services.database.transaction(visible_to={caller.user_id}) as session:
        challenge = await services.gate.begin_step_up(session, caller, operation_id)
    body = StepUpBody(challenge=None if challenge is None else ChallengeBody.of(challenge))
    return Envelope(data=body, metadata=metadata_of(request))


@routes.post("/{operation_id}/confirm")
@policy(requires(Permission.BANKING_WRITE))
async def confirm_operation(
    request: Request,
    operation_id: UUID,
    caller: CallerDep,
    services: ServicesDep,
    body: Annotated[ConfirmRequest | None, Body()] = None,
    key: OptionalIdempotencyKey = None,
) -> Envelope[OperationBody]:
    """Execute an operation as it was frozen. It is committed before the answer leaves."""
    asked = body or ConfirmRequest()

    async def work(session: AsyncSession) -> OperationBody | Refusal:
        return await approved(services, session, caller, operation_id, asked)

    sent = asked.model_dump(mode="json")
    data = await answered_once(services, caller, request, sent, key=key, status=200, answer=OperationBody, work=work)
    return Envelope(data=data, metadata=metadata_of(request))
