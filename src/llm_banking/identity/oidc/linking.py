"""Whose an account with a provider is: known by (issuer, subject) and by nothing else, an e-mail least of all."""

from __future__ import annotations

import hashlib
import re
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity import repository
from llm_banking.identity.errors import StepUpRefusedError
from llm_banking.identity.models import OidcIdentity, TokenFamily, User
from llm_banking.identity.oidc.attempts import Link
from llm_banking.identity.oidc.errors import IdentityTakenError, OidcRefusedError, TooManyLinksError
from llm_banking.identity.oidc.id_token import Claims
from llm_banking.identity.recent_sign_in import SIGN_IN_IS_RECENT
from llm_banking.identity.roles import Role
from llm_banking.kit import email_address
from llm_banking.kit.clock import utc_now
from llm_banking.kit.ids import uuid7

MAX_LINKS = 10
NAMELESS = "Customer"
_EMAIL = re.compile(email_address.PATTERN)


async def sign_in(session: AsyncSession, claims: Claims) -> User:
    """The user of an account, locked; a new one without a password at the account's first sign-in.

    Raises OidcRefusedError for a suspended user.
    """
    await _alone(session, claims)
    owner = await _owner(session, claims)
    user_id = owner if owner is not None else await _new_user(session, claims)
    user = await repository.lock_user(session, user_id)
    if user is None or user.status != "active":
        raise OidcRefusedError("suspended")
    return user


async def link(session: AsyncSession, claims: Claims, asked: Link) -> None:
    """Give an account to the user who asked for it, if the session in which that was is still open.

    A transaction that sees that user's rows alone is enough. Raises OidcRefusedError where the session is over,
    IdentityTakenError where the account is another user's, and TooManyLinksError.
    """
    await _alone(session, claims)
    user = await repository.lock_user(session, asked.user_id)
    family = await repository.lock_family(session, asked.session_id)
    if user is None or user.status != "active" or family is None or not _is_live(family):
        raise OidcRefusedError("session ended")
    if await _owner(session, claims) == user.id:
        return
    links = await session.scalar(select(func.count()).select_from(OidcIdentity).where(OidcIdentity.user_id == user.id))
    if (links or 0) >= MAX_LINKS:
        raise TooManyLinksError(MAX_LINKS)
    statement = insert(OidcIdentity).values(user_id=user.id, issuer=claims.issuer, subject=claims.subject)
    statement = statement.on_conflict_do_nothing(constraint="uq_oidc_identities_issuer_subject")
    if await session.scalar(statement.returning(OidcIdentity.id)) is None:
        raise IdentityTakenError


async def check_recent(session: AsyncSession, asked: Link) -> None:
    """Whether the session is fresh enough to add a way to sign in: a stolen token alone must not become one.

    Raises StepUpRefusedError.
    """
    family = await session.get(TokenFamily, asked.session_id, populate_existing=True)
    if family is None or not _is_live(family) or family.created_at < utc_now() - SIGN_IN_IS_RECENT:
        raise StepUpRefusedError("Linking an account needs a sign-in of the last 15 minutes. Sign in again.")


def _is_live(family: TokenFamily) -> bool:
    return family.ended_at is None and family.expires_at > utc_now()


async def _alone(session: AsyncSession, claims: Claims) -> None:
    """One transaction at a time for one account: two first sign-ins at once must not make two users."""
    digest = hashlib.sha256(f"oidc\0{claims.issuer}\0{claims.subject}".encode()).digest()
    await session.execute(select(func.pg_advisory_xact_lock(int.from_bytes(digest[:8], "big", signed=True))))


async def _owner(session: AsyncSession, claims: Claims) -> UUID | None:
    statement = select(OidcIdentity.user_id).where(
        OidcIdentity.issuer == claims.issuer, OidcIdentity.subject == claims.subject
    )
    return (await session.scalars(statement)).one_or_none()


async def _new_user(session: AsyncSession, claims: Claims) -> UUID:
    """A customer. The e-mail is kept only if it is verified and nobody's; whose it is stays as it was."""
    user_id = uuid7()
    row = {"id": user_id, "display_name": claims.name or NAMELESS, "account_type": Role.USER.value}
    email = _usable(claims.email)
    with_email = insert(User).values(**row, email=email).on_conflict_do_nothing(index_elements=[User.email])
    if email is None or await session.scalar(with_email.returning(User.id)) is None:
        await session.execute(insert(User).values(**row))
    session.add(OidcIdentity(user_id=user_id, issuer=claims.issuer, subject=claims.subject))
    await session.flush()
    return user_id


def _usable(email: str | None) -> str | None:
    """An address in the form of `users`, or none."""
    if email is None or len(email) > email_address.MAX_CHARACTERS or _EMAIL.fullmatch(email) is None:
        return None
    return email.lower()
