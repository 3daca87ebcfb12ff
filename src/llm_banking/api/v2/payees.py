"""Whom the caller pays."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from fastapi import Request
from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from llm_banking.api.dependencies import CallerDep, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, Model, Timestamp, metadata_of, one_of
from llm_banking.api.text import ShortText
from llm_banking.banking.models import Payee
from llm_banking.banking.payees import EXTERNAL_PATTERN, PayeeAccount, PayeeKind, payees_of
from llm_banking.identity.principal import LimitClass, Permission, requires

routes = router("/api/v2/payees", "payees")

_REFERENCE = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


class PayeeRequest(Model):
    """Somebody to pay: at this bank by the reference of their account and their name, elsewhere by account number.

    `account_reference` is the id that the payee reads in their own list of accounts.
    """

    model_config = ConfigDict(json_schema_extra=one_of("account_reference", "account_number"))

    kind: PayeeKind
    name: ShortText
    account_reference: Annotated[str | None, Field(pattern=_REFERENCE)] = None
    account_number: Annotated[str | None, Field(pattern=EXTERNAL_PATTERN, repr=False)] = None

    @model_validator(mode="after")
    def _one_account(self) -> Self:
        if (self.account_reference is None) == (self.account_number is None):
            raise PydanticCustomError("one_account", "needs an account's reference or number, and not both")
        return self

    def account(self) -> PayeeAccount:
        """In the service's terms."""
        reference = None if self.account_reference is None else UUID(self.account_reference)
        return PayeeAccount(reference, self.account_number)


class PayeeBody(Model):
    """A payee. Of the account, the last four characters."""

    id: UUID
    kind: PayeeKind
    name: str
    account_last4: str
    at_this_bank: bool
    created_at: Timestamp
    first_paid_at: Timestamp | None


class PayeeList(Model):
    """The caller's payees, by name."""

    items: list[PayeeBody]


class RemovedPayee(Model):
    """Confirms that a payee was removed."""

    id: UUID
    removed: bool


def _body(row: Payee) -> PayeeBody:
    return PayeeBody(
        id=row.id,
        kind=PayeeKind(row.kind),
        name=row.name,
        account_last4=row.account_last4,
        at_this_bank=row.account_id is not None,
        created_at=row.created_at,
        first_paid_at=row.first_paid_at,
    )


@routes.get("")
@policy(requires(Permission.BANKING_READ))
async def list_payees(request: Request, caller: CallerDep, services: ServicesDep) -> Envelope[PayeeList]:
    """The caller's payees."""
    async with services.database.transaction(visible_to={caller.user_id}) as session:
        rows = await payees_of(session, caller.user_id)
    return Envelope(data=PayeeList(items=[_body(row) for row in rows]), metadata=metadata_of(request))


@routes.post("", status_code=201)
@policy(requires(Permission.BANKING_WRITE, LimitClass.TRANSFER))
async def add_payee(
    request: Request, body: PayeeRequest, caller: CallerDep, services: ServicesDep
) -> Envelope[PayeeBody]:
    """Add a payee. For a day, and until it was paid once, less can be sent to it."""
    async with services.database.transaction(visible_to={caller.user_id}) as session:
        row = await services.payees.add(session, caller.user_id, kind=body.kind, name=body.name, account=body.account())
    return Envelope(data=_body(row), metadata=metadata_of(request))


@routes.delete("/{payee_id}")
@policy(requires(Permission.BANKING_WRITE, LimitClass.TRANSFER))
async def remove_payee(
    request: Request, payee_id: UUID, caller: CallerDep, services: ServicesDep
) -> Envelope[RemovedPayee]:
    """Remove a payee. What was paid to it stays on record."""
    async with services.database.transaction(visible_to={caller.user_id}) as session:
        await services.payees.remove(session, caller.user_id, payee_id)
    return Envelope(data=RemovedPayee(id=payee_id, removed=True), metadata=metadata_of(request))
