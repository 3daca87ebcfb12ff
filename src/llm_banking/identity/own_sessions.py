"""A person's own sessions: seen, and ended from another one (ASVS 5.0, 7.4.3 and 7.5.2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity import repository
from llm_banking.identity.errors import ForbiddenError, NotFoundError
from llm_banking.identity.models import TokenFamily
from llm_banking.identity.principal import Principal
from llm_banking.identity.recent_sign_in import check_recent_sign_in
from llm_banking.identity.refresh import TokenFamilies
from llm_banking.kit.clock import utc_now


class OwnSessions:
    """For persons who signed in. Ending a session other than the caller's takes a sign-in of the last 15 minutes."""

    def __init__(self, families: TokenFamilies, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._families = families
        self._clock = clock

    async def of(self, session: AsyncSession, caller: Principal) -> list[TokenFamily]:
        """The caller's sessions that could still be used, the last used one first. Raises ForbiddenError."""
        _session_of(caller)
        return await self._families.usable(session, caller.user_id)

    async def end(self, session: AsyncSession, caller: Principal, session_id: UUID) -> int:
        """End one of the caller's sessions; how many ended. The caller's own needs no sign-in of late.

        Raises ForbiddenError, StepUpRefusedError, and NotFoundError for one that is over or somebody else's.
        """
        current = _session_of(caller)
        if session_id != current:
            await self._check_recent(session, caller, current)
        family = await repository.lock_own_family(session, caller.user_id, session_id)
        if family is None or not self._families.is_usable(family, self._clock()):
            raise NotFoundError("You have no such session, or it is over. GET /api/auth/sessions lists yours.")
        await self._families.end(session, family, "ended_by_owner")
        return 1

    async def end_others(self, session: AsyncSession, caller: Principal) -> int:
        """End the caller's sessions but the one that asks; how many ended. Raises ForbiddenError, StepUpRefusedError.

        The person's row is held, so that no sign-in slips in between.
        """
        current = _session_of(caller)
        await repository.lock_user(session, caller.user_id)
        await self._check_recent(session, caller, current)
        return await self._families.end_all(session, caller.user_id, "ended_by_owner", but=current)

    async def _check_recent(self, session: AsyncSession, caller: Principal, current: UUID) -> None:
        await check_recent_sign_in(session, caller.user_id, current, self._clock(), what="Ending another session needs")


def _session_of(caller: Principal) -> UUID:
    if caller.session_id is None:
        raise ForbiddenError("This needs a person who signed in; a program's key will not do.")
    return caller.session_id
