"""Whether somebody signed in a short while ago: what a stolen session alone must not do asks for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity import repository
from llm_banking.identity.errors import StepUpRefusedError

SIGN_IN_IS_RECENT = timedelta(minutes=15)


async def check_recent_sign_in(
    session: AsyncSession, user_id: UUID, session_id: UUID | None, now: datetime, *, what: str
) -> None:
    """Refuse what needs a sign-in of late. A refresh makes no session younger; a program has none.

    `what` begins the message, as in "Removing a passkey needs". Raises StepUpRefusedError.
    """
    opened = None if session_id is None else await repository.session_opened_at(session, user_id, session_id)
    if opened is None or now - opened >= SIGN_IN_IS_RECENT:
        minutes = SIGN_IN_IS_RECENT // timedelta(minutes=1)
        raise StepUpRefusedError(
            f"{what} a sign-in of the last {minutes} minutes. Sign in again.", details={"reason": "sign_in_again"}
        )
