"""A user's own second factors: set up, confirm, list, remove.

Whoever has a factor proves it before another is added or one is removed, so that a stolen session alone can neither
plant a factor nor take one away (NIST SP 800-63B, section 6.1.2). Every change also needs a session whose sign-in, with
all factors that there are, was a short while ago (ASVS 5.0, 7.5.1): a refresh makes it no younger.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.errors import ConflictError, StepUpRefusedError
from llm_banking.identity.models import StepUpChallenge, TotpSecret, User, WebauthnCredential
from llm_banking.identity.recent_sign_in import check_recent_sign_in
from llm_banking.identity.step_up import (
    Challenge,
    Method,
    PasskeyAnswer,
    Refusal,
    StepUp,
    TotpCode,
    lock_user,
)
from llm_banking.identity.totp import Totp, TotpEnrolment
from llm_banking.identity.webauthn_login import Passkeys
from llm_banking.kit.clock import utc_now

ENROLMENT_LIFETIME = timedelta(minutes=5)
CHALLENGE_BYTES = 32


class Action(StrEnum):
    """What is done to one's factors; a challenge is bound to one of them."""

    TOTP_ENROL = "totp.enrol"
    TOTP_DISABLE = "totp.disable"
    WEBAUTHN_REGISTER = "webauthn.register"
    WEBAUTHN_DELETE = "webauthn.delete"


@dataclass(frozen=True, slots=True)
class FactorProof:
    """The answer to a challenge that `begin_step_up` gave."""

    challenge_id: UUID
    answer: TotpCode | PasskeyAnswer


@dataclass(frozen=True, slots=True)
class PasskeyEnrolment:
    """A registration on its way: its challenge, and the options for the browser."""

    challenge_id: UUID
    expires_at: datetime
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FactorStatus:
    """The factors that count."""

    totp: bool
    passkeys: list[WebauthnCredential]

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return self.totp or bool(self.passkeys)


