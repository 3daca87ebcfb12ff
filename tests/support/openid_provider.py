"""A small OpenID provider that keeps the rules: discovery, keys, authorize, and a token endpoint that checks PKCE.

A test makes it break one rule at a time, as a hostile or broken provider would, or as an attacker with a token of it.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import json
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

GOOGLE_ISSUER = "https://accounts.google.com"
TENANT = "11111111-2222-4333-8444-555555555555"
OTHER_TENANT = "99999999-2222-4333-8444-555555555555"
MICROSOFT_ISSUER = f"https://login.microsoftonline.com/{TENANT}/v2.0"


@dataclass(frozen=True)
class Registration:
    """What a client registered with the provider."""

    client_id: str
    client_secret: str
    redirect_uri: str


@functools.cache
def signing_key(kid: str, algorithm: str = "RS256") -> RSAKey | ECKey:
    """The same key for the same id in one test run: RSA keys take a while to make."""
    parameters: Any = {"kid": kid, "use": "sig", "alg": algorithm}
    if algorithm == "ES256":
        return ECKey.generate_key("P-256", parameters)
    return RSAKey.generate_key(2048, parameters)


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(claims: dict[str, Any], key: RSAKey | ECKey, *, algorithm: str, **header: Any) -> str:
    """A token that a key signs."""
    return jws.serialize_compact(
        {"alg": algorithm, "kid": key.kid, "typ": "JWT", **header}, json.dumps(claims), key, algorithms=[algorithm]
    )


def unsigned(claims: dict[str, Any], kid: str) -> str:
    """A token with `alg` none."""
    header = {"alg": "none", "kid": kid, "typ": "JWT"}
    return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}."


def signed_with_secret(claims: dict[str, Any], secret: str, kid: str) -> str:
    """A token whose HMAC anybody who knows the secret can make."""
    header = {"alg": "HS256", "kid": kid, "typ": "JWT"}
    return jws.serialize_compact(header, json.dumps(claims), OctKey.import_key(secret), algorithms=["HS256"])


@dataclass
class Grant:
    """What a code stands for."""

    person: dict[str, Any]
    client_id: str
    redirect_uri: str
    nonce: str | None
    challenge: str | None


@dataclass
class OpenIdProvider:
    """One issuer. `person` is who is signed in there. What begins with `wrong_` breaks a rule."""

    issuer: str
    registration: Registration
    person: dict[str, Any]
    algorithm: str = "RS256"
    document_issuer: str | None = None
    document_path: str | None = None
    key_members: dict[str, str] = field(default_factory=dict)
    names_issuer: bool = False
    key: RSAKey | ECKey = field(init=False)
    published: list[RSAKey | ECKey] = field(init=False)
    asked: Counter[str] = field(default_factory=Counter)
    checks_pkce: bool = True
    delay_s: float = 0.0
    wrong_claims: Callable[[dict[str, Any]], None] = lambda _: None
    wrong_token: Callable[[dict[str, Any]], str] | None = None
    wrong_answers: dict[str, Response] = field(default_factory=dict)
    wrong_document: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.key = signing_key("first", self.algorithm)
        self.published = [self.key]
        self._grants: dict[str, Grant] = {}

    @property
    def path(self) -> str:
        return urlsplit(self.issuer).path

    @property
    def discovery_path(self) -> str:
        return f"{self.document_path or self.path}/.well-known/openid-configuration"

    async def __call__(self, request: Request) -> Response:
        """Answer one request, or break the rule that the test asks for."""
        endpoints = {
            self.discovery_path: ("discovery", self._discovery),
            f"{self.path}/keys": ("keys", self._keys),
            f"{self.path}/authorize": ("authorize", self._authorize),
            f"{self.path}/token": ("token", self._token),
        }
        name, answer = endpoints.get(request.url.path, ("nowhere", self._nowhere))
        self.asked[name] += 1
        await asyncio.sleep(self.delay_s)
        return self.wrong_answers.get(name) or await answer(request)

    async def _discovery(self, _: Request) -> Response:
        document = {
            "issuer": self.document_issuer or self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "id_token_signing_alg_values_supported": [self.algorithm],
            "authorization_response_iss_parameter_supported": self.names_issuer,
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
        }
        return JSONResponse(document | self.wrong_document)

    async def _keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [key.as_dict(private=False) | self.key_members for key in self.published]})

    async def _authorize(self, request: Request) -> Response:
        """The person consents at once. An unknown client or redirect URI is never sent anywhere (RFC 6749, 4.1.2.1)."""
        asked = dict(request.query_params)
        known = (asked.get("client_id"), asked.get("redirect_uri"))
        if known != (self.registration.client_id, self.registration.redirect_uri):
            return PlainTextResponse("unknown client or redirect URI", 400)
        if asked.get("response_type") != "code" or "openid" not in asked.get("scope", "").split():
            return self._back(asked, {"error": "invalid_request"})
        challenge = asked.get("code_challenge") if asked.get("code_challenge_method") == "S256" else None
        if self.checks_pkce and challenge is None:
            return self._back(asked, {"error": "invalid_request"})
        code = secrets.token_urlsafe(24)
        self._grants[code] = Grant(
            dict(self.person), asked["client_id"], asked["redirect_uri"], asked.get("nonce"), challenge
        )
        return self._back(asked, {"code": code})

    def _back(self, asked: dict[str, str], answer: dict[str, str]) -> Response:
        answer = {**answer, "state": asked.get("state", "")}
        if self.names_issuer:
            answer["iss"] = self.issuer
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}", 302)

    async def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        known = (form.get("client_id"), form.get("client_secret"))
        if known != (self.registration.client_id, self.registration.client_secret):
            return JSONResponse({"error": "invalid_client"}, 401)
        grant = self._grants.pop(form.get("code", ""), None)
        if form.get("grant_type") != "authorization_code" or grant is None:
            return JSONResponse({"error": "invalid_grant"}, 400)
        if form.get("redirect_uri") != grant.redirect_uri or not self._proves(form.get("code_verifier"), grant):
            return JSONResponse({"error": "invalid_grant"}, 400)
        access_token = secrets.token_urlsafe(24)
        claims = self._claims(grant, access_token)
        self.wrong_claims(claims)
        id_token = self.wrong_token(claims) if self.wrong_token else self.sign(claims)
        return JSONResponse(
            {"access_token": access_token, "token_type": "Bearer", "expires_in": 3600, "id_token": id_token}
        )

    def sign(self, claims: dict[str, Any]) -> str:
        return signed(claims, self.key, algorithm=self.algorithm)

    def _proves(self, verifier: str | None, grant: Grant) -> bool:
        if not self.checks_pkce:
            return True
        return verifier is not None and b64(hashlib.sha256(verifier.encode()).digest()) == grant.challenge

    def _claims(self, grant: Grant, access_token: str) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": grant.client_id, "iat": now, "exp": now + 3600, **grant.person}
        if grant.nonce is not None:
            claims["nonce"] = grant.nonce
        return claims | {"at_hash": b64(hashlib.sha256(access_token.encode()).digest()[:16])}

    async def _nowhere(self, _: Request) -> Response:
        return PlainTextResponse("nothing here", 404)


class Internet:
    """The hosts that can be reached: a provider for each, and nothing else."""

    def __init__(self, *providers: OpenIdProvider) -> None:
        self._providers = {urlsplit(provider.issuer).netloc: provider for provider in providers}
        self.is_down = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request by its host."""
        request = Request(scope, receive)
        provider = self._providers.get(request.headers["host"])
        if self.is_down or provider is None:
            raise httpx2.ConnectError("nobody answers")
        answer = await provider(request)
        await answer(scope, receive, send)

    def transport(self) -> httpx2.AsyncBaseTransport:
        """How the application reaches it."""
        return httpx2.ASGITransport(self)
