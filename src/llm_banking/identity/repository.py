"""Statements on the rows of people and their sign-ins."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.models import (
    OidcAttempt,
    RefreshToken,
    Revocation,
    SignInFailure,
    StepUpChallenge,
    TokenFamily,
    TotpSecret,
    User,
    WebauthnCredential,
)

FAILURES_KEPT = timedelta(hours=24)
KNOWN_PLACES_KEPT = timedelta(days=30)
ENDED_FAMILIES_KEPT = timedelta(days=30)


async def add_user(session: AsyncSession, *, email: str, display_name: str, password_hash: str, now: datetime) -> bool:
    """Add a customer; False where the e-mail is taken."""
    values = {
        "email": email,
        "display_name": display_name,
        "account_type": "user",
        "password_hash": password_hash,
        "password_changed_at": now,
    }
    statement = insert(User).values(**values).on_conflict_do_nothing(index_elements=[User.email]).returning(User.id)
    return await session.scalar(statement) is not None


async def user_by_name(session: AsyncSession, *, email: str | None, customer_number: str | None) -> User | None:
    """The person of an e-mail or of a customer number."""
    column, value = (User.email, email) if email is not None else (User.customer_number, customer_number)
    return (await session.scalars(select(User).where(column == value))).one_or_none()


async def lock_user(session: AsyncSession, user_id: UUID) -> User | None:
    """The person as the database has it now, held until the transaction ends."""
    statement = select(User).where(User.id == user_id).with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(statement)).one_or_none()


async def has_second_factor(session: AsyncSession, user_id: UUID) -> bool:
    """Whether a second factor is enrolled and confirmed."""
    totp = exists().where(TotpSecret.user_id == user_id, TotpSecret.confirmed_at.is_not(None))
    passkey = exists().where(WebauthnCredential.user_id == user_id)
    return bool(await session.scalar(select(or_(totp, passkey))))


async def remove_second_factors(session: AsyncSession, user_id: UUID) -> None:
    """Delete a person's second factors, and the challenges that asked for them with what failed at these."""
    for model in (TotpSecret, WebauthnCredential, StepUpChallenge):
        await session.execute(delete(model).where(model.user_id == user_id))


async def family_of_token(session: AsyncSession, token_hash: bytes) -> TokenFamily | None:
    """The family that a refresh token belongs to, locked until the transaction ends."""
    statement = (
        select(TokenFamily)
        .join(RefreshToken, RefreshToken.family_id == TokenFamily.id)
        .where(RefreshToken.token_hash == token_hash)
        .with_for_update(of=TokenFamily)
        .execution_options(populate_existing=True)
    )
    return (await session.scalars(statement)).one_or_none()


async def refresh_token(session: AsyncSession, token_hash: bytes) -> RefreshToken:
    """The row of a refresh token that is known to exist, as the database has it now."""
    statement = select(RefreshToken).where(RefreshToken.token_hash == token_hash)
    return (await session.scalars(statement.execution_options(populate_existing=True))).one()


