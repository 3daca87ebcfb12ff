"""The refresh token of a page: in a cookie that no script can read, and that no other site can put to use.

The cookie carries the `__Host-` prefix (RFC 6265bis, section 4.1.3.2) and is SameSite=Strict. A route that takes it
asks for more: a header that a foreign page cannot set without our leave, and, where the browser says where the call
comes from, that it comes from a page of ours (ASVS 5.0, 3.5.1 to 3.5.3). Access tokens are never in a cookie.
A sign-in takes the cookie's place, and ends the session that it stood for.
"""

from __future__ import annotations

from fastapi import Request, Response

from llm_banking.identity.errors import ForbiddenError, RefreshRefusedError
from llm_banking.identity.refresh import IssuedTokens
from llm_banking.settings import Environment, Settings

COOKIE = "__Host-llmb_refresh"
REQUESTED_WITH = "llm-banking"
_SAME_ORIGIN = {"same-origin", "none"}
"""Sec-Fetch-Site (Fetch Metadata): our own page, or the user's own doing."""


def set_refresh_cookie(response: Response, tokens: IssuedTokens) -> None:
    """Give the browser the refresh token, for as long as the session lasts."""
    response.set_cookie(
        COOKIE,
        tokens.refresh_token,
        max_age=tokens.refresh_expires_in_s,
        path="/",
        secure=True,
        httponly=True,
        samesite="strict",
    )


def delete_refresh_cookie(response: Response) -> None:
    """Take the refresh token from the browser."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")


def refresh_cookie_of(request: Request, settings: Settings) -> str:
    """The refresh token that the browser sent.

    Raises ForbiddenError where the request may be another site's doing, whether or not there is a cookie, and
    RefreshRefusedError where there is none.
    """
    _check_our_page(request, settings)
    token = request.cookies.get(COOKIE)
    if not token:
        raise RefreshRefusedError
    return token


def earlier_token_of(request: Request) -> str | None:
    """The refresh token that a sign-in takes the place of, if the browser sent one.

    It opens nothing and is not renewed, so nothing is asked for beside it: whoever signs in here replaces it anyway.
    """
    return request.cookies.get(COOKIE) or None


def _check_our_page(request: Request, settings: Settings) -> None:
    headers = request.headers
    if headers.getlist("x-requested-with") != [REQUESTED_WITH]:
        raise ForbiddenError(
            "Without a refresh token in the body the browser's cookie is taken, and that needs the header "
            f"X-Requested-With: {REQUESTED_WITH}. Send it, or send the token."
        )
    allowed = _own_origins(request, settings) | set(settings.cors_origins)
    if not (set(headers.getlist("sec-fetch-site")) <= _SAME_ORIGIN and set(headers.getlist("origin")) <= allowed):
        raise ForbiddenError(
            "The cookie is taken from pages of this site alone. Call from one, or ask the operator to name the page's "
            "origin in CORS_ORIGINS."
        )


def _own_origins(request: Request, settings: Settings) -> set[str]:
    """The origin that the request was sent to. Whoever ends TLS before us, customers come by https, but in development.

    So it is read from the Host header and not from the scheme of the connection, which may be a proxy's.
    """
    hosts = request.headers.getlist("host")
    schemes = ("https", "http") if settings.environment is Environment.DEVELOPMENT else ("https",)
    return {f"{scheme}://{host.lower()}" for scheme in schemes for host in hosts[:1]}
