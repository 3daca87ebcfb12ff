"""Sessions of people: families of refresh tokens, rotated under a row lock (RFC 9700, section 4.14.2).

A refresh token is used once. The answer to its use may be lost, and several tabs may use it at once; so for a short
while the same device may send it again and is given the very same successor, which is derived from the token, the
successor's random row id and a secret key, never stored. A family therefore never has more than one live branch. Any
other second use is a theft until proven otherwise, and ends the family.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity import repository
from llm_banking.identity.keyed_hash import KeyedHash
from llm_banking.identity.models import RefreshToken, TokenFamily, User
from llm_banking.identity.revocations import Revocations
from llm_banking.identity.tokens import AccessTokens, Subject
from llm_banking.kit.clock import utc_now
from llm_banking.kit.ids import uuid7
from llm_banking.kit.logs import get_logger

PREFIX = "llmr_"
MAX_LIVE_FAMILIES = 50
"""Sessions that a person may have at once; the oldest makes room."""
_TOKEN_BYTES = 32
_FORM = re.compile(re.escape(PREFIX) + r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True, repr=False)
class IssuedTokens:
    """What a client is given. Both `…_expires_in_s` are from now; the refresh token's is the session's end."""

    access_token: str
    access_expires_in_s: int
    refresh_token: str
    refresh_expires_in_s: int

    def __repr__(self) -> str:
        return "IssuedTokens()"


class TokenFamilies:
    """Opens, renews and ends sessions."""

    def __init__(
        self,
        tokens: AccessTokens,
        revocations: Revocations,
        keyed: KeyedHash,
        *,
        lifetime_s: int,
        idle_s: int,
        grace_s: int,
    ) -> None:
        """`idle_s`: a session that is not refreshed for so long has ended (ASVS 5.0, 7.3.1)."""
        self._tokens = tokens
        self._revocations = revocations
        self._keyed = keyed
        self._lifetime = timedelta(seconds=lifetime_s)
        self._idle = timedelta(seconds=idle_s)
        self._grace = timedelta(seconds=grace_s)

    async def open(
        self, session: AsyncSession, user: User, *, device: str | None, authenticated_by: tuple[str, ...]
    ) -> IssuedTokens:
        """A new session of a person whose row the transaction holds locked. `authenticated_by` as in RFC 8176."""
        now = utc_now()
        live = await repository.live_families(session, user.id, now)
        for oldest in live[: max(0, len(live) + 1 - MAX_LIVE_FAMILIES)]:
            await self.end(session, oldest, "too_many")
        family_id = uuid7()
        family = TokenFamily(
            id=family_id,
            user_id=user.id,
            device_hash=_device_hash(family_id, device),
            device=device,
            authenticated_by=list(authenticated_by),
            created_at=now,
            last_used_at=now,
            expires_at=now + self._lifetime,
        )
        session.add(family)
        await session.flush()
        token = PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
        session.add(RefreshToken(id=uuid4(), family_id=family_id, token_hash=_token_hash(token), issued_at=now))
        await session.flush()
        return self._issued(user, family, token)

    async def rotate(self, session: AsyncSession, token: str, *, device: str | None) -> IssuedTokens | None:
        """Use a refresh token. None means refused; the transaction must be committed then, too: a replay ended it."""
        if _FORM.fullmatch(token) is None:
            return None
        family = await repository.family_of_token(session, _token_hash(token))
        now = utc_now()
        if family is None or family.ended_at is not None or family.expires_at <= now:
            return None
        if not self.is_usable(family, now):
            await self.end(session, family, "idle")
            return None
        user = await session.get_one(User, family.user_id, populate_existing=True)
        if user.status != "active":
            await self.end(session, family, "suspended")
            return None
        row = await repository.refresh_token(session, _token_hash(token))
        if row.used_at is None:
            successor: str | None = await self._use(session, row, token, now)
        else:
            successor = await self._used_again(session, family, row, token, device, now)
        if successor is None:
            await self.end(session, family, "replay")
            return None
        family.last_used_at = now
        return self._issued(user, family, successor)

    async def end(self, session: AsyncSession, family: TokenFamily, because: str) -> None:
        """End a session that the transaction holds locked: no refresh and no access token of it works any more."""
        if family.ended_at is None:
            family.ended_at, family.ended_because = utc_now(), because
            await self._revocations.revoke_family(session, family.id)
            log = get_logger("llm_banking.identity")
            log.info("session ended", because=because, session_id=str(family.id), user_id=str(family.user_id))

    async def end_by_token(self, session: AsyncSession, token: str, because: str) -> bool:
        """End the session that a refresh token belongs to, used or not; False where there is none that lives."""
        if _FORM.fullmatch(token) is None:
            return False
        family = await repository.family_of_token(session, _token_hash(token))
        if family is None or family.ended_at is not None:
            return False
        await self.end(session, family, because)
        return True

    async def end_all(self, session: AsyncSession, user_id: UUID, because: str, *, but: UUID | None = None) -> int:
        """End a person's sessions, all or all but one; how many ended."""
        families = [one for one in await repository.live_families(session, user_id, utc_now()) if one.id != but]
        for family in families:
            await self.end(session, family, because)
        return len(families)

    async def usable(self, session: AsyncSession, user_id: UUID) -> list[TokenFamily]:
        """A person's sessions that a refresh would still renew, the last used one first."""
        now = utc_now()
        return [one for one in await repository.latest_families(session, user_id, now) if self.is_usable(one, now)]

    def is_usable(self, family: TokenFamily, now: datetime) -> bool:
        """Whether a refresh would still renew a session."""
        return family.ended_at is None and family.expires_at > now and now - family.last_used_at < self._idle

    def access_token(self, user: User, family: TokenFamily) -> str:
        """An access token of a session, with the role and the epoch that the person has now."""
        return self._tokens.issue(
            Subject(user.id, user.account_type, family.id, user.token_epoch, tuple(family.authenticated_by))
        )

    async def _use(self, session: AsyncSession, row: RefreshToken, token: str, now: datetime) -> str:
        successor_id = uuid4()
        successor = self._successor(token, successor_id)
        session.add(
            RefreshToken(id=successor_id, family_id=row.family_id, token_hash=_token_hash(successor), issued_at=now)
        )
        await session.flush()
        row.used_at, row.replaced_by = now, successor_id
        return successor

    async def _used_again(
        self,
        session: AsyncSession,
        family: TokenFamily,
        row: RefreshToken,
        token: str,
        device: str | None,
        now: datetime,
    ) -> str | None:
        """The successor that was given already, if its answer may have been lost: soon, same device, not yet used."""
        if row.used_at is None or row.replaced_by is None or now - row.used_at > self._grace:
            return None
        if not hmac.compare_digest(family.device_hash, _device_hash(family.id, device)):
            return None
        given = await session.get_one(RefreshToken, row.replaced_by, populate_existing=True)
        successor = self._successor(token, given.id)
        fits = hmac.compare_digest(given.token_hash, _token_hash(successor))
        return successor if fits and given.used_at is None else None

    def _successor(self, token: str, successor_id: UUID) -> str:
        raw = self._keyed("refresh successor", token, successor_id.bytes)
        return PREFIX + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    def _issued(self, user: User, family: TokenFamily, token: str) -> IssuedTokens:
        left_s = int((family.expires_at - utc_now()).total_seconds())
        return IssuedTokens(self.access_token(user, family), self._tokens.lifetime_s, token, left_s)


def _token_hash(token: str) -> bytes:
    """A plain hash is enough: there are 256 bits to guess."""
    return hashlib.sha256(token.encode()).digest()


def _device_hash(family_id: UUID, device: str | None) -> bytes:
    """What a client calls its device, told apart from the same name in another family."""
    return hashlib.sha256(family_id.bytes + (device or "").encode()).digest()
