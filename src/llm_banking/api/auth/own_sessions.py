"""The caller's own sessions: which there are, and how to end them from another device."""

from __future__ import annotations

from uuid import UUID

from fastapi import Request

from llm_banking.api.dependencies import CallerDep, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, Model, Timestamp, metadata_of
from llm_banking.identity.principal import Permission, requires

routes = router("/api/auth/sessions", "auth")


class OwnSessionBody(Model):
    """A session. `device` is what its client called itself, `methods` how its person signed in (RFC 8176)."""

    id: UUID
    device: str | None
    started_at: Timestamp
    last_used_at: Timestamp
    expires_at: Timestamp
    methods: list[str]
    current: bool


class OwnSessionList(Model):
    """The sessions that can still be used, the last used one first; never more than a person may have."""

    items: list[OwnSessionBody]


class SessionsEnded(Model):
    """How many sessions ended."""

    ended: int


@routes.get("")
@policy(requires(Permission.PROFILE_READ))
async def list_own_sessions(request: Request, caller: CallerDep, services: ServicesDep) -> Envelope[OwnSessionList]:
    """The caller's sessions. `last_used_at` is the sign-in or the last refresh."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        found = await services.identity.own_sessions.of(session, caller)
    items = [
        OwnSessionBody(
            id=one.id,
            device=one.device,
            started_at=one.created_at,
            last_used_at=one.last_used_at,
            expires_at=one.expires_at,
            methods=one.authenticated_by,
            current=one.id == caller.session_id,
        )
        for one in found
    ]
    return Envelope(data=OwnSessionList(items=items), metadata=metadata_of(request))


@routes.delete("/{session_id}")
@policy(requires(Permission.PROFILE_WRITE))
async def end_own_session(
    request: Request, session_id: UUID, caller: CallerDep, services: ServicesDep
) -> Envelope[SessionsEnded]:
    """End one of the caller's sessions: its tokens work no more, on any worker within a second.

    Another one than the caller's needs a sign-in of the last 15 minutes (403 STEP_UP_REQUIRED).
    """
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        ended = await services.identity.own_sessions.end(session, caller, session_id)
    return Envelope(data=SessionsEnded(ended=ended), metadata=metadata_of(request))


@routes.post("/others/end")
@policy(requires(Permission.PROFILE_WRITE))
async def end_other_sessions(request: Request, caller: CallerDep, services: ServicesDep) -> Envelope[SessionsEnded]:
    """End all of the caller's sessions but this one; for whoever changed a factor or saw a session that is not theirs.

    Needs a sign-in of the last 15 minutes (403 STEP_UP_REQUIRED).
    """
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        ended = await services.identity.own_sessions.end_others(session, caller)
    return Envelope(data=SessionsEnded(ended=ended), metadata=metadata_of(request))
