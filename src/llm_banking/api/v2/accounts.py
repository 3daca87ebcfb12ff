"""A customer's accounts: what is on them, what happened on them, and statements."""

from __future__ import annotations

import asyncio
from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from fastapi import Query, Request
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError
from starlette.responses import Response

from llm_banking.api.dependencies import CallerDep, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, Model, Timestamp, metadata_of
from llm_banking.api.money import MoneyBody
from llm_banking.api.paging import Cursor, Limit, Page
from llm_banking.banking.core import (
    AccountDetails,
    AccountKind,
    AccountStatus,
    get_account,
    list_accounts,
    list_transactions,
    statement_of,
)
from llm_banking.banking.statement_documents import as_csv, as_pdf
from llm_banking.banking.statements import MONTH_PATTERN, Month
from llm_banking.identity.principal import Permission, requires
from llm_banking.kit.clock import utc_now

routes = router("/api/v2/accounts", "accounts")


def _written_out(value: object) -> object:
    """A day as RFC 3339 writes it; a bare number is none."""
    if isinstance(value, str) and len(value) == len("2026-10-31") and value[4] == value[7] == "-":
        return value
    raise PydanticCustomError("date_form", "must be a day like 2026-10-31")


Day = Annotated[date, BeforeValidator(_written_out)]


class StatementFormat(StrEnum):
    """How a statement comes."""

    CSV = "csv"
    PDF = "pdf"


class AccountBody(Model):
    """An account. `available` is what may leave it now, credit line included; null where no limit is set."""

    id: UUID
    kind: AccountKind
    name: str
    number_last4: str
    status: AccountStatus
    balance: MoneyBody
    held: MoneyBody
    available: MoneyBody | None


class AccountList(Model):
    """All accounts of the caller."""

    items: list[AccountBody]


class TransactionBody(Model):
    """A final posting; positive is a credit."""

    id: UUID
    amount: MoneyBody
    description: str
    booked_at: Timestamp


def _body(one: AccountDetails) -> AccountBody:
    return AccountBody(
        id=one.id,
        kind=one.kind,
        name=one.name,
        number_last4=one.number_last4,
        status=one.status,
        balance=MoneyBody.of(one.balance),
        held=MoneyBody.of(one.held),
        available=None if one.available is None else MoneyBody.of(one.available),
    )


@routes.get("")
@policy(requires(Permission.BANKING_READ))
async def get_accounts(request: Request, caller: CallerDep, services: ServicesDep) -> Envelope[AccountList]:
    """The caller's accounts with their balances."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        found = await list_accounts(session, caller.user_id)
    return Envelope(data=AccountList(items=[_body(one) for one in found]), metadata=metadata_of(request))


@routes.get("/{account_id}")
@policy(requires(Permission.BANKING_READ))
async def get_one_account(
    request: Request, account_id: UUID, caller: CallerDep, services: ServicesDep
) -> Envelope[AccountBody]:
    """One account."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        found = await get_account(session, caller.user_id, account_id)
    return Envelope(data=_body(found), metadata=metadata_of(request))


@routes.get("/{account_id}/transactions")
@policy(requires(Permission.BANKING_READ))
async def get_transactions(
    request: Request,
    account_id: UUID,
    caller: CallerDep,
    services: ServicesDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    first_day: Annotated[Day | None, Query(alias="from", description="The first day, in UTC.")] = None,
    last_day: Annotated[Day | None, Query(alias="to", description="The last day, in UTC.")] = None,
) -> Envelope[Page[TransactionBody]]:
    """An account's transactions, the newest first."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        rows, following = await list_transactions(
            session,
            caller.user_id,
            account_id,
            limit=limit,
            cursor=cursor,
            first_day=first_day,
            last_day=last_day,
        )
    items = [
        TransactionBody(
            id=one.id, amount=MoneyBody.of(one.amount), description=one.description, booked_at=one.booked_at
        )
        for one in rows
    ]
    return Envelope(data=Page(items=items, next_cursor=following), metadata=metadata_of(request))


@routes.get(
    "/{account_id}/statement",
    response_class=Response,
    responses={
        200: {
            "description": "The statement.",
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "application/pdf": {"schema": {"type": "string", "format": "binary"}},
            },
        }
    },
)
@policy(requires(Permission.BANKING_READ))
async def get_statement(
    account_id: UUID,
    caller: CallerDep,
    services: ServicesDep,
    month: Annotated[
        str | None, Query(pattern=MONTH_PATTERN, description="Like 2026-10; else the last whole one.")
    ] = None,
    wanted: Annotated[StatementFormat, Query(alias="format")] = StatementFormat.CSV,
) -> Response:
    """An account's statement of a month, which reconciles with the ledger."""
    today = utc_now().date()
    asked = Month.of(today).before if month is None else Month.parse(month)
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        statement = await statement_of(session, caller.user_id, account_id, asked, today=today)
        holder = (await services.identity.accounts.user(session, caller)).display_name
    if wanted is StatementFormat.CSV:
        content, media_type = as_csv(statement), "text/csv; charset=utf-8"
    else:
        bank = services.knowledge.facts["bank_name"].render()
        content = await asyncio.to_thread(as_pdf, statement, bank=bank, holder=holder)
        media_type = "application/pdf"
    name = f"statement-{statement.number_last4}-{asked}.{wanted}"
    return Response(content, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