async def live_families(session: AsyncSession, user_id: UUID, now: datetime) -> list[TokenFamily]:
    """A person's families that have not ended, oldest first, locked until the transaction ends."""
    statement = (
        select(TokenFamily)
        .where(TokenFamily.user_id == user_id, TokenFamily.ended_at.is_(None), TokenFamily.expires_at > now)
        .order_by(TokenFamily.created_at, TokenFamily.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(await session.scalars(statement))


async def lock_family(session: AsyncSession, family_id: UUID) -> TokenFamily | None:
    """A family as the database has it now, held until the transaction ends."""
    statement = select(TokenFamily).where(TokenFamily.id == family_id).with_for_update()
    return (await session.scalars(statement.execution_options(populate_existing=True))).one_or_none()


async def latest_families(session: AsyncSession, user_id: UUID, now: datetime) -> list[TokenFamily]:
    """A person's families that have not ended, the last used one first; nothing is locked."""
    statement = (
        select(TokenFamily)
        .where(TokenFamily.user_id == user_id, TokenFamily.ended_at.is_(None), TokenFamily.expires_at > now)
        .order_by(TokenFamily.last_used_at.desc(), TokenFamily.id.desc())
    )
    return list(await session.scalars(statement))


async def lock_own_family(session: AsyncSession, user_id: UUID, family_id: UUID) -> TokenFamily | None:
    """A person's own family as the database has it now, held until the transaction ends."""
    statement = select(TokenFamily).where(TokenFamily.user_id == user_id, TokenFamily.id == family_id)
    statement = statement.with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(statement)).one_or_none()


async def lock_users_with_sessions(session: AsyncSession, opened_before: datetime, most: int) -> list[User]:
    """Some people with a family from before that time that nobody ended, held until the transaction ends.

    One that is past its end counts: an access token of it may be good a little longer.
    """
    family = exists().where(
        TokenFamily.user_id == User.id, TokenFamily.ended_at.is_(None), TokenFamily.created_at <= opened_before
    )
    statement = select(User).where(family).order_by(User.id).limit(most).with_for_update(of=User)
    return list(await session.scalars(statement.execution_options(populate_existing=True)))


async def end_families_of(session: AsyncSession, user_ids: Collection[UUID], now: datetime, because: str) -> None:
    """End the families of people whose rows the transaction holds; access tokens end by their epoch."""
    statement = update(TokenFamily).where(TokenFamily.user_id.in_(user_ids), TokenFamily.ended_at.is_(None))
    await session.execute(statement.values(ended_at=now, ended_because=because))


async def session_opened_at(session: AsyncSession, user_id: UUID, family_id: UUID) -> datetime | None:
    """When a person signed in, of a session that has not ended; a refresh does not change it."""
    statement = select(TokenFamily.created_at).where(
        TokenFamily.id == family_id, TokenFamily.user_id == user_id, TokenFamily.ended_at.is_(None)
    )
    return (await session.scalars(statement)).one_or_none()


async def make_failures(
    session: AsyncSession, name_hash: bytes, places: tuple[bytes, ...], now: datetime
) -> frozenset[bytes]:
    """Make the rows of a sign-in name that are missing, in one order for everybody; the places that were."""
    values = [
        {"name_hash": name_hash, "place_hash": place, "failures": 0, "last_failed_at": now} for place in sorted(places)
    ]
    statement = insert(SignInFailure).values(values).on_conflict_do_nothing().returning(SignInFailure.place_hash)
    return frozenset(await session.scalars(statement))


async def lock_failures(
    session: AsyncSession, name_hash: bytes, places: tuple[bytes, ...]
) -> dict[bytes, SignInFailure]:
    """The rows of a sign-in name at places, locked in one order for everybody."""
    statement = (
        select(SignInFailure)
        .where(SignInFailure.name_hash == name_hash, SignInFailure.place_hash.in_(places))
        .order_by(SignInFailure.place_hash)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {row.place_hash: row for row in await session.scalars(statement)}


async def purge(session: AsyncSession, now: datetime) -> None:
    """Delete what has aged out: failures, revocations of tokens that are over, families that ended long ago, attempts.

    An attempt is a sign-in with another provider that nobody came back from.
    """
    known_place = (SignInFailure.failures == 0) & (SignInFailure.last_failed_at < now - KNOWN_PLACES_KEPT)
    failed = (SignInFailure.failures > 0) & (SignInFailure.last_failed_at < now - FAILURES_KEPT)
    await session.execute(delete(SignInFailure).where(or_(known_place, failed)))
    await session.execute(delete(Revocation).where(Revocation.expires_at < now))
    ended = func.least(TokenFamily.expires_at, func.coalesce(TokenFamily.ended_at, TokenFamily.expires_at))
    await session.execute(delete(TokenFamily).where(ended < now - ENDED_FAMILIES_KEPT))
    await session.execute(delete(OidcAttempt).where(OidcAttempt.expires_at < now))
