"""Attempts on their way through a provider, and the codes that end them: rows that are consumed exactly once.

Both are bound to the browser that began, by a value in its cookie, and hold their secrets encrypted.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.keyed_hash import KeyedHash
from llm_banking.identity.models import OidcAttempt
from llm_banking.identity.secret_box import Place, SealedSecretError, SecretBox
from llm_banking.kit.clock import utc_now
from llm_banking.kit.logs import get_logger

ATTEMPT_LIFETIME_S = 600
CODE_LIFETIME_S = 60
_STATE, _CODE, _BROWSER = "oidc state", "oidc sign-in code", "oidc browser"
_FORM = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Link:
    """Who, in which session, asked to link an account."""

    user_id: UUID
    session_id: UUID


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a sign-in code is, under the epoch that counted when it was given: what ends the tokens ends it, too."""

    user_id: UUID
    token_epoch: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sign-in on its way. `nonce` ties the id token to it, `verifier` the code (RFC 7636)."""

    provider: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    link: Link | None


@dataclass(frozen=True, slots=True)
class Keys:
    """What the browser is given: the state for the provider, and the value of its own cookie."""

    state: str = field(repr=False)
    browser: str = field(repr=False)


class Attempts:
    """Rows of `oidc_attempts`. A state cannot pass for a code, nor the other way round: their hashes differ in kind."""

    def __init__(self, keyed: KeyedHash, box: SecretBox) -> None:
        self._keyed = keyed
        self._box = box

    async def begin(self, session: AsyncSession, provider: str, link: Link | None) -> tuple[Keys, Attempt]:
        """A new attempt, for a new value of the browser's cookie."""
        attempt = Attempt(provider, secrets.token_urlsafe(32), secrets.token_urlsafe(48), link)
        keys = Keys(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
        content = {"nonce": attempt.nonce, "verifier": attempt.verifier}
        if link is not None:
            content |= {"user_id": str(link.user_id), "session_id": str(link.session_id)}
        await self._write(
            session, self._keyed(_STATE, keys.state), provider, keys.browser, content, lifetime_s=ATTEMPT_LIFETIME_S
        )
        return keys, attempt

    async def take(self, session: AsyncSession, *, provider: str, state: str, browser: str) -> Attempt | None:
        """Consume the attempt of a state. None where there is none for this provider, this browser and this moment.

        It is gone then, too; the transaction must be committed in either case.
        """
        content = await self._consume(session, _STATE, state, browser, provider)
        if content is None:
            return None
        link = Link(UUID(content["user_id"]), UUID(content["session_id"])) if "user_id" in content else None
        return Attempt(provider, content["nonce"], content["verifier"], link)

    async def give_code(self, session: AsyncSession, *, provider: str, browser: str, holder: Holder) -> str:
        """A code that the same browser may exchange once for a session of the user."""
        code = secrets.token_urlsafe(32)
        content = {"user_id": str(holder.user_id), "token_epoch": str(holder.token_epoch)}
        await self._write(session, self._keyed(_CODE, code), provider, browser, content, lifetime_s=CODE_LIFETIME_S)
        return code

    async def take_code(self, session: AsyncSession, *, code: str, browser: str) -> Holder | None:
        """Consume a code: whose it is. None as with `take`."""
        content = await self._consume(session, _CODE, code, browser, None)
        return None if content is None else Holder(UUID(content["user_id"]), int(content["token_epoch"]))

    async def _write(
        self,
        session: AsyncSession,
        row: bytes,
        provider: str,
        browser: str,
        content: dict[str, str],
        *,
        lifetime_s: int,
    ) -> None:
        now = utc_now()
        session.add(
            OidcAttempt(
                state_hash=row,
                provider=provider,
                browser_hash=self._keyed(_BROWSER, browser),
                secrets_encrypted=self._box.seal(json.dumps(content).encode(), _place(row)),
                created_at=now,
                expires_at=now + timedelta(seconds=lifetime_s),
            )
        )
        await session.flush()

    async def _consume(
        self, session: AsyncSession, kind: str, key: str, browser: str, provider: str | None
    ) -> dict[str, str] | None:
        if not (_FORM.fullmatch(key) and _FORM.fullmatch(browser)):
            return None
        statement = (
            delete(OidcAttempt)
            .where(OidcAttempt.state_hash == self._keyed(kind, key))
            .returning(
                OidcAttempt.state_hash,
                OidcAttempt.provider,
                OidcAttempt.browser_hash,
                OidcAttempt.secrets_encrypted,
                OidcAttempt.expires_at,
            )
        )
        row = (await session.execute(statement)).one_or_none()
        if row is None or row.expires_at <= utc_now():
            return None
        same_browser = hmac.compare_digest(row.browser_hash, self._keyed(_BROWSER, browser))
        if not same_browser or provider not in (None, row.provider):
            return None
        try:
            opened = self._box.open(row.secrets_encrypted, _place(row.state_hash))
        except SealedSecretError:
            get_logger("llm_banking.identity").error("a stored attempt cannot be opened", provider=row.provider)
            return None
        content: dict[str, str] = json.loads(opened)
        return content


def _place(row: bytes) -> Place:
    """Where an attempt's secrets are stored; no other row can open them."""
    return Place(OidcAttempt.__tablename__, "secrets_encrypted", row)
