"""People who sign in over HTTP, with second factors on a clock of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

from fastapi import FastAPI
from httpx import AsyncClient, Response
from sqlalchemy import select

from llm_banking.identity.admission import Admission
from llm_banking.identity.models import User
from llm_banking.identity.second_factors import FactorStatus, SecondFactors
from llm_banking.identity.secret_box import SecretBox
from llm_banking.identity.sign_in import SignIn
from llm_banking.identity.sign_in_tickets import SignInTickets
from llm_banking.identity.throttle import SignInThrottle
from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Database, Scope
from llm_banking.operations.contact import ContactParts
from llm_banking.operations.contact_codes import ContactCodes
from llm_banking.operations.wiring import open_gate
from tests.identity.people import MASTER_KEYS, Clock, code_now, second_factors, with_passkey, with_totp
from tests.identity.software_authenticator import SoftwareAuthenticator

PASSWORD = "plum kettle orbits the quiet harbour"
TICKETS = SignInTickets(SecretBox(MASTER_KEYS))


@contextmanager
def on_a_clock(app: FastAPI) -> Iterator[tuple[Clock, SecondFactors]]:
    """The application whose second factors, and sign-ins and operations by them, go by a clock of ours."""
    clock, before = Clock(utc_now()), app.state.services
    factors, identity = second_factors(clock), before.identity
    throttle = SignInThrottle(identity.keyed)
    admission = Admission(identity.families, throttle, factors.step_up, TICKETS, clock=clock)
    ours = replace(
        identity,
        second_factors=factors,
        admission=admission,
        sign_in=SignIn(identity.hasher, throttle, admission),
    )
    parts = ContactParts(ContactCodes(identity.keyed, SecretBox(MASTER_KEYS), clock=clock), identity.families)
    gate = open_gate(factors.step_up, contact=parts, clock=clock)
    app.state.services = replace(before, identity=ours, gate=gate)
    try:
        yield clock, factors
    finally:
        app.state.services = before


@dataclass
class Person:
    """A customer who registered just now, and what is in that customer's pockets."""

    client: AsyncClient
    database: Database
    clock: Clock
    factors: SecondFactors
    email: str
    user_id: UUID
    key: SoftwareAuthenticator = field(default_factory=SoftwareAuthenticator)
    secret: bytes = b""

    @classmethod
    async def register(
        cls, client: AsyncClient, database: Database, clock: Clock, factors: SecondFactors, *, app_too: bool = True
    ) -> Person:
        """A new customer, with an authenticator app unless it is left out."""
        email = f"{uuid4().hex}@example.com"
        body = {"email": email, "password": PASSWORD, "display_name": "Zoe Quill"}
        assert (await client.post("/api/auth/register", json=body)).status_code == 202
        async with database.transaction(scope=Scope.IDENTITY) as session:
            user = (await session.scalars(select(User).where(User.email == email))).one()
        person = cls(client, database, clock, factors, email, user.id)
        if app_too:
            await person.add_app()
        return person

    async def add_app(self) -> None:
        async with self.database.transaction(scope=Scope.IDENTITY) as session:
            self.secret = await with_totp(session, self.factors, self.user_id, self.clock)
        self.clock.advance(seconds=30)

    async def add_passkey(self) -> None:
        async with self.database.transaction(scope=Scope.IDENTITY) as session:
            await with_passkey(session, self.factors, self.user_id, self.key)
        self.key.user_handle = self.user_id.bytes

    async def factors_status(self) -> FactorStatus:
        async with self.database.transaction(scope=Scope.IDENTITY) as session:
            return await self.factors.status(session, self.user_id)

    async def login(self, password: str = PASSWORD, **more: Any) -> Response:
        return await self.client.post("/api/auth/login", json={"email": self.email, "password": password, **more})

    async def first_step(self) -> dict[str, Any]:
        """What the password alone gives."""
        response = await self.login()
        assert response.status_code == 202, response.text
        data: dict[str, Any] = response.json()["data"]
        return data

    def code(self) -> str:
        """A code that was not used; the clock moves on for it."""
        self.clock.advance(seconds=30)
        return code_now(self.secret, self.clock)

    async def second_step(self, first: dict[str, Any], **body: Any) -> Response:
        """The answer to a first step: with the app's code, unless another answer is given."""
        answer = body if {"code", "credential"} & body.keys() else {"code": self.code(), **body}
        sent = {"ticket": first["ticket"], "challenge_id": first["challenge"]["challenge_id"], **answer}
        return await self.client.post("/api/auth/login/second-factor", json=sent)


def code_of(response: Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
