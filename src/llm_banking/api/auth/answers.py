"""What every sign-in answers: a session (200), or a demand for the second factor (202)."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response
from starlette.responses import JSONResponse

from llm_banking.api.auth.bodies import SecondFactorNeededBody, SignedInBody, TokensBody, tokens_body, user_body
from llm_banking.api.auth.browser_session import earlier_token_of, set_refresh_cookie
from llm_banking.api.auth.step_up import ChallengeBody
from llm_banking.api.dependencies import Services
from llm_banking.api.envelope import Envelope, ErrorEnvelope, metadata_of
from llm_banking.identity.admission import SecondFactorNeeded, SignedIn
from llm_banking.identity.refresh import IssuedTokens
from llm_banking.kit.database import Scope

REFUSES: dict[int | str, dict[str, Any]] = {401: {"model": ErrorEnvelope}, 403: {"model": ErrorEnvelope}}
"""For `responses` of a public route that judges what a caller brings in the body or in a cookie."""
SIGN_IN_RESPONSES: dict[int | str, dict[str, Any]] = {
    **REFUSES,
    202: {
        "model": Envelope[SecondFactorNeededBody],
        "description": "The first factor holds; no session until `POST /api/auth/login/second-factor`.",
    },
}
"""For `responses` of a route that answers with `sign_in_answer`; its `response_model` is Envelope[SignedInBody]."""


async def sign_in_answer(
    request: Request,
    response: Response,
    services: Services,
    outcome: SignedIn | SecondFactorNeeded,
    *,
    browser: bool,
) -> Envelope[SignedInBody] | JSONResponse:
    """The answer of a route that signs somebody in. `browser`: the refresh token goes into the cookie, not the body.

    The session that the browser's cookie stood for until now has ended then (ASVS 5.0, 7.2.4), whosever it was.
    """
    if isinstance(outcome, SecondFactorNeeded):
        needed = SecondFactorNeededBody(ticket=outcome.ticket, challenge=ChallengeBody.of(outcome.challenge))
        body = Envelope[SecondFactorNeededBody](data=needed, metadata=metadata_of(request))
        return JSONResponse(body.model_dump(mode="json"), status_code=202)
    if browser:
        await _end_earlier(request, services)
    tokens = _given(response, outcome.tokens, browser=browser)
    user = user_body(outcome.user, services.identity.factor_rule, outcome.methods)
    data = SignedInBody(**tokens.model_dump(), user=user)
    return Envelope(data=data, metadata=metadata_of(request))


def refresh_answer(
    request: Request, response: Response, tokens: IssuedTokens, *, browser: bool
) -> Envelope[TokensBody]:
    """The answer of a refresh: the successor goes where the token came from."""
    return Envelope(data=_given(response, tokens, browser=browser), metadata=metadata_of(request))


async def _end_earlier(request: Request, services: Services) -> None:
    """In a transaction of its own: two browsers that swap their users must not wait for each other's rows."""
    token = earlier_token_of(request)
    if token is not None:
        async with services.database.transaction(scope=Scope.IDENTITY) as session:
            await services.identity.families.end_by_token(session, token, "signed_in_again")


def _given(response: Response, tokens: IssuedTokens, *, browser: bool) -> TokensBody:
    if browser:
        set_refresh_cookie(response, tokens)
    return tokens_body(tokens, browser=browser)
