"""How often whom a request is counted against, and what the caller is told of it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llm_banking.api.client_address import Network, address_identity, client_address
from llm_banking.api.errors import error_response
from llm_banking.identity.principal import LimitClass, Policy, Principal
from llm_banking.kit.rate_limits import Bucket, Decision, RateLimiter, RateLimitExceededError
from llm_banking.settings import LimitName, RateLimits

CLOSED_WITHOUT_REDIS = frozenset(
    {
        *(LimitClass.SIGN_IN, LimitClass.TRANSFER, LimitClass.CONFIRMATION),
        *(LimitClass.KEYS, LimitClass.PRIVACY, LimitClass.ADMIN),
    }
)
"""Refused while Redis is away. The other classes go on with each worker's share of the limits."""

_OWN_LIMIT: dict[LimitClass, LimitName] = {
    LimitClass.CHAT: "chat",
    LimitClass.CONFIRMATION: "chat",
    LimitClass.PRIVACY: "privacy",
    LimitClass.ADMIN: "admin",
    LimitClass.SIGN_IN: "sign_in",
}
_COUNTED = "rate_limit"


class RequestLimits:
    """Counts requests against addresses, callers and classes of routes, all in one decision."""

    def __init__(self, limiter: RateLimiter, limits: RateLimits, trusted_proxies: Sequence[Network]) -> None:
        self.limiter = limiter
        self._limits = limits
        self._trusted_proxies = trusted_proxies

    async def count(self, scope: Scope, declared: Policy, principal: Principal | None) -> None:
        """Count a request to a route. Without a principal it is public, or its caller could not be told.

        Raises RateLimitExceededError, and RateLimitUnavailableError while Redis is away where the class is closed then.
        """
        if declared.limit is LimitClass.UNLIMITED:
            _state(scope)[_COUNTED] = None
            return
        buckets = self._buckets(scope, declared, principal)
        await self._take(scope, buckets, closes=declared.limit in CLOSED_WITHOUT_REDIS)

    async def count_sign_in_name(self, scope: Scope, name: str) -> None:
        """Count an attempt to sign in or to register under a name, whether or not it belongs to anybody.

        The route calls it once it knows the name; its address is counted before. Raises as `count` does.
        """
        folded = unicodedata.normalize("NFKC", name).strip().casefold()
        bucket = Bucket("sign_in_name", self._limits.sign_in_name, folded.encode("utf-8", "surrogatepass"))
        await self._take(scope, [bucket], closes=True)

    async def count_unrouted(self, scope: Scope) -> None:
        """Count a request that no route has counted: a wrong address, method or body. Raises RateLimitExceededError."""
        await self._take(scope, [self._of_address(scope)], closes=False)

    def place_of(self, scope: Scope) -> str:
        """Where a request came from, as one name for all that counts as one client."""
        return self._identity_of(scope).hex()

    def takes(self, scope: Scope, limit: LimitClass) -> bool:
        """Whether something of another class may be done within a request that was counted.

        A class that is closed while Redis is away is not taken in by the door of one that is open then.
        """
        decision: Decision | None = _state(scope).get(_COUNTED)
        return limit not in CLOSED_WITHOUT_REDIS or (decision is not None and decision.shared)

    async def warm_up(self) -> None:
        """Make the first decision as quick as the next one."""
        await self.limiter.warm_up()

    async def close(self) -> None:
        """Close the connections."""
        await self.limiter.close()

    def _buckets(self, scope: Scope, declared: Policy, principal: Principal | None) -> list[Bucket]:
        by_address = self._of_address(scope)
        found, identity, account_type = [by_address], by_address.identity, None
        if principal is not None:
            kind: LimitName = "user" if principal.api_key_id is None else "api_key"
            identity, account_type = (principal.api_key_id or principal.user_id).bytes, principal.account_type
            found.append(Bucket(kind, self._limits.of(kind, account_type), identity))
        elif declared.permission is not None or declared.limit is LimitClass.PAGE:
            return found
        own = _OWN_LIMIT.get(declared.limit, "anonymous" if principal is None else None)
        if own is not None:
            found.append(Bucket(own, self._limits.of(own, account_type), identity))
        return found

    def _of_address(self, scope: Scope) -> Bucket:
        return Bucket("address", self._limits.address, self._identity_of(scope))

    def _identity_of(self, scope: Scope) -> bytes:
        return address_identity(client_address(scope, self._trusted_proxies))

    async def _take(self, scope: Scope, buckets: Sequence[Bucket], *, closes: bool) -> None:
        state = _state(scope)
        state.setdefault(_COUNTED, None)
        decision = await self.limiter.take(buckets, closes=closes)
        state[_COUNTED] = decision
        if not decision.admitted:
            raise RateLimitExceededError(decision.wait_s)


class RateLimitGuard:
    """Tells every counted request its limits, and counts by address what no route has counted.

    It stands outside of everything that may refuse a request before a route sees it.
    """

    def __init__(self, app: ASGIApp, *, limits: RequestLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = False

        async def send_counted(message: Message) -> None:
            nonlocal refused
            if refused:
                return
            if message["type"] == "http.response.start":
                refusal = await self._refusal(scope)
                if refusal is not None:
                    refused = True
                    await refusal(scope, receive, _with_headers(scope, send))
                    return
            await _with_headers(scope, send)(message)

        await self._app(scope, receive, send_counted)

    async def _refusal(self, scope: Scope) -> ASGIApp | None:
        if _COUNTED in _state(scope):
            return None
        try:
            await self._limits.count_unrouted(scope)
        except RateLimitExceededError as error:
            headers = {"Retry-After": str(error.retry_after_s)}
            return error_response(Request(scope), error.code, error.message, headers=headers)
        return None


def _with_headers(scope: Scope, send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        decision: Decision | None = _state(scope).get(_COUNTED)
        if message["type"] == "http.response.start" and decision is not None:
            headers = MutableHeaders(scope=message)
            headers["RateLimit-Policy"], headers["RateLimit"] = rate_limit_fields(decision)
        await send(message)

    return send_with_headers


def rate_limit_fields(decision: Decision) -> tuple[str, str]:
    """RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-11), for the tightest bucket.

    The effective window is the limit's own, so that a client that spreads what remains over it never goes too fast; of
    an empty bucket it is the time until the next token.
    """
    limit = decision.limit
    window_s = limit.window_s if decision.remaining else decision.wait_s
    return (
        f'"{decision.name}";q={limit.requests};w={limit.window_s}',
        f'"{decision.name}";r={decision.remaining};t={window_s}',
    )


def _state(scope: Scope) -> dict[str, Any]:
    state: dict[str, Any] = scope.setdefault("state", {})
    return state
