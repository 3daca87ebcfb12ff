"""Sign-in with Google and Microsoft (OpenID Connect Core 1.0; RFC 7636, RFC 9207, RFC 9700).

The browser goes to `login`, from there to the provider, and comes back to `callback`. No token is ever put in an
address: the callback sends the browser to the web page with a code in the fragment, which neither this server's log nor
the next site sees (`/#sign_in_code=...`). The page exchanges it at `exchange`, once, within a minute, and only with the
cookie of the browser that began. The answer is that of `POST /api/auth/login`.

Linking begins with `POST .../link` of a signed-in user, whose page opens the address in the answer; the callback then
ends at `/#linked=<provider>`. A refused sign-in answers with an error and does not say more than that.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field, SecretStr, StrictBool
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import JSONResponse, RedirectResponse

from llm_banking.api.auth.answers import REFUSES, SIGN_IN_RESPONSES, sign_in_answer
from llm_banking.api.auth.bodies import Device, SignedInBody
from llm_banking.api.dependencies import CallerDep, Services, ServicesDep, policy, router
from llm_banking.api.envelope import Envelope, Model, metadata_of
from llm_banking.identity.authenticator import visible_to
from llm_banking.identity.errors import ForbiddenError
from llm_banking.identity.oidc.attempts import ATTEMPT_LIFETIME_S, Attempt, Link
from llm_banking.identity.oidc.errors import OidcRefusedError
from llm_banking.identity.oidc.service import Answer
from llm_banking.identity.principal import PUBLIC, LimitClass, Permission, public, requires
from llm_banking.kit.database import Scope

routes = router("/api/auth/oauth", "auth")

COOKIE = "llmb-oauth"
_ANSWER_PARAMETERS = ("state", "code", "error", "iss")

State = Annotated[str | None, Query(max_length=100)]
Code = Annotated[str | None, Query(max_length=4_096)]
Issuer = Annotated[str | None, Query(max_length=500)]
ProviderError = Annotated[str | None, Query(max_length=1_000)]


class ExchangeRequest(Model):
    """The code of the callback. `device` is what the client calls itself; `browser` is as for a password's sign-in."""

    code: Annotated[SecretStr, Field(min_length=1, max_length=100)]
    device: Device = None
    browser: StrictBool = False


class LinkBody(Model):
    """Where to send the browser that asked, within `expires_in` seconds."""

    authorization_url: str
    expires_in: int


@routes.get("/{provider}/login", status_code=302, response_class=RedirectResponse)
@policy(public(LimitClass.SIGN_IN))
async def oauth_login(provider: str, services: ServicesDep) -> Response:
    """Begin: send the browser to the provider, with a cookie that it must come back with.

    This counts as the sign-in; what follows needs values that only this answer gave.
    """
    oidc = services.identity.oidc
    chosen = oidc.provider(provider)
    metadata = await oidc.metadata(chosen)
    async with services.database.transaction(scope=Scope.IDENTITY) as session:
        started = await oidc.begin(session, chosen, metadata)
    response = _redirect(started.authorization_url, status=302)
    _set_cookie(response, services, started.browser)
    return response


@routes.get("/{provider}/callback", status_code=303, response_class=RedirectResponse, responses=REFUSES)
@policy(PUBLIC)
async def oauth_callback(
    request: Request,
    provider: str,
    services: ServicesDep,
    state: State = None,
    code: Code = None,
    error: ProviderError = None,
    iss: Issuer = None,
) -> Response:
    """Come back: consume the attempt, redeem the code, check the id token, and send the browser to the page."""
    oidc = services.identity.oidc
    chosen = oidc.provider(provider)
    browser = request.cookies.get(_cookie_name(services), "")
    if any(len(request.query_params.getlist(name)) > 1 for name in _ANSWER_PARAMETERS):
        raise OidcRefusedError("twin parameters")
    async with services.database.transaction(scope=Scope.IDENTITY) as session:
        attempt = await oidc.take(session, chosen, state=state or "", browser=browser)
    if attempt is None:
        raise OidcRefusedError("attempt")
    claims = await oidc.prove(chosen, attempt, Answer(code, iss, failed=error is not None))
    async with _transaction_of(services, attempt) as session:
        sign_in_code = await oidc.finish(session, chosen, attempt, claims, browser=browser)
    base = services.settings.public_base_url or ""
    if sign_in_code is None:
        response = _redirect(f"{base}/#linked={chosen.name}", status=303)
        _delete_cookie(response, services)
        return response
    return _redirect(f"{base}/#sign_in_code={sign_in_code}", status=303)


