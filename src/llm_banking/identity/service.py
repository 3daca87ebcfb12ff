"""People's accounts: register, change the password, change the role, suspend, reset the second factors."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from anyio import to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity import repository
from llm_banking.identity.errors import ForbiddenError, PasswordRefusedError
from llm_banking.identity.hashing import PasswordHasher
from llm_banking.identity.leaked_passwords import LeakedPasswords
from llm_banking.identity.models import User
from llm_banking.identity.passwords import check_new_password, normalised
from llm_banking.identity.principal import Principal
from llm_banking.identity.recent_sign_in import check_recent_sign_in
from llm_banking.identity.refresh import TokenFamilies
from llm_banking.identity.revocations import Revocations
from llm_banking.identity.roles import Role
from llm_banking.identity.throttle import Attempt, SignInThrottle
from llm_banking.kit.clock import utc_now
from llm_banking.kit.logs import get_logger


@dataclass(frozen=True, slots=True)
class Registration:
    """A registration whose password may be used and is hashed."""

    email: str
    display_name: str
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PasswordChange:
    """A change whose old password fits and whose new one may be used."""

    user_id: UUID
    session_id: UUID
    attempt: Attempt
    old_hash: str = field(repr=False)
    new_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """What a change of password is checked against."""

    user: User
    session_id: UUID
    has_second_factor: bool
    attempt: Attempt


class Accounts:
    """Changes to people's accounts. Hashing happens outside of transactions."""

    def __init__(
        self,
        hasher: PasswordHasher,
        throttle: SignInThrottle,
        families: TokenFamilies,
        revocations: Revocations,
        leaked: LeakedPasswords | None = None,
    ) -> None:
        """`leaked` None: passwords are judged by their words and patterns alone."""
        self._hasher = hasher
        self._throttle = throttle
        self._families = families
        self._revocations = revocations
        self._leaked = leaked

    async def prepare_registration(self, *, email: str, display_name: str, password: str) -> Registration:
        """Check and hash a password. Raises PasswordRefusedError, and TryLaterError when too many wait."""
        plain = check_new_password(password, has_second_factor=False, context=(email, display_name))
        await self._check_leaked(plain)
        return Registration(email, display_name, await self._hasher.hash(plain))

    async def register(self, session: AsyncSession, registration: Registration) -> bool:
        """Add a customer; False where the e-mail is taken, which is for the log and not for the caller."""
        return await repository.add_user(
            session,
            email=registration.email,
            display_name=registration.display_name,
            password_hash=registration.password_hash,
            now=utc_now(),
        )

    async def user(self, session: AsyncSession, caller: Principal) -> User:
        """The caller's own row. Raises ForbiddenError for a caller who is nobody in the table."""
        user = await session.get(User, caller.user_id)
        if user is None:
            raise ForbiddenError("There is no account for this caller.")
        return user

    async def begin_password_change(self, session: AsyncSession, caller: Principal, *, place: str) -> Account:
        """The caller's account; counts an attempt, because whoever holds a token may be guessing the old password.

        Raises ForbiddenError for a caller who is not a person that signed in, TryLaterError, and StepUpRefusedError for
        one who has a second factor and did not sign in with it of late.
        """
        if caller.session_id is None:
            raise ForbiddenError("This needs a person who signed in; a program's key will not do.")
        self._hasher.check_room()
        has_factor = await repository.has_second_factor(session, caller.user_id)
        if has_factor:
            what = "With a second factor, a change of password needs"
            await check_recent_sign_in(session, caller.user_id, caller.session_id, utc_now(), what=what)
        attempt = await self._throttle.begin(session, name=f"change:{caller.user_id}", place=place, now=utc_now())
        user = await self.user(session, caller)
        return Account(user, caller.session_id, has_factor, attempt)

    async def prepare_password_change(self, account: Account, *, old: str, new: str) -> PasswordChange:
        """Check both passwords and hash the new one.

        Raises ForbiddenError where the old one is wrong, PasswordRefusedError where the new one may not be used, and
        TryLaterError.
        """
        user = account.user
        found = await self._hasher.verify(user.password_hash, normalised(old))
        if not found.matches or user.password_hash is None:
            raise ForbiddenError("The old password is wrong.")
        context = [text for text in (user.email, user.display_name, user.customer_number) if text is not None]
        plain = check_new_password(new, has_second_factor=account.has_second_factor, context=context)
        if plain == normalised(old):
            raise PasswordRefusedError("The new password is the old one. Choose another.")
        await self._check_leaked(plain)
        new_hash = await self._hasher.hash(plain)
        return PasswordChange(user.id, account.session_id, account.attempt, user.password_hash, new_hash)

    async def change_password(self, session: AsyncSession, change: PasswordChange) -> str:
        """Set the password, end all other sessions and every access token; returns a new one for this session.

        Raises ForbiddenError where the account or the session changed meanwhile.
        """
        user = await repository.lock_user(session, change.user_id)
        family = await repository.lock_family(session, change.session_id)
        if (
            user is None
            or family is None
            or family.ended_at is not None
            or not secrets.compare_digest(user.password_hash or "", change.old_hash)
        ):
            raise ForbiddenError("The account changed while the password was checked. Sign in again.")
        user.password_hash, user.password_changed_at = change.new_hash, utc_now()
        await self._throttle.forgive(session, change.attempt, utc_now())
        await self._raise_epoch(session, user)
        await self._families.end_all(session, user.id, "password_changed", but=family.id)
        return self._families.access_token(user, family)

    async def set_role(self, session: AsyncSession, user_id: UUID, role: Role) -> bool:
        """Give a person another role; access tokens with the old one end. False where there is no such person."""
        user = await repository.lock_user(session, user_id)
        if user is None:
            return False
        if user.account_type != role.value:
            user.account_type = role.value
            await self._raise_epoch(session, user)
        return True

    async def suspend(self, session: AsyncSession, user_id: UUID) -> bool:
        """Shut a person out: no sign-in, no session, no token. False where there is no such person."""
        user = await repository.lock_user(session, user_id)
        if user is None:
            return False
        user.status = "suspended"
        await self._raise_epoch(session, user)
        await self._families.end_all(session, user.id, "suspended")
        return True

    async def reinstate(self, session: AsyncSession, user_id: UUID) -> bool:
        """Let a suspended person sign in again. False where there is no such person."""
        user = await repository.lock_user(session, user_id)
        if user is None:
            return False
        user.status = "active"
        return True

    async def reset_second_factors(self, session: AsyncSession, user_id: UUID) -> bool:
        """Take the second factors from a person who lost the device, and end that person's sessions and sign-ins.

        The operator has made sure who asks. False where there is no such person.
        """
        user = await repository.lock_user(session, user_id)
        if user is None:
            return False
        await repository.remove_second_factors(session, user.id)
        get_logger("llm_banking.identity").warning("second factors reset by the operator", user_id=str(user.id))
        await self._raise_epoch(session, user)
        await self._families.end_all(session, user.id, "factors_reset")
        return True

    async def end_sessions(self, session: AsyncSession, user_id: UUID, *, by: str) -> int | None:
        """End all of a person's sessions and begun sign-ins; how many sessions. None where there is no such person.

        `by` is the administrator, for the log.
        """
        user = await repository.lock_user(session, user_id)
        if user is None:
            return None
        log = get_logger("llm_banking.identity")
        log.warning("sessions ended by an administrator", user_id=str(user.id), by=by)
        await self._raise_epoch(session, user)
        return await self._families.end_all(session, user.id, "ended_by_admin")

    async def end_sessions_of_some(self, session: AsyncSession, opened_before: datetime, *, most: int, by: str) -> int:
        """End all sessions of at most `most` people who have one from before that time; how many people.

        Again and again until it is 0, each in a transaction of its own, it ends everybody's: no statement is long.
        """
        users = await repository.lock_users_with_sessions(session, opened_before, most)
        for user in users:
            user.token_epoch += 1
        await session.flush()
        epochs = {user.id: user.token_epoch for user in users}
        await repository.end_families_of(session, epochs, utc_now(), "ended_by_admin")
        await self._revocations.revoke_many_epochs_below(session, epochs)
        get_logger("llm_banking.identity").warning("sessions of many ended", people=len(users), by=by)
        return len(users)

    async def sign_out(self, session: AsyncSession, caller: Principal) -> None:
        """End the caller's session. Raises ForbiddenError for a caller who has none."""
        if caller.session_id is None:
            raise ForbiddenError("This needs a person who signed in; there is no session to end.")
        family = await repository.lock_family(session, caller.session_id)
        if family is not None:
            await self._families.end(session, family, "signed_out")

    async def _check_leaked(self, plain: str) -> None:
        if self._leaked is not None and await to_thread.run_sync(self._leaked.holds, plain):
            raise PasswordRefusedError(
                "The password is in a published list of leaked ones, which are tried first. Choose another."
            )

    async def _raise_epoch(self, session: AsyncSession, user: User) -> None:
        user.token_epoch += 1
        log = get_logger("llm_banking.identity")
        log.info("tokens taken back", user_id=str(user.id), account_type=user.account_type, status=user.status)
        await self._revocations.revoke_epochs_below(session, user.id, user.token_epoch)
