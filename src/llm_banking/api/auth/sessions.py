"""Sign-in with a password, refresh, sign-out, and the public keys of access tokens."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from llm_banking.api.auth.answers import REFUSES, SIGN_IN_RESPONSES, refresh_answer, sign_in_answer
from llm_banking.api.auth.bodies import (
    LoginRequest,
    RefreshRequest,
    SecondFactorRequest,
    SignedInBody,
    SignedOut,
    TokensBody,
)
from llm_banking.api.auth.browser_session import delete_refresh_cookie, refresh_cookie_of
from llm_banking.api.dependencies import CallerDep, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, metadata_of
from llm_banking.identity.errors import RefreshRefusedError, SignInRefusedError
from llm_banking.identity.principal import PUBLIC, LimitClass, Permission, public, requires
from llm_banking.identity.step_up import Refusal
from llm_banking.kit.database import Scope

routes: APIRouter = router("", "auth")

JWKS_KEPT_S = 60


@routes.post("/api/auth/login", response_model=Envelope[SignedInBody], responses=SIGN_IN_RESPONSES)
@policy(public(LimitClass.SIGN_IN))
async def login(
    request: Request, response: Response, body: LoginRequest, services: ServicesDep
) -> Envelope[SignedInBody] | JSONResponse:
    """Open a session, or ask for the second factor of a person who has one (202).

    One 401 for every reason to refuse; 429 with Retry-After where too many attempts failed.
    """
    await services.limits.count_sign_in_name(request.scope, body.email or body.customer_number or "")
    sign_in = services.identity.sign_in
    async with services.database.transaction(scope=Scope.IDENTITY) as session:
        candidate = await sign_in.begin(session, body.name(), place=services.limits.place_of(request.scope))
    proven = await sign_in.prove(candidate, body.password.get_secret_value())
    if proven is None:
        raise SignInRefusedError
    async with services.database.transaction(scope=Scope.IDENTITY) as session:
        outcome = await sign_in.finish(session, proven, device=body.device)
    if outcome is None:
        raise SignInRefusedError
    return await sign_in_answer(request, response, services, outcome, browser=body.browser)


@routes.post("/api/auth/login/second-factor", response_model=Envelope[SignedInBody], responses=REFUSES)
@policy(public(LimitClass.SIGN_IN))
async def login_second_factor(
    request: Request, response: Response, body: SecondFactorRequest, services: ServicesDep
) -> Envelope[SignedInBody] | JSONResponse:
    """Open the session of a sign-in that was answered 202.

    403 STEP_UP_REQUIRED where the answer does not hold; `details.attempts_left` says how often another may be tried.
    401 where the sign-in is over: begin again.
    """
    async with services.database.transaction(scope=Scope.IDENTITY) as session:
        outcome = await services.identity.admission.complete(
            session,
            body.ticket.get_secret_value(),
            challenge_id=body.challenge_id,
            answer=body.proof,
            device=body.device,
        )
    if isinstance(outcome, Refusal):
        raise outcome.error()
    return await sign_in_answer(request, response, services, outcome, browser=body.browser)


@routes.post("/api/auth/refresh", responses=REFUSES)
@policy(PUBLIC)
async def refresh(
    request: Request, response: Response, body: RefreshRequest, services: ServicesDep
) -> Envelope[TokensBody]:
    """Exchange a refresh token for its successor and a new access token.

    Without a token in the body the browser's cookie is taken, from pages of ours alone, and set anew.

    It is used once. Where the answer was lost, the same device may send it again within the grace and gets the same
    successor; any other second use ends the session.
    """
    given = body.refresh_token
    token = refresh_cookie_of(request, services.settings) if given is None else given.get_secret_value()
    async with services.database.transaction(scope=Scope.IDENTITY) as session:
        tokens = await services.identity.families.rotate(session, token, device=body.device)
    if tokens is None:
        raise RefreshRefusedError
    return refresh_answer(request, response, tokens, browser=given is None)


@routes.post("/api/auth/logout")
@policy(requires(Permission.PROFILE_READ))
async def logout(request: Request, response: Response, caller: CallerDep, services: ServicesDep) -> Envelope[SignedOut]:
    """End the session of the access token: it and the session's refresh token work no more, on any worker.

    A browser is told to forget its cookie.
    """
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        await services.identity.accounts.sign_out(session, caller)
    delete_refresh_cookie(response)
    return Envelope(data=SignedOut(), metadata=metadata_of(request))


@routes.get("/.well-known/jwks.json")
@policy(PUBLIC)
async def jwks(response: Response, services: ServicesDep) -> dict[str, list[dict[str, str]]]:
    """The public keys of access tokens (RFC 7517, section 5), without the envelope."""
    response.headers["Cache-Control"] = f"public, max-age={JWKS_KEPT_S}"
    return services.identity.keys.public_set()
