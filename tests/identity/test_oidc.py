"""The parts of signing in with another provider, each by itself: settings, documents, keys, calls, sealed secrets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from llm_banking.identity.keyed_hash import KeyedHash
from llm_banking.identity.oidc.attempts import Attempt, Attempts, Keys
from llm_banking.identity.oidc.directory import MAX_KEYS, read_keys, read_metadata
from llm_banking.identity.oidc.errors import OidcRefusedError, ProviderUnavailableError
from llm_banking.identity.oidc.http import ProviderClient, json_object
from llm_banking.identity.oidc.id_token import IdToken, read_header
from llm_banking.identity.oidc.providers import Provider, providers_of
from llm_banking.identity.secret_box import SecretBox
from llm_banking.kit.urls import is_web_address
from llm_banking.settings import Environment, Settings
from tests.identity.people import MASTER_KEYS
from tests.support.openid_provider import GOOGLE_ISSUER, OTHER_TENANT, TENANT, signing_key

GOOD: dict[str, Any] = {
    "environment": Environment.PRODUCTION,
    "public_base_url": "https://chat.bank.example",
    "oauth_google_client_id": "g",
    "oauth_google_client_secret": "google-secret",
    "oauth_microsoft_client_id": "m",
    "oauth_microsoft_client_secret": "microsoft-secret",
    "oauth_microsoft_tenant": TENANT,
}
DOCUMENT: dict[str, Any] = {
    "issuer": GOOGLE_ISSUER,
    "authorization_endpoint": "https://accounts.google.com/o/oauth2/v2/auth",
    "token_endpoint": "https://oauth2.googleapis.com/token",
    "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
    "id_token_signing_alg_values_supported": ["RS256"],
    "code_challenge_methods_supported": ["plain", "S256"],
}


def settings_of(**changed: Any) -> Settings:
    return Settings.model_validate(GOOD | changed)


def google() -> Provider:
    return providers_of(settings_of())["google"]


def test_the_providers_are_made_from_the_settings() -> None:
    found = providers_of(settings_of(oauth_microsoft_tenant=f" {TENANT.upper()}, {OTHER_TENANT},{TENANT}"))
    assert found["google"].redirect_uri == "https://chat.bank.example/api/auth/oauth/google/callback"
    microsoft = found["microsoft"]
    assert [issuer.tenant for issuer in microsoft.issuers] == [TENANT, OTHER_TENANT]
    assert microsoft.authority.endswith("/organizations/v2.0")
    assert microsoft.issuer(f"https://login.microsoftonline.com/{TENANT}/v2.0") is not None
    assert microsoft.issuer("https://login.microsoftonline.com/organizations/v2.0") is None
    alone = providers_of(settings_of())["microsoft"]
    assert alone.document_issuer == alone.authority == alone.issuers[0].url
    assert providers_of(Settings.model_validate({"environment": "test"})) == {}


def test_no_secret_can_be_read_from_a_repr() -> None:
    shown = repr(settings_of()) + repr(google()) + repr(Attempts(KeyedHash(b"k" * 32), SecretBox(MASTER_KEYS)))
    shown += repr(Attempt("google", "the-nonce", "the-verifier", None)) + repr(Keys("the-state", "the-browser"))
    shown += repr(IdToken("the-token", "the-access-token"))
    assert not [text for text in ("-secret'", "the-", "kkk") if text in shown.replace("client_secret", "")]


@pytest.mark.parametrize(
    "changed",
    [
        {"public_base_url": None},
        {"public_base_url": "http://chat.bank.example"},
        {"public_base_url": "http://localhost:8000"},
        {"public_base_url": "https://chat.bank.example/"},
        {"public_base_url": "https://chat.bank.example/app"},
        {"public_base_url": "https://chat.bank.example?x=1"},
        {"public_base_url": "https://user@chat.bank.example"},
        {"public_base_url": "https://Chat.bank.example"},
        {"public_base_url": "https://chat.bank.example:443"},
        {"public_base_url": "javascript:alert(1)"},
        {"oauth_google_client_secret": None},
        {"oauth_google_client_id": None},
        {"oauth_google_client_id": ""},
        {"oauth_microsoft_tenant": None},
        {"oauth_microsoft_tenant": "common"},
        {"oauth_microsoft_tenant": "organizations"},
        {"oauth_microsoft_tenant": f"{TENANT},common"},
        {"oauth_microsoft_tenant": "bank.example"},
    ],
)
def test_half_a_configuration_stops_the_start(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as found:
        settings_of(**changed)
    assert "secret'" not in str(found.value)


def test_loopback_will_do_in_development_alone() -> None:
    local = {"public_base_url": "http://localhost:8000"}
    assert settings_of(environment="development", **local).public_base_url == local["public_base_url"]
    with pytest.raises(ValidationError):
        settings_of(environment="staging", **local)
    with pytest.raises(ValidationError):
        settings_of(environment="development", public_base_url="http://chat.bank.example")


@given(st.text())
def test_any_text_is_taken_or_refused_without_an_error(text: str) -> None:
    assert isinstance(is_web_address(text, loopback_http=True), bool)


@given(st.text(), st.sampled_from(["http", "ftp", "file", "javascript", "data", "HTTP", ""]))
def test_nothing_but_https_is_a_web_address(rest: str, scheme: str) -> None:
    assert not is_web_address(f"{scheme}://{rest}", loopback_http=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1.evil.example/", "http://localhost.evil.example/", "http://localhost@evil.example/",
        "https://user:pass@host.example/", "https://host.example\\@evil.example/", "https://", "https:///path",
        "https://host.example:0/", "https://host.example:99999/", "https://[::1/", "https://host.example/#x",
        "https://host.example/ x", "https://host.example/\n", "//host.example", "https://host.example/" + "x" * 3_000,
    ],
)  # fmt: skip
def test_a_doubtful_address_is_refused(url: str) -> None:
    assert not is_web_address(url, loopback_http=True)


@pytest.mark.parametrize("url", ["http://localhost:1/x", "http://127.0.0.1/", "http://[::1]:8000/a?b=c"])
def test_loopback_by_http_is_a_matter_of_the_setting(url: str) -> None:
    assert is_web_address(url, loopback_http=True)
    assert not is_web_address(url, loopback_http=False)


def test_a_good_document_is_read() -> None:
    found = read_metadata(DOCUMENT, google(), loopback_http=False)
    assert (found.algorithms, found.names_issuer) == (("RS256",), False)
    both = DOCUMENT | {"id_token_signing_alg_values_supported": ["none", "HS256", "ES256", "RS256", "PS256"]}
    assert read_metadata(both, google(), loopback_http=False).algorithms == ("RS256", "ES256")


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://evil.example"},
        {"issuer": GOOGLE_ISSUER + "/"},
        {"issuer": None},
        {"authorization_endpoint": "http://accounts.google.com/auth"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "http://127.0.0.1/token"},
        {"token_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": ["https://www.googleapis.com/"]},
        {"id_token_signing_alg_values_supported": ["none", "HS256"]},
        {"id_token_signing_alg_values_supported": None},
        {"id_token_signing_alg_values_supported": "RS256"},
        {"code_challenge_methods_supported": ["plain"]},
        {"code_challenge_methods_supported": "S256"},
    ],
)
def test_a_document_that_is_not_good_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ProviderUnavailableError):
        read_metadata(DOCUMENT | changed, google(), loopback_http=False)


def public(name: str, algorithm: str = "RS256", /, **changed: Any) -> dict[str, Any]:
    return {**signing_key(name, algorithm).as_dict(private=False), **changed}


def test_keys_of_both_kinds_are_read_and_private_members_left_out() -> None:
    entry = dict(signing_key("first").as_dict(private=True))
    rsa, ec = read_keys({"keys": [entry, public("curve", "ES256")]})
    assert (rsa.kid, rsa.algorithm, ec.kid, ec.algorithm) == ("first", "RS256", "curve", "ES256")
    assert not rsa.jwk.is_private


@pytest.mark.parametrize(
    "entry",
    [
        {"kty": "oct", "kid": "first", "k": "c2VjcmV0"},
        public("first", use="enc"),
        public("first", alg="RS512"),
        public("first", alg="ES256"),
        public("first", kid=None),
        public("first", kid=5),
        public("first", issuer=5),
        public("first", n="AQAB"),
        public("first", n="A" * 2_000),
        public("first", n="!!!"),
        public("first", n=None),
        public("first", e=""),
        public("curve", "ES256", crv="P-384"),
        public("curve", "ES256", x="AAAA"),
        {},
        "text",
    ],
)
def test_a_key_that_cannot_be_used_is_left_out(entry: Any) -> None:
    assert read_keys({"keys": [entry]}) == ()


@pytest.mark.parametrize("document", [{}, {"keys": {}}, {"keys": [{}] * (MAX_KEYS + 1)}])
def test_a_set_that_is_none_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ProviderUnavailableError):
        read_keys(document)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(
    st.dictionaries(
        st.sampled_from(["kty", "kid", "n", "e", "x", "y", "crv", "alg", "use", "issuer"]),
        st.sampled_from(["RSA", "EC", "P-256", "AQAB", "RS256", "sig"]) | json_values,
    )
)
def test_any_key_is_read_or_left_out(entry: dict[str, Any]) -> None:
    assert len(read_keys({"keys": [entry]})) <= 1


@given(st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{0,40}\.[A-Za-z0-9_-]{0,40}"))
def test_any_text_is_no_token(text: str) -> None:
    with pytest.raises(OidcRefusedError):
        read_header(IdToken(text, None), algorithms=("RS256", "ES256"))


@given(st.binary(max_size=200))
def test_any_answer_is_an_object_or_refused(raw: bytes) -> None:
    with suppress(ProviderUnavailableError):
        assert isinstance(json_object(raw), dict)


@pytest.mark.parametrize("raw", [b'{"a": 1, "a": 2}', b'{"a": NaN}', b"[]", b"", b"\xff"])
def test_an_answer_that_is_not_one_strict_object_is_refused(raw: bytes) -> None:
    with pytest.raises(ProviderUnavailableError):
        json_object(raw)


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def served(answer: Serve) -> AsyncIterator[str]:
    """A real server on a real socket; its address."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def _endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        await writer.drain()


