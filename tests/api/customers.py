"""Customers of a world, over HTTP: with tokens of their own, against a gate on the world's clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from fastapi import FastAPI
from httpx import AsyncClient, Response

from llm_banking.identity.tokens import Subject
from llm_banking.kit.database import Database
from tests.api.people import bearer, on_a_clock
from tests.operations.world import Customer, World


@contextmanager
def world_of(app: FastAPI, database: Database) -> Iterator[World]:
    """A world whose gate and second factors are the application's."""
    with on_a_clock(app) as (clock, factors):
        world = World(database, clock)
        world.factors, world.gate = factors, app.state.services.gate
        app.state.services = replace(app.state.services, payees=world.payees)
        yield world


@dataclass
class Signed:
    """A customer who signed in."""

    customer: Customer
    client: AsyncClient
    token: str

    @classmethod
    def of(cls, app: FastAPI, client: AsyncClient, customer: Customer) -> Signed:
        subject = Subject(customer.id, "user", customer.session, 0, ("pwd",))
        return cls(customer, client, app.state.services.identity.tokens.issue(subject))

    async def get(self, path: str) -> Response:
        return await self.client.get(f"/api/v2{path}", headers=bearer(self.token))

    async def delete(self, path: str) -> Response:
        return await self.client.delete(f"/api/v2{path}", headers=bearer(self.token))

    async def post(self, path: str, body: dict[str, Any] | None = None, *, key: str | None = None) -> Response:
        headers = bearer(self.token) | ({"Idempotency-Key": key} if key else {})
        return await self.client.post(f"/api/v2{path}", json=body, headers=headers)

    def own(self, amount: str) -> dict[str, Any]:
        return {
            "kind": "own_transfer",
            "from_account": str(self.customer.checking),
            "to_account": str(self.customer.savings),
            "amount": amount,
            "currency": "USD",
        }

    async def propose(self, body: dict[str, Any], key: str | None = None) -> dict[str, Any]:
        response = await self.post("/operations", body, key=key or uuid4().hex)
        assert response.status_code == 201, response.text
        data: dict[str, Any] = response.json()["data"]
        return data

    async def code(self, operation_id: str) -> dict[str, Any]:
        """A challenge for an operation, answered with the app's code."""
        response = await self.post(f"/operations/{operation_id}/step-up")
        assert response.status_code == 200, response.text
        challenge = response.json()["data"]["challenge"]
        return {"step_up": {"challenge_id": challenge["challenge_id"], "code": self.customer.app_code()}}
