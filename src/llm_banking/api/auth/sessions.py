"""Sign-in with a password, refresh, sign-out, and the public keys of access tokens."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from llm_banking.api.auth.bodies import (
    LoginRequest,
    RefreshRequest,
    SignedInBody,
    SignedOut,
    TokensBody,
    place_of,
    tokens_body,
    user_body,
)
from llm_banking.api.dependencies import CallerDep, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, ErrorEnvelope, metadata_of
from llm_banking.identity.errors import RefreshRefusedError, SignInRefusedError
from llm_banking.identity.principal import PUBLIC, Permission, requires
from llm_banking.kit.database import Scope

routes: APIRouter = router("", "auth")

JWKS_KEPT_S = 60
REFUSES: dict[int | str, dict[str, Any]] = {401: {"model": ErrorEnvelope}}
"""Public routes that judge a credential in the body."""


@routes.post("/api/auth/login", responses=REFUSES)
@policy(PUBLIC)
async def login(
    request: Request, response: Response, body: LoginRequest, services: ServicesDep
) -> Envelope[SignedInBody]:
    """Open a session. One 401 for every reason to refuse; 429 with Retry-After where too many attempts failed."""
    sign_in = services.identity.sign_in
    async with services.database.transaction(scope=Scope.IDENTITY) as session:
        candidate = await sign_in.begin(session, body.name(), place=place_of(request))
    proven = await sign_in.prove(candidate, body.password.get_secret_value())
    if proven is None:
        raise SignInRefusedError
    async with services.database.transaction(scope=Scope.IDENTITY) as session:
        signed_in = await sign_in.finish(session, proven, device=body.device)
    if signed_in is None:
        raise SignInRefusedError
    response.headers["Cache-Control"] = "no-store"
    data = SignedInBody(**tokens_body(signed_in.tokens).model_dump(), user=user_body(signed_in.user))
    return Envelope(data=data, metadata=metadata_of(request))


@routes.post("/api/auth/refresh", responses=REFUSES)
@policy(PUBLIC)
async def refresh(
    request: Request, response: Response, body: RefreshRequest, services: ServicesDep
) -> Envelope[TokensBody]:
    """Exchange a refresh token for its successor and a new access token.

    It is used once. Where the answer was lost, the same device may send it again within the grace and gets the same
    successor; any other second use ends the session.
    """
    async with services.database.transaction(scope=Scope.IDENTITY) as session:
        tokens = await services.identity.families.rotate(
            session, body.refresh_token.get_secret_value(), device=body.device
        )
    if tokens is None:
        raise RefreshRefusedError
    response.headers["Cache-Control"] = "no-store"
    return Envelope(data=tokens_body(tokens), metadata=metadata_of(request))


@routes.post("/api/auth/logout")
@policy(requires(Permission.PROFILE_READ))
async def logout(request: Request, caller: CallerDep, services: ServicesDep) -> Envelope[SignedOut]:
    """End the session of the access token: it and the session's refresh token work no more, on any worker."""
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        await services.identity.accounts.sign_out(session, caller)
    return Envelope(data=SignedOut(), metadata=metadata_of(request))


@routes.get("/.well-known/jwks.json")
@policy(PUBLIC)
async def jwks(response: Response, services: ServicesDep) -> dict[str, list[dict[str, str]]]:
    """The public keys of access tokens (RFC 7517, section 5), without the envelope."""
    response.headers["Cache-Control"] = f"public, max-age={JWKS_KEPT_S}"
    return services.identity.keys.public_set()
