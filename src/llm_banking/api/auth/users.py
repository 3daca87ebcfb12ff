"""Registration, the caller's own account, and its password."""

from __future__ import annotations

from fastapi import Request

from llm_banking.api.auth.bodies import (
    Accepted,
    AccessBody,
    PasswordRequest,
    RegisterRequest,
    UserBody,
    user_body,
)
from llm_banking.api.dependencies import CallerDep, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, metadata_of
from llm_banking.identity.principal import LimitClass, Permission, public, requires
from llm_banking.kit.database import Scope
from llm_banking.kit.logs import get_logger

routes = router("/api/auth", "auth")


@routes.post("/register", status_code=202)
@policy(public(LimitClass.SIGN_IN))
async def register(request: Request, body: RegisterRequest, services: ServicesDep) -> Envelope[Accepted]:
    """Register a customer; sign in afterwards.

    An e-mail that is taken gives the same answer after the same work, so that nobody can ask this route who is a
    customer. That is why it is 202 and opens no session: either would tell.
    """
    await services.limits.count_sign_in_name(request.scope, body.email)
    accounts = services.identity.accounts
    registration = await accounts.prepare_registration(
        email=body.email, display_name=body.display_name, password=body.password.get_secret_value()
    )
    async with services.database.transaction(scope=Scope.IDENTITY) as session:
        added = await accounts.register(session, registration)
    get_logger("llm_banking.identity").info("registration", added=added)
    return Envelope(data=Accepted(), metadata=metadata_of(request))


@routes.get("/me")
@policy(requires(Permission.PROFILE_READ))
async def me(request: Request, caller: CallerDep, services: ServicesDep) -> Envelope[UserBody]:
    """Who the caller is, and what the role may do after this sign-in."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        user = await services.identity.accounts.user(session, caller)
    methods = None if caller.session_id is None else caller.authenticated_by
    data = user_body(user, services.identity.factor_rule, methods)
    return Envelope(data=data, metadata=metadata_of(request))


@routes.post("/password")
@policy(requires(Permission.PROFILE_WRITE, LimitClass.KEYS))
async def change_password(
    request: Request, body: PasswordRequest, caller: CallerDep, services: ServicesDep
) -> Envelope[AccessBody]:
    """Change the password. All other sessions end, and every access token; this session is given a new one.

    A person with a second factor needs a sign-in of the last 15 minutes (403 STEP_UP_REQUIRED).
    """
    accounts = services.identity.accounts
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        account = await accounts.begin_password_change(session, caller, place=services.limits.place_of(request.scope))
    change = await accounts.prepare_password_change(
        account, old=body.old_password.get_secret_value(), new=body.new_password.get_secret_value()
    )
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        token = await accounts.change_password(session, change)
    data = AccessBody(access_token=token, expires_in=services.identity.tokens.lifetime_s)
    return Envelope(data=data, metadata=metadata_of(request))
