"""Step-up: a signed-in user proves again who they are, for one pending operation and nothing else.

A challenge is bound to a pending id and to the SHA-256 of the operation's payload, is used once and is soon over. A
passkey signs SHA-256(random || payload hash), so its signature covers the payload. An authenticator app's code covers
nothing; the proof therefore names its method, and policy caps what a code alone may approve.

How failures are counted although the request fails: `complete` does not raise for a proof that does not hold. It
writes the failure and returns a `Refusal`; the edge ends its transaction, which commits the count, and only then
raises `refusal.error()`. Whoever raises inside the transaction takes the count back, and a test would find it. An
operation that fails after `complete` succeeded rolls the proof back with itself: nothing was approved by it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.errors import StepUpRefusedError, TryLaterError
from llm_banking.identity.models import StepUpChallenge, User
from llm_banking.identity.totp import Totp
from llm_banking.identity.webauthn_login import Passkeys
from llm_banking.kit.clock import utc_now
from llm_banking.kit.logs import get_logger

LIFETIME = timedelta(minutes=2)
MAX_FAILURES = 5
USER_WINDOW = timedelta(hours=24)
MAX_USER_FAILURES = 20
"""Over all challenges of the window. A code guessed at has a chance of 3 in a million: at most 6 in 100,000 a day."""
BEGIN_WINDOW = timedelta(minutes=15)
MAX_BEGUN = 30
KEPT_FOR = timedelta(days=7)
NONCE_BYTES = 32


class Method(StrEnum):
    """How a user proves it. Policy caps what TOTP may approve: it does not cover the payload."""

    TOTP = "totp"
    WEBAUTHN = "webauthn"


class Reason(StrEnum):
    """Why a proof was refused."""

    UNKNOWN = "unknown"
    USED = "used"
    EXPIRED = "expired"
    LOCKED = "locked"
    OTHER_OPERATION = "other_operation"
    WRONG = "wrong"


_MESSAGES = {
    Reason.UNKNOWN: "You have no such challenge. Begin a new one.",
    Reason.USED: "This challenge was used already. Begin a new one.",
    Reason.EXPIRED: "This challenge is over. Begin a new one.",
    Reason.LOCKED: "There were too many failures. Begin a new challenge later.",
    Reason.OTHER_OPERATION: "This challenge belongs to another operation. Begin one for this operation.",
    Reason.WRONG: "The code or the passkey's answer does not hold. Try again.",
}


@dataclass(frozen=True, slots=True)
class TotpCode:
    """A code from an authenticator app."""

    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PasskeyAnswer:
    """What `navigator.credentials.get` gave, in the JSON form of WebAuthn Level 3."""

    credential: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the user may answer with, until when, and the options for the browser where a passkey may."""

    id: UUID
    methods: frozenset[Method]
    expires_at: datetime
    webauthn: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class StepUpProof:
    """A user proved, by `method`, that they want the operation with this payload."""

    challenge_id: UUID
    user_id: UUID
    pending_id: UUID
    payload_hash: bytes
    method: Method
    proved_at: datetime


@dataclass(frozen=True, slots=True)
class Refusal:
    """No proof. `attempts_left` on this challenge."""

    reason: Reason
    attempts_left: int

    def error(self) -> StepUpRefusedError:
        """What the edge raises after the transaction that counts the failure."""
        return StepUpRefusedError(
            _MESSAGES[self.reason], details={"reason": self.reason.value, "attempts_left": self.attempts_left}
        )


