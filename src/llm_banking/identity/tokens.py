"""Access tokens: JWTs (RFC 7519) in the profile of RFC 9068, checked as RFC 8725 advises.

The token is taken apart here, strictly, before the library sees it: it has to look exactly like one of ours. The
library then does the one thing that is left, the signature.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

from joserfc import jws
from joserfc.errors import JoseError

from llm_banking.identity.errors import InvalidCredentialError
from llm_banking.identity.factor_rule import TO_SET_ONE_UP, FactorRule
from llm_banking.identity.principal import Permission
from llm_banking.identity.roles import Role
from llm_banking.identity.signing_keys import ALGORITHM, SigningKeys
from llm_banking.kit.ids import uuid7

ISSUER = "llm-banking"
TYPE = "at+jwt"
MAX_TOKEN_BYTES = 4_096
CLOCK_SKEW_S = 5
"""How far ahead the clock of the process that issued a token may be."""
_MAX_NUMBER = 1 << 40
_SEGMENTS = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{86})")
"""Three segments of base64url; an Ed25519 signature is 64 bytes, which are 86 characters."""
_AUTH_METHOD = re.compile(r"[a-z0-9]{1,16}")


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a token is issued to, and by which sign-in."""

    user_id: UUID
    account_type: str
    session_id: UUID
    epoch: int
    authenticated_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The claims of a good token. Times are Unix seconds."""

    subject: Subject
    permissions: frozenset[Permission]
    issued_at: int
    expires_at: int


class AccessTokens:
    """Issues and checks access tokens for one audience."""

    def __init__(
        self, keys: SigningKeys, *, audience: str, lifetime_s: int, factor_rule: FactorRule | None = None
    ) -> None:
        """`factor_rule` None: nobody has to have a second factor."""
        self._keys = keys
        self._factor_rule = factor_rule or FactorRule()
        self._audience = audience
        self.lifetime_s = lifetime_s

    def issue(self, subject: Subject) -> str:
        """A token with the permissions that the subject's role and sign-in give now. New keys are seen first.

        Raises ConfigurationError where the key file became unusable.
        """
        self._keys.reload_if_changed()
        key = self._keys.current()
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": self._audience,
            "sub": str(subject.user_id),
            "account_type": subject.account_type,
            "permissions": sorted(self._factor_rule.permissions(subject.account_type, subject.authenticated_by)),
            "iat": now,
            "exp": now + self.lifetime_s,
            "jti": str(uuid7()),
            "sid": str(subject.session_id),
            "epoch": subject.epoch,
            "amr": list(subject.authenticated_by),
        }
        payload = json.dumps(claims, separators=(",", ":"))
        header = {"alg": ALGORITHM, "kid": key.kid, "typ": TYPE}
        return jws.serialize_compact(header, payload, key.jwk, algorithms=[ALGORITHM])

    def check(self, token: str) -> AccessToken:
        """What a token says, if it is one of ours and its time is now. Raises InvalidCredentialError.

        Whether it was taken back is not known here; see `revocations`.
        """
        try:
            header, payload = self._parts(token)
            self._verify(token, header)
            return self._claims(_strict_object(payload))
        except (ValueError, KeyError, TypeError, JoseError, RecursionError):
            raise InvalidCredentialError from None

    def _parts(self, token: str) -> tuple[dict[str, Any], bytes]:
        raw = token.encode("ascii")
        found = _SEGMENTS.fullmatch(raw) if len(raw) <= MAX_TOKEN_BYTES else None
        if found is None:
            raise ValueError
        header, payload, _ = (_decoded(segment) for segment in found.groups())
        return _strict_object(header), payload

    def _verify(self, token: str, header: dict[str, Any]) -> None:
        """The header has three parameters and no other: none that brings a key, names a place or must be understood."""
        if header.keys() != {"alg", "kid", "typ"} or header["alg"] != ALGORITHM or header["typ"] != TYPE:
            raise ValueError
        key = self._keys.find(header["kid"])
        if key is None:
            raise ValueError
        jws.deserialize_compact(token, key.jwk, algorithms=[ALGORITHM])

    def _claims(self, claims: dict[str, Any]) -> AccessToken:
        if claims["iss"] != ISSUER or claims["aud"] != self._audience:
            raise ValueError
        issued_at, expires_at = _whole(claims["iat"]), _whole(claims["exp"])
        now = time.time()
        latest_start = max(issued_at, _whole(claims.get("nbf", issued_at)))
        if not (latest_start <= now + CLOCK_SKEW_S and now < expires_at <= issued_at + self.lifetime_s):
            raise ValueError
        _uuid(claims["jti"])
        subject = _subject(claims)
        permissions = _permissions(claims)
        if self._factor_rule.is_lacking(subject.account_type, subject.authenticated_by):
            permissions &= TO_SET_ONE_UP  # the token may be older than the rule
        return AccessToken(subject, permissions, issued_at, expires_at)


def _subject(claims: dict[str, Any]) -> Subject:
    methods = claims["amr"]
    if not (isinstance(methods, list) and all(isinstance(one, str) and _AUTH_METHOD.fullmatch(one) for one in methods)):
        raise ValueError
    return Subject(
        user_id=_uuid(claims["sub"]),
        account_type=Role(claims["account_type"]).value,
        session_id=_uuid(claims["sid"]),
        epoch=_whole(claims["epoch"]),
        authenticated_by=tuple(methods),
    )


def _permissions(claims: dict[str, Any]) -> frozenset[Permission]:
    """Those that this version knows: a newer worker's token may name more."""
    named = claims["permissions"]
    if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
        raise ValueError
    known = {one.value for one in Permission}
    return frozenset(Permission(one) for one in named if one in known)


def _decoded(segment: bytes) -> bytes:
    """Strict base64url (RFC 7515, section 2): one text for one value, so that no bit of a token is free to change."""
    try:
        found = base64.b64decode(segment + b"=" * (-len(segment) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError from None
    if base64.urlsafe_b64encode(found).rstrip(b"=") != segment:
        raise ValueError
    return found


def _strict_object(raw: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8 without twin keys, fractions, exponents or constants; no token of ours has them."""
    found = json.loads(
        raw.decode("utf-8"), object_pairs_hook=_without_twins, parse_constant=_refuse, parse_float=_refuse
    )
    if not isinstance(found, dict):
        raise TypeError
    return found


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _refuse(_: str) -> NoReturn:
    raise ValueError


def _whole(value: Any) -> int:
    """A whole number that is not negative; as a NumericDate (RFC 7519, section 2), seconds."""
    if type(value) is not int or not 0 <= value < _MAX_NUMBER:
        raise ValueError
    return value


def _uuid(value: Any) -> UUID:
    """A UUID in the one form that we write."""
    if not isinstance(value, str) or str(UUID(value)) != value:
        raise ValueError
    return UUID(value)