@routes.post("/exchange", response_model=Envelope[SignedInBody], responses=SIGN_IN_RESPONSES)
@policy(PUBLIC)
async def oauth_exchange(
    request: Request, response: Response, body: ExchangeRequest, services: ServicesDep
) -> Envelope[SignedInBody] | JSONResponse:
    """Exchange the code of the callback for a session or the second step; once, by the browser that began."""
    browser = request.cookies.get(_cookie_name(services), "")
    async with services.database.transaction(scope=Scope.IDENTITY) as session:
        outcome = await services.identity.oidc.exchange(
            session, code=body.code.get_secret_value(), browser=browser, device=body.device
        )
    if outcome is None:
        raise OidcRefusedError("sign-in code")
    answer = await sign_in_answer(request, response, services, outcome, browser=body.browser)
    _delete_cookie(answer if isinstance(answer, JSONResponse) else response, services)
    return answer


@routes.post("/{provider}/link")
@policy(requires(Permission.PROFILE_WRITE))
async def oauth_link(
    request: Request, response: Response, provider: str, caller: CallerDep, services: ServicesDep
) -> Envelope[LinkBody]:
    """Begin to link an account with the provider to the caller, in this session and this browser.

    The sign-in must be of the last 15 minutes (403). An account that is linked to another user already is refused at
    the callback (409).
    """
    oidc = services.identity.oidc
    chosen = oidc.provider(provider)
    if caller.session_id is None:
        raise ForbiddenError("This needs a person who signed in; a program's key will not do.")
    metadata = await oidc.metadata(chosen)
    async with services.database.transaction(visible_to=caller.visible_user_ids) as session:
        started = await oidc.begin(session, chosen, metadata, link=Link(caller.user_id, caller.session_id))
    response.headers["Cache-Control"] = "no-store"
    _set_cookie(response, services, started.browser)
    data = LinkBody(authorization_url=started.authorization_url, expires_in=ATTEMPT_LIFETIME_S)
    return Envelope(data=data, metadata=metadata_of(request))


def _transaction_of(services: Services, attempt: Attempt) -> AbstractAsyncContextManager[AsyncSession]:
    """The transaction that ends an attempt: a link concerns one user, a sign-in may be anybody's."""
    if attempt.link is not None:
        return services.database.transaction(visible_to=visible_to(attempt.link.user_id))
    return services.database.transaction(scope=Scope.IDENTITY)


def _redirect(url: str, *, status: int) -> RedirectResponse:
    """A redirect that nothing keeps and that tells the next site nothing."""
    return RedirectResponse(url, status, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


def _is_secure(services: Services) -> bool:
    """Whether browsers reach us by https; the settings allow anything else on loopback in development alone."""
    return (services.settings.public_base_url or "").startswith("https://")


def _cookie_name(services: Services) -> str:
    """With the prefix that no other host of the domain can set it under (RFC 6265bis, section 4.1.3.2)."""
    return f"__Host-{COOKIE}" if _is_secure(services) else COOKIE


def _set_cookie(response: Response, services: Services, value: str) -> None:
    """A new value for each attempt. Lax, because the browser comes back from another site."""
    response.set_cookie(
        _cookie_name(services),
        value,
        max_age=ATTEMPT_LIFETIME_S,
        path="/",
        secure=_is_secure(services),
        httponly=True,
        samesite="lax",
    )


def _delete_cookie(response: Response, services: Services) -> None:
    response.delete_cookie(_cookie_name(services), path="/", secure=_is_secure(services), httponly=True, samesite="lax")