class SecondFactors:
    """The factors of all users, and the step-up that they serve.

    Methods that take a `proof` return a Refusal, unchanged from `StepUp.complete`, where it does not hold: the edge
    commits, then raises its error.
    """

    def __init__(self, totp: Totp, passkeys: Passkeys, *, clock: Callable[[], datetime] = utc_now) -> None:
        self.totp = totp
        self.passkeys = passkeys
        self.step_up = StepUp(totp, passkeys, clock=clock)
        self._clock = clock

    async def status(self, session: AsyncSession, user_id: UUID) -> FactorStatus:
        """What a user has set up."""
        return FactorStatus(
            await self.totp.is_enrolled(session, user_id), await self.passkeys.of_user(session, user_id)
        )

    async def begin_step_up(
        self, session: AsyncSession, user_id: UUID, action: Action, passkey_id: UUID | None = None
    ) -> Challenge:
        """A challenge for a change of the user's factors, bound to those that there are.

        Where there is a passkey it must be one: a code alone shall not bring in or take away what is stronger than
        itself. Raises as `StepUp.begin` does.
        """
        status = await self.status(session, user_id)
        return await self.step_up.begin(
            session,
            user_id,
            pending_id=user_id,
            payload=_payload(action, passkey_id, _fingerprint(user_id, status)),
            methods_allowed=frozenset({Method.WEBAUTHN if status.passkeys else Method.TOTP}),
        )

    async def enrol_totp(
        self, session: AsyncSession, user_id: UUID, proof: FactorProof | None, *, session_id: UUID | None
    ) -> TotpEnrolment | Refusal:
        """A new secret for an authenticator app; `session_id` is the sign-in that asks.

        Raises ConflictError where one counts, StepUpRefusedError.
        """
        refusal = await self._authorise_new(session, user_id, Action.TOTP_ENROL, proof, session_id)
        return refusal or await self.totp.enrol(session, user_id, await _account(session, user_id))

    async def confirm_totp(self, session: AsyncSession, user_id: UUID, code: str) -> None:
        """Make the new secret count. Raises ConflictError, also where a passkey came in between, and WrongCodeError."""
        await lock_user(session, user_id)
        begun = await session.scalar(select(TotpSecret.created_at).where(TotpSecret.user_id == user_id))
        passkeys = await self.passkeys.of_user(session, user_id)
        if begun is not None and any(passkey.created_at >= begun for passkey in passkeys):
            raise ConflictError("Your second factors changed since this began. Begin again.")
        await self.totp.confirm(session, user_id, code)

    async def disable_totp(
        self, session: AsyncSession, user_id: UUID, proof: FactorProof, *, session_id: UUID | None
    ) -> Refusal | None:
        """Remove the authenticator app. Raises ConflictError where there is none, and StepUpRefusedError."""
        await self._check_recent(session, user_id, session_id)
        refusal = await self._authorise(session, user_id, Action.TOTP_DISABLE, None, proof)
        if refusal is None and not await self.totp.remove(session, user_id):
            raise ConflictError("There is no authenticator app to remove.")
        return refusal

    async def begin_passkey(
        self, session: AsyncSession, user_id: UUID, proof: FactorProof | None, *, session_id: UUID | None
    ) -> PasskeyEnrolment | Refusal:
        """Options for a new passkey; `session_id` is the sign-in that asks.

        Raises StepUpRefusedError, LimitExceededError, TryLaterError.
        """
        refusal = await self._authorise_new(session, user_id, Action.WEBAUTHN_REGISTER, proof, session_id)
        if refusal is not None:
            return refusal
        now = self._clock()
        await self.step_up.check_bounds(session, user_id)
        status = await self.status(session, user_id)
        challenge = secrets.token_bytes(CHALLENGE_BYTES)
        options = self.passkeys.creation_options(user_id, await _account(session, user_id), status.passkeys, challenge)
        row = StepUpChallenge(
            user_id=user_id,
            method="enrolment",
            pending_id=None,
            payload_hash=_fingerprint(user_id, status),
            challenge=challenge,
            failures=0,
            created_at=now,
            expires_at=now + ENROLMENT_LIFETIME,
        )
        session.add(row)
        await session.flush()
        return PasskeyEnrolment(row.id, row.expires_at, options)

    async def register_passkey(
        self, session: AsyncSession, user_id: UUID, *, challenge_id: UUID, credential: dict[str, Any], name: str
    ) -> WebauthnCredential:
        """Store a passkey. Its challenge is used once, and void if the user's factors changed since it was given.

        Raises StepUpRefusedError for the challenge, WrongCodeError for the answer, LimitExceededError.
        """
        await lock_user(session, user_id)
        statement = select(StepUpChallenge).where(
            StepUpChallenge.id == challenge_id,
            StepUpChallenge.user_id == user_id,
            StepUpChallenge.method == "enrolment",
        )
        row = await session.scalar(statement.with_for_update().execution_options(populate_existing=True))
        now = self._clock()
        if row is None or row.consumed_at is not None or now >= row.expires_at:
            raise StepUpRefusedError("This registration is over or was used. Begin again.")
        if not hmac.compare_digest(row.payload_hash, _fingerprint(user_id, await self.status(session, user_id))):
            raise StepUpRefusedError("Your second factors changed since this began. Begin again.")
        row.consumed_at = now
        return await self.passkeys.register(session, user_id, challenge=row.challenge, credential=credential, name=name)

    async def delete_passkey(
        self,
        session: AsyncSession,
        user_id: UUID,
        passkey_id: UUID,
        proof: FactorProof,
        *,
        session_id: UUID | None,
    ) -> Refusal | None:
        """Remove a passkey. Raises NotFoundError, also for somebody else's, and StepUpRefusedError."""
        await self._check_recent(session, user_id, session_id)
        refusal = await self._authorise(session, user_id, Action.WEBAUTHN_DELETE, passkey_id, proof)
        if refusal is None:
            await self.passkeys.remove(session, user_id, passkey_id)
        return refusal

    async def _authorise_new(
        self, session: AsyncSession, user_id: UUID, action: Action, proof: FactorProof | None, session_id: UUID | None
    ) -> Refusal | None:
        """None where a factor may come: in a young session, and with a proof where there is one already.

        Raises StepUpRefusedError.
        """
        await self._check_recent(session, user_id, session_id)
        if proof is not None:
            return await self._authorise(session, user_id, action, None, proof)
        await lock_user(session, user_id)
        if (await self.status(session, user_id)).any:
            raise StepUpRefusedError("Prove one of your second factors first: POST /api/auth/mfa/step-up.")
        return None

    async def _check_recent(self, session: AsyncSession, user_id: UUID, session_id: UUID | None) -> None:
        await check_recent_sign_in(session, user_id, session_id, self._clock(), what="A change of second factors needs")

    async def _authorise(
        self, session: AsyncSession, user_id: UUID, action: Action, passkey_id: UUID | None, proof: FactorProof
    ) -> Refusal | None:
        """None where the user proved a factor for exactly this."""
        await lock_user(session, user_id)
        status = await self.status(session, user_id)
        done = await self.step_up.complete(
            session,
            user_id,
            challenge_id=proof.challenge_id,
            pending_id=user_id,
            payload=_payload(action, passkey_id, _fingerprint(user_id, status)),
            proof=proof.answer,
        )
        return done if isinstance(done, Refusal) else None


def _payload(action: Action, passkey_id: UUID | None, fingerprint: bytes) -> bytes:
    """What a challenge for a change of factors is bound to."""
    return json.dumps(["second factors", action.value, str(passkey_id or ""), fingerprint.hex()]).encode()


def _fingerprint(user_id: UUID, status: FactorStatus) -> bytes:
    """A hash of which factors a user has."""
    parts = [user_id.bytes, bytes([status.totp]), *sorted(one.id.bytes for one in status.passkeys)]
    return hashlib.sha256(b"".join(parts)).digest()


async def _account(session: AsyncSession, user_id: UUID) -> str:
    """What the user's device shows beside the bank's name."""
    row = (await session.execute(select(User.email, User.customer_number).where(User.id == user_id))).one_or_none()
    return (row and (row.email or row.customer_number)) or str(user_id)
