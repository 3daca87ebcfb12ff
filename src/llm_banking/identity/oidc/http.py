"""Calls to a provider: bounded in time and size, never redirected, and without a word of the answer in an error."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, NoReturn

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from llm_banking.identity.oidc.errors import OidcRefusedError, ProviderUnavailableError
from llm_banking.identity.oidc.providers import Provider

DEADLINE_S = 8.0
"""For one call from its first byte to its last: less than a browser waits, more than a slow provider needs."""
CONNECT_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 262_144
CLIENT_AUTHENTICATION = "client_secret_post"
"""Both providers take it, and a form says every character of a secret in one way."""
_CODE_REFUSED = ("invalid_grant", "invalid_request")
"""The code, its verifier or its redirect URI is not good (RFC 6749, section 5.2); else it is our registration."""

TransportFactory = Callable[[], httpx2.AsyncBaseTransport]


class ProviderClient:
    """Fetches a provider's documents and redeems its codes.

    Each call has a connection of its own: calls are rare, and nothing is left open.
    """

    def __init__(
        self,
        *,
        transport: TransportFactory | None = None,
        deadline_s: float = DEADLINE_S,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        """`transport` None: TLS that is checked against the system's trusted certificates."""
        self._transport = transport or _over_tls()
        self._deadline_s = deadline_s
        self._max_answer_bytes = max_answer_bytes

    async def document(self, url: str) -> dict[str, Any]:
        """A JSON object. Raises ProviderUnavailableError."""
        try:
            async with asyncio.timeout(self._deadline_s), httpx2.AsyncClient(**self._options()) as client:
                answer = await client.get(url, headers={"Accept": "application/json"})
        except TimeoutError:
            raise ProviderUnavailableError("slow") from None
        except httpx2.HTTPError:
            raise ProviderUnavailableError("away") from None
        if answer.status_code != 200:
            raise ProviderUnavailableError("status")
        return json_object(answer.content)

    async def redeem(self, provider: Provider, token_url: str, *, code: str, verifier: str) -> dict[str, Any]:
        """What the token endpoint gives for a code (RFC 6749, section 4.1.3; RFC 7636, section 4.5).

        Raises OidcRefusedError where the provider refuses the code, and ProviderUnavailableError.
        """
        try:
            async with (
                asyncio.timeout(self._deadline_s),
                AsyncOAuth2Client(
                    client_id=provider.client_id,
                    client_secret=provider.client_secret.get_secret_value(),
                    token_endpoint_auth_method=CLIENT_AUTHENTICATION,
                    redirect_uri=provider.redirect_uri,
                    **self._options(),
                ) as client,
            ):
                token = await client.fetch_token(
                    token_url, grant_type="authorization_code", code=code, code_verifier=verifier
                )
        except TimeoutError:
            raise ProviderUnavailableError("slow") from None
        except (httpx2.HTTPError, ValueError, TypeError, RecursionError):
            raise ProviderUnavailableError("away") from None
        except AuthlibBaseError as error:
            if error.error in _CODE_REFUSED:
                raise OidcRefusedError("code") from None
            raise ProviderUnavailableError("registration") from None
        return dict(token)

    def _options(self) -> dict[str, Any]:
        return {
            "transport": _Bounded(self._transport(), self._max_answer_bytes),
            "timeout": httpx2.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            "follow_redirects": False,
            "trust_env": False,
        }


def json_object(raw: bytes) -> dict[str, Any]:
    """A JSON object without twin keys and constants. Raises ProviderUnavailableError."""
    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=_without_twins, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ProviderUnavailableError("form") from None
    if not isinstance(found, dict):
        raise ProviderUnavailableError("form")
    return found


class _AnswerRefusedError(httpx2.TransportError):
    """The answer is too large or compressed."""


class _Bounded(httpx2.AsyncBaseTransport):
    """Passes on answers up to a size. It asks for plain ones, so that a small answer cannot become a large one."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, max_bytes: int) -> None:
        self._inner = inner
        self._max_bytes = max_bytes

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["Accept-Encoding"] = "identity"
        answer = await self._inner.handle_async_request(request)
        stream = answer.stream
        if not isinstance(stream, httpx2.AsyncByteStream):
            raise _AnswerRefusedError("not a stream")
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            await stream.aclose()
            raise _AnswerRefusedError("compressed")
        return httpx2.Response(
            answer.status_code,
            headers=answer.headers,
            stream=_BoundedStream(stream, self._max_bytes),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, max_bytes: int) -> None:
        self._inner = inner
        self._left = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            self._left -= len(chunk)
            if self._left < 0:
                raise _AnswerRefusedError("too large")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


def _over_tls() -> TransportFactory:
    """Connections that trust what this machine trusts, read when the first is made."""
    trusted = functools.cache(httpx2.create_ssl_context)
    return lambda: httpx2.AsyncHTTPTransport(verify=trusted(), trust_env=False)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _refuse(_: str) -> NoReturn:
    raise ValueError
