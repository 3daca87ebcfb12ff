"""Keys for programs: scoped, expiring, rotated with an overlap, revoked at once, stored as keyed hashes."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.api_key_text import SHOWN_CHARS, new_key, parse
from llm_banking.identity.errors import (
    ConflictError,
    ForbiddenError,
    InvalidCredentialError,
    LimitExceededError,
    NotFoundError,
)
from llm_banking.identity.master_key import MasterKeys
from llm_banking.identity.models import ApiKey, Revocation, User
from llm_banking.identity.principal import Permission
from llm_banking.kit.clock import utc_now

MAX_LIFETIME = timedelta(days=365)
MAX_OVERLAP = timedelta(days=7)
USE_NOTED_EVERY = timedelta(minutes=1)
MAX_LISTED = 200
NOT_FOR_KEYS = frozenset({Permission.KEYS_MANAGE, Permission.MFA_MANAGE})
"""What a program never gets: with these a leaked key could outlive its revocation."""

_NO_HASH = bytes(32)


@dataclass(frozen=True, slots=True)
class VerifiedKey:
    """A good key. `scopes` are what it was given, as far as its owner's role still allows."""

    key_id: UUID
    user_id: UUID
    scopes: frozenset[Permission]


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key, with its text, which is shown this once and stored nowhere."""

    row: ApiKey
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApiKeyLimits:
    """How long keys live at most, and how many a user has at most; twice as many while keys are being rotated."""

    max_lifetime: timedelta = MAX_LIFETIME
    keys_per_user: int = 20


class ApiKeys:
    """The keys of all users.

    Keys are found by HMAC-SHA-256 under a server key, so that a copy of the table lets nobody test guesses.
    `permissions_of` says what a role (`users.account_type`) may do.
    """

    def __init__(
        self,
        keys: MasterKeys,
        permissions_of: Callable[[str], frozenset[Permission]],
        limits: ApiKeyLimits,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._peppers = keys.derive_all("api key pepper")
        self._permissions_of = permissions_of
        self._limits = limits
        self._clock = clock

    def __repr__(self) -> str:
        return "ApiKeys()"

    async def verify(self, session: AsyncSession, presented: str) -> VerifiedKey:
        """Who a key speaks for, and what it may do. The only way to check a key, whatever header it came in.

        Raises InvalidCredentialError, which says no more, for a key that is malformed, unknown, expired or revoked, or
        whose owner is suspended. Unknown keys cost the same statement and comparisons as known ones.
        """
        hashes = self._hashes(parse(presented))
        statement = select(ApiKey, User.account_type, User.status).join(User).where(ApiKey.key_hash.in_(hashes))
        found = (await session.execute(statement.execution_options(populate_existing=True))).one_or_none()
        stored = found[0].key_hash if found else _NO_HASH
        known = [hmac.compare_digest(one, stored) for one in hashes]
        if found is None or not any(known):
            raise InvalidCredentialError
        key, account_type, status = found
        if not self._is_live(key) or status != "active":
            raise InvalidCredentialError
        await self._note_use(session, key)
        scopes = _permissions(key.scopes) & self._permissions_of(account_type) - NOT_FOR_KEYS
        return VerifiedKey(key.id, key.user_id, scopes)

    async def create(
        self,
        session: AsyncSession,
        user_id: UUID,
        *,
        held: frozenset[Permission],
        name: str,
        scopes: frozenset[Permission],
        lifetime: timedelta,
    ) -> IssuedKey:
        """A new key of a user who holds the permissions `held`.

        Raises ForbiddenError for a scope that is not held or not for keys, LimitExceededError for a key too many or
        one that would live too long.
        """
        if not scopes or not scopes <= held - NOT_FOR_KEYS:
            raise ForbiddenError(
                "A key can be given permissions that you hold yourself, at least one, and none to manage keys or "
                "second factors."
            )
        await self._check_room(session, user_id, self._limits.keys_per_user)
        return await self._issue(session, user_id, name=name, scopes=scopes, lifetime=lifetime, rotated_from=None)

    async def rotate(
        self,
        session: AsyncSession,
        user_id: UUID,
        key_id: UUID,
        *,
        held: frozenset[Permission],
        lifetime: timedelta,
        overlap: timedelta,
    ) -> IssuedKey:
        """A new key with the name and the scopes of an old one, which works on for `overlap` (at most 7 days).

        Scopes that the owner no longer holds are left out. Raises NotFoundError, ConflictError where the old key is
        over or was rotated before, ForbiddenError where no scope is left, LimitExceededError.
        """
        if not timedelta() <= overlap <= MAX_OVERLAP:
            raise LimitExceededError(f"Two keys overlap for at most {MAX_OVERLAP.days} days.")
        await self._check_room(session, user_id, 2 * self._limits.keys_per_user)
        old = await self._locked(session, user_id, key_id)
        successor = select(ApiKey.id).where(ApiKey.rotated_from == old.id)
        if not self._is_live(old) or await session.scalar(successor.limit(1)) is not None:
            raise ConflictError("This key is expired, revoked or rotated already. Make a new one.")
        scopes = _permissions(old.scopes) & held - NOT_FOR_KEYS
        if not scopes:
            raise ForbiddenError("You hold none of this key's permissions any more.")
        issued = await self._issue(
            session, user_id, name=old.name, scopes=scopes, lifetime=lifetime, rotated_from=old.id
        )
        old.expires_at = min(old.expires_at, self._clock() + overlap)
        await session.flush()
        return issued

    async def revoke(self, session: AsyncSession, user_id: UUID, key_id: UUID) -> ApiKey:
        """End a key now, for every worker. A second time changes nothing. Raises NotFoundError."""
        key = await self._locked(session, user_id, key_id)
        if key.revoked_at is None:
            key.revoked_at = self._clock()
            session.add(
                Revocation(
                    kind="api_key",
                    subject_id=key.id,
                    revoked_at=key.revoked_at,
                    expires_at=max(key.expires_at, key.revoked_at),
                )
            )
            await session.flush()
        return key

    async def list_keys(self, session: AsyncSession, user_id: UUID) -> list[ApiKey]:
        """A user's keys: those that work, then those that are over, newest first, at most MAX_LISTED."""
        live = and_(ApiKey.revoked_at.is_(None), ApiKey.expires_at > self._clock())
        statement = select(ApiKey).where(ApiKey.user_id == user_id)
        return list(await session.scalars(statement.order_by(live.desc(), ApiKey.id.desc()).limit(MAX_LISTED)))

    def _hashes(self, text: str) -> list[bytes]:
        return [hmac.new(pepper, text.encode(), hashlib.sha256).digest() for pepper in self._peppers]

    def _is_live(self, key: ApiKey) -> bool:
        return key.revoked_at is None and self._clock() < key.expires_at

    async def _note_use(self, session: AsyncSession, key: ApiKey) -> None:
        """At most once a minute, and never waiting for another request that notes it just now."""
        now = self._clock()
        if key.last_used_at is not None and now - key.last_used_at < USE_NOTED_EVERY:
            return
        stale = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= now - USE_NOTED_EVERY)
        free = select(ApiKey.id).where(ApiKey.id == key.id, stale).with_for_update(skip_locked=True)
        await session.execute(
            update(ApiKey)
            .where(ApiKey.id.in_(free.scalar_subquery()))
            .values(last_used_at=now)
            .execution_options(synchronize_session=False)
        )

    async def _check_room(self, session: AsyncSession, user_id: UUID, most: int) -> None:
        """Hold the user's row, so that two requests at once cannot both take the last place."""
        await session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
        live = select(func.count()).where(
            ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None), ApiKey.expires_at > self._clock()
        )
        if (await session.scalar(live) or 0) >= most:
            raise LimitExceededError(f"You have {most} keys, which is as many as may be. Revoke one first.")

    async def _issue(
        self,
        session: AsyncSession,
        user_id: UUID,
        *,
        name: str,
        scopes: frozenset[Permission],
        lifetime: timedelta,
        rotated_from: UUID | None,
    ) -> IssuedKey:
        if not timedelta() < lifetime <= self._limits.max_lifetime:
            raise LimitExceededError(f"A key lives for at most {self._limits.max_lifetime.days} days.")
        text, now = new_key(), self._clock()
        row = ApiKey(
            user_id=user_id,
            name=name,
            prefix=text[:SHOWN_CHARS],
            key_hash=self._hashes(text)[0],
            scopes=sorted(scope.value for scope in scopes),
            created_at=now,
            expires_at=now + lifetime,
            rotated_from=rotated_from,
        )
        session.add(row)
        await session.flush()
        return IssuedKey(row, text)

    async def _locked(self, session: AsyncSession, user_id: UUID, key_id: UUID) -> ApiKey:
        statement = select(ApiKey).where(ApiKey.id == key_id, ApiKey.user_id == user_id).with_for_update()
        key = await session.scalar(statement.execution_options(populate_existing=True))
        if key is None:
            raise NotFoundError("You have no such key.")
        return key


def _permissions(stored: list[str]) -> frozenset[Permission]:
    """Stored scopes that still exist; a permission that was taken out of the product gives nothing."""
    return frozenset(Permission(scope) for scope in stored if scope in Permission.__members__.values())
