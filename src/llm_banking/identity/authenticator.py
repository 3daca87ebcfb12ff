"""From the headers of a request to the caller, or to a refusal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeAlias
from uuid import UUID

from llm_banking.identity.demo import DEMO_PRINCIPAL
from llm_banking.identity.errors import InvalidCredentialError, TooManyCredentialsError, UnauthenticatedError
from llm_banking.identity.principal import Principal
from llm_banking.identity.revocations import Revocations
from llm_banking.identity.tokens import AccessTokens

API_KEY_PREFIX = "llmb_"
"""What every API key begins with, and no access token."""

VerifyApiKey: TypeAlias = Callable[[str], Awaitable[Principal]]
"""The caller that an API key stands for. Raises InvalidCredentialError."""


class Authenticator:
    """Tells who sent a request.

    Exactly one credential counts: `Authorization: Bearer` with an access token or an API key, or `X-API-Key`. The demo
    principal stands in where it is switched on and the request carries none at all; a bad credential is never ignored.
    """

    def __init__(
        self, tokens: AccessTokens, revocations: Revocations, *, demo: bool, verify_api_key: VerifyApiKey | None = None
    ) -> None:
        """`verify_api_key` None: every API key is refused."""
        self._tokens = tokens
        self._revocations = revocations
        self._demo = demo
        self._verify_api_key = verify_api_key

    async def __call__(self, headers: Mapping[str, str]) -> Principal:
        """The caller. `headers.items()` names a header as often as the request does.

        Raises UnauthenticatedError and its kinds, and RevocationsStaleError.
        """
        bearer, keys = _credentials(headers.items())
        if len(bearer) + len(keys) > 1:
            raise TooManyCredentialsError(
                "The request carries more than one credential. Send one: Authorization: Bearer, or X-API-Key."
            )
        if keys:
            return await self._by_key(keys[0])
        if bearer:
            return await self._by_authorization(bearer[0])
        if self._demo:
            return DEMO_PRINCIPAL
        raise UnauthenticatedError("Sign in first. Send the access token in the header Authorization: Bearer.")

    async def _by_authorization(self, value: str) -> Principal:
        scheme, _, credential = value.partition(" ")
        if scheme.lower() != "bearer" or not credential:
            raise UnauthenticatedError("Send the credential in the form Authorization: Bearer <access token>.")
        if credential.startswith(API_KEY_PREFIX):
            return await self._by_key(credential)
        token = self._tokens.check(credential)
        one = token.subject
        self._revocations.check_token(session_id=one.session_id, user_id=one.user_id, epoch=one.epoch)
        return Principal(
            user_id=one.user_id,
            subject=str(one.user_id),
            permissions=token.permissions,
            visible_user_ids=visible_to(one.user_id),
            account_type=one.account_type,
            session_id=one.session_id,
            authenticated_by=one.authenticated_by,
        )

    async def _by_key(self, key: str) -> Principal:
        if self._verify_api_key is None:
            raise InvalidCredentialError
        return await self._verify_api_key(key)


def visible_to(user_id: UUID) -> frozenset[UUID]:
    """Whose rows a signed-in caller sees: its own and nobody else's."""
    return frozenset({user_id})


def _credentials(headers: Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """The values of Authorization, and those of X-API-Key."""
    found: dict[str, list[str]] = {"authorization": [], "x-api-key": []}
    for name, value in headers:
        if name.lower() in found:
            found[name.lower()].append(value)
    return found["authorization"], found["x-api-key"]
