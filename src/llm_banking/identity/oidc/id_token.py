"""Id tokens (OpenID Connect Core 1.0, section 3.1.3.7), checked as RFC 8725 advises."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError

from llm_banking.identity.oidc.directory import PublicKey
from llm_banking.identity.oidc.errors import OidcRefusedError
from llm_banking.identity.oidc.providers import Issuer, Provider, key_issuer

MAX_TOKEN_BYTES = 16_384
MAX_SUBJECT_CHARACTERS = 255
MAX_NAME_CHARACTERS = 100
CLOCK_SKEW_S = 60
"""How far a provider's clock may differ from ours."""
MAX_AGE_S = 1_200
"""The token was made for this attempt, which lives ten minutes; Microsoft dates it five minutes back."""
_MAX_NUMBER = 1 << 40
_HEADER = frozenset({"alg", "kid", "typ", "x5t"})
"""Parameters that a header may have: none that brings a key, names a place or must be understood."""


@dataclass(frozen=True, slots=True)
class Header:
    """How a token says that it is signed."""

    algorithm: str
    kid: str


@dataclass(frozen=True, slots=True)
class Claims:
    """Who signed in with the provider: (issuer, subject) is the account, and the rest is hearsay for a new user.

    `email` is None unless the provider says that it verified it.
    """

    issuer: str
    subject: str
    email: str | None
    name: str | None


@dataclass(frozen=True, slots=True, repr=False)
class IdToken:
    """A token as the token endpoint gave it, with the access token beside it."""

    text: str
    access_token: str | None

    def __repr__(self) -> str:
        return "IdToken()"


def read_header(token: IdToken, *, algorithms: Iterable[str]) -> Header:
    """The header, which nobody has vouched for yet. `algorithms`: what may sign. Raises OidcRefusedError."""
    if len(token.text) > MAX_TOKEN_BYTES:
        raise OidcRefusedError("form")
    try:
        header = jws.extract_compact(token.text.encode("ascii")).headers()
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        raise OidcRefusedError("form") from None
    kid, algorithm = header.get("kid"), header.get("alg")
    if not header.keys() <= _HEADER or header.get("typ", "JWT") != "JWT" or not isinstance(kid, str):
        raise OidcRefusedError("header")
    if algorithm not in tuple(algorithms):
        raise OidcRefusedError("algorithm")
    return Header(str(algorithm), kid)


def verify(token: IdToken, header: Header, keys: Iterable[PublicKey], provider: Provider, *, nonce: str) -> Claims:
    """The claims of a token that one of the provider's keys signed, for us, for this attempt, now.

    `keys`: those of the header's key id. Raises OidcRefusedError.
    """
    fitting = [key for key in keys if key.kid == header.kid and key.algorithm == header.algorithm]
    if len(fitting) != 1:
        raise OidcRefusedError("key")
    claims = _signed(token, fitting[0])
    issuer = _check_issuer(claims, provider, fitting[0])
    _check_audience(claims, provider.client_id)
    _check_times(claims, time.time())
    _check_nonce(claims, nonce)
    _check_access_token(claims, token.access_token)
    return Claims(issuer.url, _subject(claims), _verified_email(claims), _name(claims))


def _signed(token: IdToken, key: PublicKey) -> dict[str, Any]:
    try:
        found = jws.deserialize_compact(token.text.encode("ascii"), key.jwk, algorithms=[key.algorithm])
        claims = json.loads((found.payload or b"").decode("utf-8"), object_pairs_hook=_without_twins)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError):
        raise OidcRefusedError("signature") from None
    if not isinstance(claims, dict):
        raise OidcRefusedError("form")
    return claims


def _check_issuer(claims: dict[str, Any], provider: Provider, key: PublicKey) -> Issuer:
    issuer = provider.issuer(claims.get("iss"))
    if issuer is None:
        raise OidcRefusedError("issuer")
    if issuer.tenant is not None and claims.get("tid") != issuer.tenant:
        raise OidcRefusedError("tenant")
    if key.issuer is not None and key_issuer(key.issuer, issuer) != issuer.url:
        raise OidcRefusedError("key issuer")
    return issuer


def _check_audience(claims: dict[str, Any], client_id: str) -> None:
    """We are the audience; where there are several, the token was also issued to us (`azp`)."""
    audience = claims.get("aud")
    several = audience if isinstance(audience, list) else [audience]
    if client_id not in several or not all(isinstance(one, str) for one in several):
        raise OidcRefusedError("audience")
    if claims.get("azp", client_id if len(several) == 1 else None) != client_id:
        raise OidcRefusedError("authorized party")


def _check_times(claims: dict[str, Any], now: float) -> None:
    issued_at, expires_at = _seconds(claims.get("iat")), _seconds(claims.get("exp"))
    not_before = _seconds(claims.get("nbf", claims.get("iat")))
    if now >= expires_at + CLOCK_SKEW_S:
        raise OidcRefusedError("expired")
    if max(issued_at, not_before) > now + CLOCK_SKEW_S or issued_at < now - MAX_AGE_S:
        raise OidcRefusedError("issued at")


def _check_nonce(claims: dict[str, Any], nonce: str) -> None:
    found = claims.get("nonce")
    if not isinstance(found, str) or not hmac.compare_digest(found.encode("utf-8", "replace"), nonce.encode()):
        raise OidcRefusedError("nonce")


def _check_access_token(claims: dict[str, Any], access_token: str | None) -> None:
    """`at_hash`, where there is one (section 3.1.3.6): both algorithms hash with SHA-256."""
    if "at_hash" not in claims:
        return
    digest = hashlib.sha256((access_token or "").encode("utf-8", "replace")).digest()
    expected = base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
    if not access_token or claims["at_hash"] != expected:
        raise OidcRefusedError("access token")


def _subject(claims: dict[str, Any]) -> str:
    subject = claims.get("sub")
    if (
        not isinstance(subject, str)
        or not 1 <= len(subject) <= MAX_SUBJECT_CHARACTERS
        or not (subject.isascii() and subject.isprintable())
    ):
        raise OidcRefusedError("subject")
    return subject


def _verified_email(claims: dict[str, Any]) -> str | None:
    email = claims.get("email")
    return email if isinstance(email, str) and claims.get("email_verified") is True else None


def _name(claims: dict[str, Any]) -> str | None:
    """The name to show, without what cannot be seen or turns text around."""
    name = claims.get("name")
    if not isinstance(name, str):
        return None
    seen = "".join(one for one in name[: 4 * MAX_NAME_CHARACTERS] if unicodedata.category(one)[0] != "C")
    return " ".join(seen.split())[:MAX_NAME_CHARACTERS].strip() or None


def _seconds(value: Any) -> float:
    """A NumericDate (RFC 7519, section 2)."""
    if type(value) not in (int, float) or not 0 <= value < _MAX_NUMBER:
        raise OidcRefusedError("times")
    return float(value)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found
