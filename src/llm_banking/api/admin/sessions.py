"""An administrator ends somebody's sessions (ASVS 5.0, 7.4.5). For everybody's: `llm-banking users end-sessions`."""

from __future__ import annotations

from uuid import UUID

from fastapi import Request

from llm_banking.api.auth.own_sessions import SessionsEnded
from llm_banking.api.dependencies import CallerDep, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, metadata_of
from llm_banking.identity.errors import NotFoundError
from llm_banking.identity.principal import Permission, requires
from llm_banking.kit.database import Scope

routes = router("/api/admin/users", "administration")


@routes.post("/{user_id}/sessions/end")
@policy(requires(Permission.ADMIN_WRITE))
async def end_sessions_of_user(
    request: Request, user_id: UUID, caller: CallerDep, services: ServicesDep
) -> Envelope[SessionsEnded]:
    """End all sessions of one person: no token of theirs works any more, on any worker within a second.

    A sign-in that waits for its second factor is over too. The person may sign in again; keys of programs stay good.
    """
    async with services.database.transaction(scope=Scope.IDENTITY) as session:
        ended = await services.identity.accounts.end_sessions(session, user_id, by=caller.subject)
    if ended is None:
        raise NotFoundError("There is no such person.")
    return Envelope(data=SessionsEnded(ended=ended), metadata=metadata_of(request))
