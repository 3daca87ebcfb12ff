"""Accounts, transactions and statements over HTTP, as a demo customer who signed in."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from llm_banking.banking import statements
from llm_banking.banking.accounts import sql
from llm_banking.banking.statements import Month
from llm_banking.identity.demo import CUSTOMERS, DemoCustomer
from llm_banking.identity.principal import Permission, Principal
from llm_banking.kit.clock import utc_now
from tests.api.test_policies import letting_in

ANA, BEN, _ = CUSTOMERS
BANKING = frozenset({Permission.BANKING_READ, Permission.BANKING_WRITE})


@contextmanager
def signed_in(app: FastAPI, customer: DemoCustomer, permissions: frozenset[Permission] = BANKING) -> Iterator[None]:
    principal = Principal(
        customer.user_id, customer.customer_number, permissions, frozenset({customer.user_id}), session_id=uuid4()
    )
    with letting_in(app, lambda _: principal):
        yield


@pytest.fixture
def as_ana(app: FastAPI) -> Iterator[None]:
    with signed_in(app, ANA):
        yield


async def data_of(client: AsyncClient, path: str, **params: Any) -> Any:
    response = await client.get(path, params=params)
    assert response.status_code == 200, response.text
    return response.json()["data"]


async def accounts_of(client: AsyncClient) -> dict[str, dict[str, Any]]:
    return {one["kind"]: one for one in (await data_of(client, "/api/v2/accounts"))["items"]}


@pytest.mark.usefixtures("as_ana")
async def test_accounts_come_with_exact_balances(client: AsyncClient) -> None:
    found = await accounts_of(client)
    assert list(found) == ["checking", "savings", "credit_card"]
    for one in found.values():
        assert set(one) == {"id", "kind", "name", "number_last4", "status", "balance", "held", "available"}
        assert re.fullmatch(r"-?\d+\.\d\d", one["balance"]["amount"])
        assert one["balance"]["currency"] == "USD"
        assert await data_of(client, f"/api/v2/accounts/{one['id']}") == one
    card = found["credit_card"]
    assert Decimal(card["available"]["amount"]) == Decimal(card["balance"]["amount"]) + 10_000


@pytest.mark.usefixtures("as_ana")
async def test_transactions_in_pages_and_by_day(client: AsyncClient) -> None:
    path = f"/api/v2/accounts/{(await accounts_of(client))['checking']['id']}/transactions"
    whole = (await data_of(client, path, limit=100))["items"]
    seen: list[dict[str, Any]] = []
    cursor = None
    while cursor is not None or not seen:
        page = await data_of(client, path, limit=17, **({"cursor": cursor} if cursor else {}))
        seen += page["items"]
        cursor = page["next_cursor"]
    assert seen[:100] == whole
    assert len({one["id"] for one in seen}) == len(seen)
    balance = (await accounts_of(client))["checking"]["balance"]["amount"]
    assert sum(Decimal(one["amount"]["amount"]) for one in seen) == Decimal(balance)
    day = whole[5]["booked_at"][:10]
    on_the_day = (await data_of(client, path, **{"from": day, "to": day}))["items"]
    assert on_the_day == [one for one in seen if one["booked_at"].startswith(day)]


@pytest.mark.usefixtures("as_ana")
async def test_a_statement_reconciles_with_the_transactions_and_the_balance(client: AsyncClient) -> None:
    for account in (await accounts_of(client)).values():
        path = f"/api/v2/accounts/{account['id']}"
        month, closing = Month.of(utc_now().date()).before, ""
        for asked in (month.before, month, Month.of(utc_now().date())):
            response = await client.get(f"{path}/statement", params={"month": str(asked)})
            assert response.headers["content-type"] == "text/csv; charset=utf-8"
            assert response.headers["cache-control"] == "no-store"
            name = f"statement-{account['number_last4']}-{asked}.csv"
            assert response.headers["content-disposition"] == f'attachment; filename="{name}"'
            opening, *lines, last = csv.DictReader(StringIO(response.text, newline=""))
            span = {"from": str(asked.first_day), "to": str(asked.last_day), "limit": 100}
            listed = (await data_of(client, f"{path}/transactions", **span))["items"]
            assert [one["reference"] for one in lines] == [one["id"] for one in reversed(listed)]
            total = sum(Decimal(one["amount"]) for one in lines)
            assert Decimal(opening["balance"]) + total == Decimal(last["balance"])
            assert closing in ("", opening["balance"])
            closing = last["balance"]
        assert closing == account["balance"]["amount"]


@pytest.mark.usefixtures("as_ana")
async def test_a_statement_as_pdf_and_of_the_last_whole_month_where_none_is_named(client: AsyncClient) -> None:
    path = f"/api/v2/accounts/{(await accounts_of(client))['checking']['id']}/statement"
    response = await client.get(path, params={"format": "pdf"})
    assert (response.status_code, response.headers["content-type"]) == (200, "application/pdf")
    assert response.content.startswith(b"%PDF-1.7")
    assert f"{Month.of(utc_now().date()).before}.pdf" in response.headers["content-disposition"]


@pytest.mark.usefixtures("as_ana")
async def test_what_cannot_be_asked(client: AsyncClient) -> None:
    account = f"/api/v2/accounts/{(await accounts_of(client))['checking']['id']}"
    for path, status, code in (
        (f"/api/v2/accounts/{uuid4()}", 404, "NOT_FOUND"),
        (f"/api/v2/accounts/{uuid4()}/transactions", 404, "NOT_FOUND"),
        (f"/api/v2/accounts/{uuid4()}/statement", 404, "NOT_FOUND"),
        ("/api/v2/accounts/7", 422, "INVALID_REQUEST"),
        (f"{account}/transactions?limit=0", 422, "INVALID_REQUEST"),
        (f"{account}/transactions?limit=101", 422, "INVALID_REQUEST"),
        (f"{account}/transactions?cursor=abc", 422, "INVALID_REQUEST"),
        (f"{account}/transactions?from=2026-02-30", 422, "INVALID_REQUEST"),
        (f"{account}/transactions?from=1767225600", 422, "INVALID_REQUEST"),
        (f"{account}/transactions?from=2026-10-31T00:00:00", 422, "INVALID_REQUEST"),
        (f"{account}/transactions?from=2026-10-31&to=2026-10-30", 422, "INVALID_REQUEST"),
        (f"{account}/statement?month=2026-13", 422, "INVALID_REQUEST"),
        (f"{account}/statement?month=2099-12", 404, "NOT_FOUND"),
        (f"{account}/statement?format=xml", 422, "INVALID_REQUEST"),
    ):
        response = await client.get(path)
        assert (response.status_code, response.json()["error"]["code"]) == (status, code), path
    assert (await client.get(f"{account}/transactions?from=0001-01-01&to=9999-12-31")).status_code == 200


@pytest.mark.usefixtures("as_ana")
async def test_a_statement_that_differs_from_the_ledger_is_never_sent(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: the newest posting is missed."""
    path = f"/api/v2/accounts/{(await accounts_of(client))['checking']['id']}/statement"
    planted = str(statements._STATEMENT).replace("LIMIT :most", "LIMIT :most - 5000")
    monkeypatch.setattr(statements, "_STATEMENT", sql(planted))
    for wanted in ("csv", "pdf"):
        response = await client.get(path, params={"format": wanted})
        assert (response.status_code, response.json()["error"]["code"]) == (500, "INTERNAL")
        assert "on our side" in response.json()["error"]["message"]


async def test_somebody_elses_account_is_not_there(app: FastAPI, client: AsyncClient) -> None:
    with signed_in(app, BEN):
        theirs = (await accounts_of(client))["checking"]["id"]
    with signed_in(app, ANA):
        for what in ("", "/transactions", "/statement", "/statement?format=pdf"):
            response = await client.get(f"/api/v2/accounts/{theirs}{what}")
            nothing = await client.get(f"/api/v2/accounts/{uuid4()}{what}")
            assert response.status_code == nothing.status_code == 404
            assert response.json()["error"] == nothing.json()["error"]


async def test_the_permission_is_asked_for(app: FastAPI, client: AsyncClient) -> None:
    assert (await client.get("/api/v2/accounts")).status_code == 403, "the demo principal has no banking"
    with signed_in(app, ANA, frozenset({Permission.CHAT_READ})):
        assert (await client.get("/api/v2/accounts")).status_code == 403
