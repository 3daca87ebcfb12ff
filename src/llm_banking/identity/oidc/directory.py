"""What a provider publishes of itself: its metadata and its keys, kept for a while and fetched seldom."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from llm_banking.identity.oidc.errors import ProviderUnavailableError
from llm_banking.identity.oidc.http import ProviderClient
from llm_banking.identity.oidc.providers import Provider
from llm_banking.kit.urls import is_web_address

ALGORITHMS = ("RS256", "ES256")
"""What may sign an id token here. Never `none`, and never an algorithm whose key is the client secret."""
KEPT_S = 3_600.0
PAUSE_S = 10.0
"""Between two fetches of one document, whether the first succeeded or not."""
MAX_KEYS = 64
MAX_KEY_TEXT = 1_500
"""Characters of one number of a key; an RSA modulus of 8192 bits has 1366."""
MIN_RSA_BITS = 2_048

T = TypeVar("T")
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What counts of the discovery document. `names_issuer`: every answer to the browser names it (RFC 9207)."""

    authorization_url: str
    token_url: str
    keys_url: str
    algorithms: tuple[str, ...]
    names_issuer: bool


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that may verify id tokens by one algorithm. With `issuer`, for that issuer's alone."""

    kid: str
    algorithm: str
    jwk: RSAKey | ECKey
    issuer: str | None


class Directory:
    """The documents of every provider that is set up."""

    def __init__(
        self,
        client: ProviderClient,
        providers: Mapping[str, Provider],
        *,
        loopback_http: bool,
        clock: Clock = time.monotonic,
    ) -> None:
        self._client = client
        self._loopback_http = loopback_http
        self._metadata: dict[str, _Kept[Metadata]] = {}
        self._keys: dict[str, _Kept[tuple[PublicKey, ...]]] = {}
        for name, provider in providers.items():
            self._metadata[name] = _Kept(self._metadata_fetch(provider), clock)
            self._keys[name] = _Kept(self._keys_fetch(provider), clock)

    async def metadata(self, provider: Provider) -> Metadata:
        """Where the provider's endpoints are. Raises ProviderUnavailableError."""
        return await self._metadata[provider.name].get()

    async def keys(self, provider: Provider, *, kid: str) -> tuple[PublicKey, ...]:
        """The keys of an id, none where it is unknown; an unknown id makes the set be fetched again, once in PAUSE_S.

        Raises ProviderUnavailableError.
        """
        kept = await self._keys[provider.name].get(lambda keys: any(key.kid == kid for key in keys))
        return tuple(key for key in kept if key.kid == kid)

    def _metadata_fetch(self, provider: Provider) -> Callable[[], Awaitable[Metadata]]:
        async def fetch() -> Metadata:
            document = await self._client.document(provider.discovery_url)
            return read_metadata(document, provider, loopback_http=self._loopback_http)

        return fetch

    def _keys_fetch(self, provider: Provider) -> Callable[[], Awaitable[tuple[PublicKey, ...]]]:
        async def fetch() -> tuple[PublicKey, ...]:
            metadata = await self.metadata(provider)
            return read_keys(await self._client.document(metadata.keys_url))

        return fetch


class _Kept(Generic[T]):
    """One document. Whoever needs it while it is fetched waits for that fetch."""

    def __init__(self, fetch: Callable[[], Awaitable[T]], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = asyncio.Lock()
        self._found: tuple[T, float] | None = None
        self._tried_at = float("-inf")

    async def get(self, suits: Callable[[T], bool] = lambda _: True) -> T:
        """The document; another one if it is old or does not suit, and the last fetch is long enough ago."""
        async with self._lock:
            now = self._clock()
            kept = self._found[0] if self._found is not None and now - self._found[1] < KEPT_S else None
            if kept is not None and (suits(kept) or now - self._tried_at < PAUSE_S):
                return kept
            if now - self._tried_at < PAUSE_S:
                raise ProviderUnavailableError("pause")
            self._tried_at = now
            fetched = await self._fetch()
            self._found = (fetched, now)
            return fetched


def read_metadata(document: Mapping[str, Any], provider: Provider, *, loopback_http: bool) -> Metadata:
    """Check a discovery document (OpenID Connect Discovery 1.0, section 4.3). Raises ProviderUnavailableError."""
    if document.get("issuer") != provider.document_issuer:
        raise ProviderUnavailableError("issuer")
    urls = [document.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
    if not all(isinstance(url, str) and is_web_address(url, loopback_http=loopback_http) for url in urls):
        raise ProviderUnavailableError("endpoints")
    offered = document.get("id_token_signing_alg_values_supported")
    algorithms = tuple(name for name in ALGORITHMS if isinstance(offered, list) and name in offered)
    if not algorithms:
        raise ProviderUnavailableError("algorithms")
    challenges = document.get("code_challenge_methods_supported", ["S256"])
    if not isinstance(challenges, list) or "S256" not in challenges:
        raise ProviderUnavailableError("challenges")
    authorization_url, token_url, keys_url = (str(url) for url in urls)
    names_issuer = document.get("authorization_response_iss_parameter_supported") is True
    return Metadata(authorization_url, token_url, keys_url, algorithms, names_issuer)


def read_keys(document: Mapping[str, Any]) -> tuple[PublicKey, ...]:
    """The usable keys of a JWK set (RFC 7517); what is of another kind is left out. Raises ProviderUnavailableError."""
    entries = document.get("keys")
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise ProviderUnavailableError("keys")
    found = (_public_key(entry) for entry in entries if isinstance(entry, dict))
    return tuple(key for key in found if key is not None)


def _public_key(entry: dict[str, Any]) -> PublicKey | None:
    kid, issuer = entry.get("kid"), entry.get("issuer")
    if not isinstance(kid, str) or entry.get("use", "sig") != "sig" or not isinstance(issuer, str | None):
        return None
    algorithm, jwk = _rsa(entry) or _ec(entry) or (None, None)
    if algorithm is None or jwk is None or entry.get("alg", algorithm) != algorithm:
        return None
    return PublicKey(kid, algorithm, jwk, issuer)


def _rsa(entry: dict[str, Any]) -> tuple[str, RSAKey] | None:
    numbers = _numbers(entry, "RSA", "n", "e")
    if numbers is None:
        return None
    try:
        key = RSAKey.import_key({"kty": "RSA", **numbers})
    except (JoseError, ValueError):
        return None
    return ("RS256", key) if key.raw_value.key_size >= MIN_RSA_BITS else None


def _ec(entry: dict[str, Any]) -> tuple[str, ECKey] | None:
    numbers = _numbers(entry, "EC", "x", "y")
    if numbers is None or entry.get("crv") != "P-256":
        return None
    try:
        return "ES256", ECKey.import_key({"kty": "EC", "crv": "P-256", **numbers})
    except (JoseError, ValueError):
        return None


def _numbers(entry: dict[str, Any], kind: str, *names: str) -> dict[str, str] | None:
    """The public numbers of a key of one kind, and no other member."""
    found = {name: entry.get(name) for name in names}
    if entry.get("kty") != kind:
        return None
    texts = {name: value for name, value in found.items() if isinstance(value, str) and len(value) <= MAX_KEY_TEXT}
    return texts if len(texts) == len(names) else None