async def _drop_by_drop(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def _rude(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\x01\x02\r\n\r\n")
    await writer.drain()


@pytest.mark.parametrize(
    ("answer", "reason"), [(_endless, "away"), (_drop_by_drop, "slow"), (_silent, "slow"), (_rude, "away")]
)
async def test_a_server_that_does_not_end_is_left(answer: Serve, reason: str) -> None:
    """What sends too much, or no HTTP, is left at once; what sends too little, at the deadline."""
    client = ProviderClient(deadline_s=0.5 if reason == "slow" else 60.0, max_answer_bytes=10_000)
    async with served(answer) as url:
        with pytest.raises(ProviderUnavailableError) as found:
            await client.document(url)
        assert found.value.reason == reason
        with pytest.raises(ProviderUnavailableError):
            await client.redeem(google(), url, code="code", verifier="verifier")


async def test_a_good_answer_comes_through_a_real_socket_and_asks_for_no_compression() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"a": 1}')
        await writer.drain()

    async with served(answer) as url:
        assert await ProviderClient().document(url) == {"a": 1}


async def test_nobody_answers_at_a_closed_port() -> None:
    async with served(_silent) as url:
        pass
    with pytest.raises(ProviderUnavailableError):
        await ProviderClient().document(url)


def test_a_secret_setting_is_a_secret() -> None:
    assert isinstance(settings_of().oauth_google_client_secret, SecretStr)