class StepUp:
    """Begins and completes challenges. Locks the user's row first, so that one user's attempts come one by one."""

    def __init__(self, totp: Totp, passkeys: Passkeys, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._totp = totp
        self._passkeys = passkeys
        self._clock = clock

    async def begin(
        self,
        session: AsyncSession,
        user_id: UUID,
        *,
        pending_id: UUID,
        payload: bytes,
        methods_allowed: frozenset[Method],
    ) -> Challenge:
        """A challenge for one pending operation, by those allowed methods that the user has.

        Raises StepUpRefusedError where the user has none of them, and TryLaterError where too many challenges
        were begun or failed lately.
        """
        await lock_user(session, user_id)
        now = self._clock()
        await self.check_bounds(session, user_id)
        passkeys = await self._passkeys.of_user(session, user_id) if Method.WEBAUTHN in methods_allowed else []
        methods = {Method.WEBAUTHN} if passkeys else set()
        if Method.TOTP in methods_allowed and await self._totp.is_enrolled(session, user_id):
            methods.add(Method.TOTP)
        if not methods:
            raise StepUpRefusedError(
                "This needs a second factor that you have not set up. Set up a passkey or an authenticator app first.",
                details={"methods_allowed": sorted(method.value for method in methods_allowed)},
            )
        payload_hash = hashlib.sha256(payload).digest()
        nonce = secrets.token_bytes(NONCE_BYTES) if passkeys else b""
        row = StepUpChallenge(
            user_id=user_id,
            method=(Method.TOTP if Method.TOTP in methods else Method.WEBAUTHN).value,
            pending_id=pending_id,
            payload_hash=payload_hash,
            challenge=nonce,
            failures=0,
            created_at=now,
            expires_at=now + LIFETIME,
        )
        session.add(row)
        await session.flush()
        options = self._passkeys.request_options(passkeys, signed_challenge(nonce, payload_hash)) if passkeys else None
        return Challenge(row.id, frozenset(methods), row.expires_at, options)

    async def complete(
        self,
        session: AsyncSession,
        user_id: UUID,
        *,
        challenge_id: UUID,
        pending_id: UUID,
        payload: bytes,
        proof: TotpCode | PasskeyAnswer,
    ) -> StepUpProof | Refusal:
        """Use up a challenge. See the module about what to do with a Refusal: commit, then raise its error."""
        await lock_user(session, user_id)
        now = self._clock()
        statement = select(StepUpChallenge).where(
            StepUpChallenge.id == challenge_id, StepUpChallenge.user_id == user_id
        )
        row = await session.scalar(statement.with_for_update().execution_options(populate_existing=True))
        if row is None or row.pending_id is None:
            return Refusal(Reason.UNKNOWN, 0)
        refusal = await self._closed(session, row, now)
        if refusal is not None:
            return refusal
        payload_hash = hashlib.sha256(payload).digest()
        bound = self._is_bound(row, pending_id, payload_hash)
        method = await self._prove(session, row, payload_hash, proof) if bound else None
        if method is None:
            return await self._count(session, row, Reason.WRONG if bound else Reason.OTHER_OPERATION)
        row.consumed_at = now
        await session.flush()
        return StepUpProof(row.id, user_id, pending_id, payload_hash, method, now)

    def _is_bound(self, row: StepUpChallenge, pending_id: UUID, payload_hash: bytes) -> bool:
        """Whether a challenge was begun for this operation with this payload."""
        return row.pending_id == pending_id and hmac.compare_digest(row.payload_hash, payload_hash)

    async def _closed(self, session: AsyncSession, row: StepUpChallenge, now: datetime) -> Refusal | None:
        """Why a challenge takes no answer any more."""
        if row.consumed_at is not None:
            return Refusal(Reason.USED, 0)
        if now >= row.expires_at:
            return Refusal(Reason.EXPIRED, 0)
        if row.failures >= MAX_FAILURES or await _recent_failures(session, row.user_id, now) >= MAX_USER_FAILURES:
            return Refusal(Reason.LOCKED, 0)
        return None

    async def _prove(
        self, session: AsyncSession, row: StepUpChallenge, payload_hash: bytes, proof: TotpCode | PasskeyAnswer
    ) -> Method | None:
        """The method that the proof holds by, if it was offered.

        `row.method` is the weakest that was, and without a nonce no passkey was.
        """
        if isinstance(proof, TotpCode):
            offered = row.method == Method.TOTP.value
            return Method.TOTP if offered and await self._totp.accept(session, row.user_id, proof.code) else None
        if not row.challenge:
            return None
        challenge = signed_challenge(row.challenge, payload_hash)
        held = await self._passkeys.accept(session, row.user_id, challenge=challenge, credential=proof.credential)
        return Method.WEBAUTHN if held else None

    async def _count(self, session: AsyncSession, row: StepUpChallenge, reason: Reason) -> Refusal:
        row.failures += 1
        await session.flush()
        get_logger("llm_banking.identity").warning(
            "step-up refused", challenge_id=str(row.id), reason=reason.value, failures=row.failures
        )
        return Refusal(reason, MAX_FAILURES - row.failures)

    async def check_bounds(self, session: AsyncSession, user_id: UUID) -> None:
        """Forget a user's old challenges. Raises TryLaterError where there are too many for another one.

        The user's row must be locked.
        """
        now = self._clock()
        own = StepUpChallenge.user_id == user_id
        await session.execute(delete(StepUpChallenge).where(own, StepUpChallenge.created_at < now - KEPT_FOR))
        begun = select(func.count()).where(own, StepUpChallenge.created_at > now - BEGIN_WINDOW)
        if (await session.scalar(begun) or 0) >= MAX_BEGUN:
            raise TryLaterError(
                "Too many challenges were begun. Wait a quarter of an hour.",
                retry_after_s=int(BEGIN_WINDOW.total_seconds()),
            )
        if await _recent_failures(session, user_id, now) >= MAX_USER_FAILURES:
            raise TryLaterError(
                "Too many proofs failed. Try again tomorrow, or ask the bank.",
                retry_after_s=int(USER_WINDOW.total_seconds()),
            )


def signed_challenge(nonce: bytes, payload_hash: bytes) -> bytes:
    """What a passkey signs: SHA-256 of the server's randomness and the payload's hash."""
    return hashlib.sha256(nonce + payload_hash).digest()


async def lock_user(session: AsyncSession, user_id: UUID) -> None:
    """Hold a user's row until the transaction ends; rows that refer to it can still be written by others."""
    await session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))


async def _recent_failures(session: AsyncSession, user_id: UUID, now: datetime) -> int:
    counted = select(func.coalesce(func.sum(StepUpChallenge.failures), 0)).where(
        StepUpChallenge.user_id == user_id, StepUpChallenge.created_at > now - USER_WINDOW
    )
    return int(await session.scalar(counted) or 0)
