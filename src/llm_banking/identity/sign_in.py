"""Signing in with a password: one refusal and one cost, whatever the reason (ASVS 5.0, 6.3.8)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity import repository
from llm_banking.identity.admission import Admission, SecondFactorNeeded, SignedIn
from llm_banking.identity.hashing import PasswordHasher
from llm_banking.identity.passwords import normalised
from llm_banking.identity.throttle import Attempt, SignInThrottle
from llm_banking.kit.clock import utc_now
from llm_banking.kit.logs import get_logger

PASSWORD_METHOD = "pwd"  # noqa: S105 - a method's name (RFC 8176), not a secret


@dataclass(frozen=True, slots=True)
class SignInName:
    """What a person signs in with: an e-mail in lower case, or a customer number. Exactly one of them."""

    email: str | None = None
    customer_number: str | None = None

    def __str__(self) -> str:
        return f"email:{self.email}" if self.email is not None else f"customer:{self.customer_number}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An attempt that was counted, and whose it would be: nobody's, where no such person may sign in."""

    attempt: Attempt
    user_id: UUID | None
    password_hash: str | None = field(repr=False)
    password_changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Proven:
    """A candidate whose password fits. `new_hash` replaces a hash that was made with less than one costs now."""

    candidate: Candidate
    user_id: UUID
    new_hash: str | None = field(repr=False)


class SignIn:
    """Three steps, so that no transaction is open while a password is hashed: begin, prove, finish."""

    def __init__(self, hasher: PasswordHasher, throttle: SignInThrottle, admission: Admission) -> None:
        self._hasher = hasher
        self._throttle = throttle
        self._admission = admission

    async def begin(self, session: AsyncSession, name: SignInName, *, place: str) -> Candidate:
        """Count the attempt and look the person up. Raises TryLaterError while the name must wait."""
        self._hasher.check_room()
        attempt = await self._throttle.begin(session, name=str(name), place=place, now=utc_now())
        user = await repository.user_by_name(session, email=name.email, customer_number=name.customer_number)
        if user is None or user.status != "active" or user.password_hash is None:
            return Candidate(attempt, None, None, None)
        return Candidate(attempt, user.id, user.password_hash, user.password_changed_at)

    async def prove(self, candidate: Candidate, password: str) -> Proven | None:
        """Check the password, at the same cost whether there is somebody or not. None if it does not fit.

        Raises TryLaterError when too many passwords wait to be checked.
        """
        plain = normalised(password)
        found = await self._hasher.verify(candidate.password_hash, plain)
        if not found.matches or candidate.user_id is None:
            get_logger("llm_banking.identity").info("sign-in refused", method=PASSWORD_METHOD)
            return None
        new_hash = await self._hasher.hash(plain) if found.outdated else None
        return Proven(candidate, candidate.user_id, new_hash)

    async def finish(
        self, session: AsyncSession, proven: Proven, *, device: str | None
    ) -> SignedIn | SecondFactorNeeded | None:
        """Open a session, or ask for the second factor of a person who has one.

        None if the person was suspended, or the password changed, while it was checked. Raises TryLaterError where too
        many challenges were begun or failed lately.
        """
        user = await repository.lock_user(session, proven.user_id)
        if user is None or user.status != "active" or user.password_changed_at != proven.candidate.password_changed_at:
            return None
        if proven.new_hash is not None:
            user.password_hash = proven.new_hash
        return await self._admission.admit(
            session, user, device=device, authenticated_by=(PASSWORD_METHOD,), attempt=proven.candidate.attempt
        )
