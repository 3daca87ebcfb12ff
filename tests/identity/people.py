"""Users, a clock and services for the tests of identity."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.master_key import MasterKeys
from llm_banking.identity.models import TokenFamily, User
from llm_banking.identity.second_factors import SecondFactors
from llm_banking.identity.secret_box import SecretBox
from llm_banking.identity.totp import Totp, hotp, step_at
from llm_banking.identity.webauthn_login import Passkeys, RelyingParty
from llm_banking.kit.database import Database, Scope
from tests.identity.software_authenticator import ORIGIN, RP_ID, SoftwareAuthenticator

MASTER_KEYS = MasterKeys({1: bytes(range(32))})


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = field(default_factory=lambda: datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


async def add_user(session: AsyncSession, account_type: str = "user") -> UUID:
    """A customer who was not there."""
    user_id = uuid4()
    session.add(User(id=user_id, display_name="Somebody", account_type=account_type, email=f"{user_id}@example.com"))
    await session.flush()
    return user_id


@asynccontextmanager
async def committed_user(database: Database, account_type: str = "user") -> AsyncIterator[UUID]:
    """A customer whom every connection sees. They stay: the application may delete nobody."""
    async with database.transaction(scope=Scope.IDENTITY) as session:
        user_id = await add_user(session, account_type)
    yield user_id


async def add_session(session: AsyncSession, user_id: UUID, opened_at: datetime) -> UUID:
    """A sign-in of that time."""
    family_id = uuid4()
    session.add(
        TokenFamily(
            id=family_id,
            user_id=user_id,
            device_hash=bytes(32),
            authenticated_by=["pwd"],
            created_at=opened_at,
            last_used_at=opened_at,
            expires_at=opened_at + timedelta(days=30),
        )
    )
    await session.flush()
    return family_id


def second_factors(clock: Clock) -> SecondFactors:
    """The services over one clock."""
    totp = Totp(SecretBox(MASTER_KEYS), issuer="Test bank", clock=clock)
    return SecondFactors(totp, Passkeys(RelyingParty(RP_ID, "Test bank", (ORIGIN,)), clock=clock), clock=clock)


def decode_secret(shown: str) -> bytes:
    """A TOTP secret as an app reads it."""
    return base64.b32decode(shown + "=" * (-len(shown) % 8))


def code_now(secret: bytes, clock: Clock, steps: int = 0) -> str:
    """The code of now, or of some steps later."""
    return hotp(secret, step_at(clock()) + steps)


def wrong_code(secret: bytes, clock: Clock) -> str:
    """A code that no step near now has."""
    near = {code_now(secret, clock, steps) for steps in range(-2, 3)}
    return next(code for code in (f"{number:06d}" for number in range(10)) if code not in near)


async def with_totp(session: AsyncSession, factors: SecondFactors, user_id: UUID, clock: Clock) -> bytes:
    """Set up an authenticator app; its secret. The step of now is used up."""
    enrolment = await factors.totp.enrol(session, user_id, "somebody")
    secret = decode_secret(enrolment.secret)
    await factors.totp.confirm(session, user_id, code_now(secret, clock))
    return secret


async def with_passkey(
    session: AsyncSession, factors: SecondFactors, user_id: UUID, authenticator: SoftwareAuthenticator
) -> UUID:
    """Register a passkey."""
    challenge = b"c" * 32
    options = factors.passkeys.creation_options(user_id, "somebody", [], challenge)
    row = await factors.passkeys.register(
        session, user_id, challenge=challenge, credential=authenticator.create(options), name="key"
    )
    return row.id
