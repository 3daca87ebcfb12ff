"""Id tokens of a provider that must not let anybody in, and keys that are rotated."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import AsyncClient

from llm_banking.kit.database import Database
from tests.support.oauth_world import (
    THIRD_TENANT,
    World,
    assert_refused,
    code_in,
    come_back,
    oidc_of,
    signed_in,
    users_of,
)
from tests.support.openid_provider import (
    GOOGLE_ISSUER,
    MICROSOFT_ISSUER,
    OTHER_TENANT,
    TENANT,
    OpenIdProvider,
    signed,
    signed_with_secret,
    signing_key,
    unsigned,
)

WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "other issuer, same subject": {"iss": "https://accounts.evil.example"},
    "issuer without its scheme": {"iss": "accounts.google.com"},
    "issuer with a slash": {"iss": GOOGLE_ISSUER + "/"},
    "issuer of the other provider": {"iss": MICROSOFT_ISSUER},
    "no issuer": {"iss": None},
    "wrong audience": {"aud": "another-client"},
    "audience list without us": {"aud": ["another-client"]},
    "no audience": {"aud": None},
    "several audiences without azp": {"aud": ["google-client", "another-client"]},
    "several audiences, azp another": {"aud": ["google-client", "another-client"], "azp": "another-client"},
    "one audience, azp another": {"azp": "another-client"},
    "wrong nonce": {"nonce": "x" * 43},
    "nonce missing": {"nonce": None},
    "nonce not text": {"nonce": ["x"]},
    "expired": {"exp": int(time.time()) - 3600},
    "no expiry": {"exp": None},
    "expiry as text": {"exp": "9999999999"},
    "expiry true": {"exp": True},
    "issued long ago": {"iat": int(time.time()) - 7200},
    "issued in the future": {"iat": int(time.time()) + 7200},
    "not yet valid": {"nbf": int(time.time()) + 7200},
    "access token of another": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    "at_hash not text": {"at_hash": 5},
    "no subject": {"sub": None},
    "empty subject": {"sub": ""},
    "subject a number": {"sub": 12345},
    "subject too long": {"sub": "x" * 256},
    "subject with a control character": {"sub": "a\u0000b"},
}


@pytest.mark.parametrize("case", WRONG_CLAIMS)
async def test_an_id_token_with_a_wrong_claim_is_refused(
    world: World, browser: AsyncClient, database: Database, case: str
) -> None:
    def wrong(claims: dict[str, Any]) -> None:
        for name, value in WRONG_CLAIMS[case].items():
            claims[name] = value
            if value is None:
                del claims[name]

    world.google.wrong_claims = wrong
    assert_refused(await come_back(world, browser))
    assert await users_of(database, world.google.person["sub"]) == []


async def test_several_audiences_with_us_as_the_authorized_party_are_fine(world: World, browser: AsyncClient) -> None:
    world.google.wrong_claims = lambda claims: claims.update(aud=["other", "google-client"], azp="google-client")
    await signed_in(world, browser)


@pytest.mark.parametrize("claims", [{"tid": OTHER_TENANT}, {"tid": None}, {"iss": MICROSOFT_ISSUER.replace("1", "2")}])
async def test_another_tenant_is_refused(world: World, browser: AsyncClient, claims: dict[str, Any]) -> None:
    world.microsoft.wrong_claims = lambda found: found.update(claims)
    assert_refused(await come_back(world, browser, "microsoft"))


@pytest.mark.parametrize(("tenant", "is_let_in"), [(TENANT, True), (THIRD_TENANT, True), (OTHER_TENANT, False)])
async def test_of_several_tenants_those_that_are_listed_are_let_in(
    world: World, browser: AsyncClient, app: FastAPI, tenant: str, *, is_let_in: bool
) -> None:
    """They share one document and one key set, whose issuer is a template."""
    services = app.state.services
    listed = services.settings.model_copy(update={"oauth_microsoft_tenant": f"{TENANT},{THIRD_TENANT}"})
    oidc = oidc_of(world, listed, services.identity)
    app.state.services = replace(services, settings=listed, identity=replace(services.identity, oidc=oidc))
    provider = world.microsoft
    provider.document_issuer = MICROSOFT_ISSUER.replace(TENANT, "{tenantid}")
    provider.document_path = "/organizations/v2.0"
    provider.key_members = {"issuer": provider.document_issuer}
    provider.person["tid"] = tenant
    provider.wrong_claims = lambda claims: claims.update(iss=MICROSOFT_ISSUER.replace(TENANT, tenant))
    response = await come_back(world, browser, "microsoft")
    if is_let_in:
        code_in(response)
        provider.key_members = {"issuer": MICROSOFT_ISSUER.replace(TENANT, OTHER_TENANT)}
        world.clock_s += 4_000
        assert_refused(await come_back(world, browser, "microsoft"))
    else:
        assert_refused(response)


async def test_on_loopback_the_cookie_needs_no_https(world: World, browser: AsyncClient, app: FastAPI) -> None:
    services = app.state.services
    local = services.settings.model_copy(update={"public_base_url": "http://localhost:8000"})
    app.state.services = replace(services, settings=local)
    response = await browser.get("/api/auth/oauth/google/login")
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("llmb-oauth=")
    assert "Secure" not in cookie
    assert "HttpOnly" in cookie


def _own_key(claims: dict[str, Any], provider: OpenIdProvider) -> str:
    return signed(claims, signing_key("attacker"), algorithm="RS256")


def _own_key_under_the_known_id(claims: dict[str, Any], provider: OpenIdProvider) -> str:
    return signed(claims, signing_key("attacker"), algorithm="RS256", kid="first")


def _own_key_in_the_header(claims: dict[str, Any], provider: OpenIdProvider) -> str:
    key = signing_key("attacker")
    return signed(claims, key, algorithm="RS256", kid="first", jwk=key.as_dict(private=False))


def _altered(claims: dict[str, Any], provider: OpenIdProvider) -> str:
    header, _, signature = provider.sign(claims).split(".")
    _, payload, _ = provider.sign({**claims, "sub": "victim"}).split(".")
    return f"{header}.{payload}.{signature}"


WRONG_TOKENS: dict[str, Callable[[dict[str, Any], OpenIdProvider], str]] = {
    "alg none": lambda claims, _: unsigned(claims, "first"),
    "HS256 with the client secret": lambda claims, provider: signed_with_secret(
        claims, provider.registration.client_secret, "first"
    ),
    "HS256 with the public key": lambda claims, provider: signed_with_secret(
        claims, str(provider.key.as_dict(private=False)["n"]), "first"
    ),
    "another algorithm of the same key": lambda claims, _: signed(
        claims, signing_key("bare", "RS512"), algorithm="RS512", kid="first"
    ),
    "a key of another id": _own_key,
    "another key under the known id": _own_key_under_the_known_id,
    "a key in the header": _own_key_in_the_header,
    "altered after signing": _altered,
    "an access token": lambda claims, provider: signed(claims, provider.key, algorithm="RS256", typ="at+jwt"),
    "no key id": lambda claims, provider: signed(claims, provider.key, algorithm="RS256", kid=""),
    "not a token": lambda _, __: "not.a.token",
    "far too long": lambda _, __: "a" * 20_000,
    "a list": lambda _, provider: signed([], provider.key, algorithm="RS256"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("case", WRONG_TOKENS)
async def test_a_token_that_the_provider_did_not_sign_is_refused(
    world: World, browser: AsyncClient, database: Database, case: str
) -> None:
    world.google.wrong_token = lambda claims: WRONG_TOKENS[case](claims, world.google)
    assert_refused(await come_back(world, browser))
    assert await users_of(database, world.google.person["sub"]) == []


async def test_a_rotated_key_is_fetched_once(world: World, browser: AsyncClient) -> None:
    await signed_in(world, browser)
    world.google.key = signing_key("second")
    world.google.published.append(world.google.key)
    world.clock_s += 11
    await signed_in(world, browser)
    assert world.google.asked["keys"] == 2
    await signed_in(world, browser)
    assert (world.google.asked["keys"], world.google.asked["discovery"]) == (2, 1)


async def test_unknown_key_ids_do_not_make_us_ask_again_and_again(world: World, browser: AsyncClient) -> None:
    world.google.wrong_token = lambda claims: signed(claims, signing_key("attacker"), algorithm="RS256")
    for _ in range(3):
        assert_refused(await come_back(world, browser))
    assert world.google.asked["keys"] == 1
    world.clock_s += 11
    assert_refused(await come_back(world, browser))
    assert world.google.asked["keys"] == 2


@pytest.mark.parametrize(
    ("check", "case"),
    [
        ("_check_nonce", "wrong nonce"),
        ("_check_nonce", "nonce missing"),
        ("_check_audience", "wrong audience"),
        ("_check_times", "expired"),
        ("_check_access_token", "access token of another"),
    ],
)
async def test_the_suite_sees_a_check_that_is_left_out(
    world: World, browser: AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch, check: str, case: str
) -> None:
    monkeypatch.setattr(f"llm_banking.identity.oidc.id_token.{check}", lambda *_: None)
    with pytest.raises(AssertionError):
        await test_an_id_token_with_a_wrong_claim_is_refused(world, browser, database, case)


async def test_the_suite_sees_an_issuer_that_is_not_checked(
    world: World, browser: AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_banking.identity.oidc.id_token._check_issuer", lambda _, provider, __: provider.issuers[0])
    with pytest.raises(AssertionError):
        await test_an_id_token_with_a_wrong_claim_is_refused(world, browser, database, "other issuer, same subject")
