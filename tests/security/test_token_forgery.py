"""No forged, broken or borrowed access token is let in (RFC 8725, RFC 9068), and the suite would notice if one were."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from httpx import AsyncClient, Response
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import JWKRegistry, OctKey

from llm_banking.identity import tokens
from llm_banking.identity.errors import InvalidCredentialError
from llm_banking.identity.signing_keys import SigningKey, rotate
from llm_banking.identity.tokens import AccessTokens
from llm_banking.identity.wiring import IdentityServices
from llm_banking.settings import Settings
from tests.security.forgery import FAMILIES, Material, unb64

ALL = [(family, name) for family, forgeries in FAMILIES.items() for name in forgeries]
PASSWORD = "seven copper geese read the almanac"


def private_key(key: SigningKey) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(unb64(str(key.jwk.as_dict(private=True)["d"])))


@pytest.fixture(scope="module")
def identity(app: FastAPI) -> IdentityServices:
    found: IdentityServices = app.state.services.identity
    return found


@pytest.fixture(scope="module")
async def material(client: AsyncClient, identity: IdentityServices, settings: Settings) -> Material:
    """A customer's good token, the key that signed it, and a key that was rotated out before."""
    retired = identity.keys.current()
    rotate(settings.signing_key_file, overlap_s=0, private=False)
    identity.keys.reload_if_changed()
    email = f"{uuid4().hex}@example.com"
    body = {"email": email, "password": PASSWORD, "display_name": "Forged"}
    assert (await client.post("/api/auth/register", json=body)).status_code == 202
    response = await client.post("/api/auth/login", json={"email": email, "password": PASSWORD})
    data = response.json()["data"]
    current = identity.keys.current()
    assert current.kid != retired.kid
    return Material(
        good=data["access_token"],
        key=private_key(current),
        kid=current.kid,
        retired_kid=retired.kid,
        retired_key=private_key(retired),
        refresh_token=data["refresh_token"],
    )


async def sent(client: AsyncClient, token: str) -> Response:
    """A request to a route that even the demo principal may call, so that nothing but the token is refused."""
    return await client.get("/api/v2/intents", headers=[(b"Authorization", b"Bearer " + token.encode())])


def accepted(checker: AccessTokens, material: Material, family: str) -> set[str]:
    """Which forgeries of a family a checker lets in."""
    found = set()
    for name, forge in FAMILIES[family].items():
        try:
            checker.check(forge(material))
        except InvalidCredentialError:
            continue
        found.add(name)
    return found


async def test_the_good_token_is_let_in(client: AsyncClient, material: Material) -> None:
    assert (await sent(client, material.good)).status_code == 200


async def test_so_is_one_that_is_made_by_the_forgers_means_with_nothing_changed(
    client: AsyncClient, material: Material
) -> None:
    """The forgeries fail for what they change, not for how they are made."""
    assert (await sent(client, material.signed())).status_code == 200
    assert (await sent(client, material.with_claims(nbf=material.claims["iat"]))).status_code == 200
    assert (await sent(client, material.with_raw_claim("epoch", "0"))).status_code == 200


def test_there_are_enough_forgeries_and_no_two_are_one(material: Material) -> None:
    made = [forge(material) for forgeries in FAMILIES.values() for forge in forgeries.values()]
    assert len(set(made)) == len(made) >= 60
    assert material.good not in made


@pytest.mark.parametrize(("family", "name"), ALL, ids=[f"{family}: {name}" for family, name in ALL])
async def test_a_bad_token_is_refused(client: AsyncClient, material: Material, family: str, name: str) -> None:
    response = await sent(client, FAMILIES[family][name](material))
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "UNAUTHENTICATED"
    assert 'Bearer error="invalid_token"' in response.headers["WWW-Authenticate"]
    assert material.good[:40] not in response.text


def several_algorithms(self: AccessTokens, token: str, header: dict[str, Any]) -> None:
    """Planted: the token chooses the algorithm, and the public key is the secret."""
    key = self._keys.current().jwk
    if str(header["alg"]).startswith("HS"):
        oct_key = OctKey.import_key(unb64(str(key.as_dict(private=False)["x"])))
        jws.deserialize_compact(token, oct_key, algorithms=["HS256", "HS384", "HS512"])
        return
    jws.deserialize_compact(token, key, algorithms=["Ed25519"])


def key_of_the_header(self: AccessTokens, token: str, header: dict[str, Any]) -> None:
    """Planted: the key that the token brings is believed."""
    jws.deserialize_compact(token, JWKRegistry.import_key(header["jwk"]), algorithms=["Ed25519"])


def any_parameter(self: AccessTokens, token: str, header: dict[str, Any]) -> None:
    """Planted: parameters and the type are not looked at; the signature is."""
    key = self._keys.find(header["kid"])
    if key is None:
        raise ValueError
    head, payload, signature = token.split(".")
    try:
        private_key(key).public_key().verify(unb64(signature), f"{head}.{payload}".encode())
    except InvalidSignature:
        raise ValueError from None


def no_signature(self: AccessTokens, token: str, header: dict[str, Any]) -> None:
    """Planted: the signature is not looked at."""


def lenient_base64(segment: bytes) -> bytes:
    return base64.urlsafe_b64decode(segment + b"==")


def lenient_uuid(value: Any) -> UUID:
    return UUID(str(value))


def lenient_whole(value: Any) -> int:
    try:
        return int(value)
    except OverflowError:
        raise ValueError from None


LOOSE_SEGMENTS = re.compile(rb"([^.]*)\.([^.]*)\.([^.]*)")
Plant = tuple[str, dict[str, Any], dict[str, Callable[..., Any]], set[str]]
PLANTS: dict[str, Plant] = {
    "several algorithms": (
        "algorithm",
        {"_SEGMENTS": LOOSE_SEGMENTS},
        {"_verify": several_algorithms},
        {"HS256 with the raw public key", "HS384 with the raw public key"},
    ),
    "the key of the header": (
        "key",
        {},
        {"_verify": key_of_the_header},
        {"a key in the header", "a key in the header, under its own id"},
    ),
    "any parameter": ("header", {}, {"_verify": any_parameter}, {"b64 false, not critical", "typ JWT: an id token"}),
    "any time": ("time", {"CLOCK_SKEW_S": 10**6}, {}, {"nbf in the future", "iat in the future"}),
    "any number": ("time", {"_whole": lenient_whole}, {}, {"exp text", "iat text", "nbf text"}),
    "twin keys": ("claim", {"_without_twins": dict}, {}, {"sub twice"}),
    "any UUID": ("claim", {"_uuid": lenient_uuid}, {}, {"sub in capitals", "sub in braces"}),
    "lenient base64": (
        "form",
        {"_decoded": lenient_base64, "_SEGMENTS": LOOSE_SEGMENTS},
        {"_verify": any_parameter},
        {"free bits of the last character"},
    ),
    "no signature": (
        "form",
        {"_SEGMENTS": LOOSE_SEGMENTS},
        {"_verify": no_signature},
        {
            "another's payload under our signature",
            "an empty signature",
            "a signature of zeros",
            "a signature with S + L",
        },
    ),
}


@pytest.mark.parametrize("plant", list(PLANTS))
def test_a_planted_fault_lets_forgeries_in_that_the_suite_names(
    material: Material, identity: IdentityServices, monkeypatch: pytest.MonkeyPatch, plant: str
) -> None:
    family, constants, methods, expected = PLANTS[plant]
    assert accepted(identity.tokens, material, family) == set()
    for name, value in constants.items():
        monkeypatch.setattr(tokens, name, value)
    for name, method in methods.items():
        monkeypatch.setattr(AccessTokens, name, method)
    assert accepted(identity.tokens, material, family) >= expected


@examples(deadline=None)
@given(at=st.integers(0, 10_000), letter=st.characters())
def test_no_character_of_a_token_is_free_to_change(
    material: Material, identity: IdentityServices, at: int, letter: str
) -> None:
    at %= len(material.good)
    changed = material.good[:at] + letter + material.good[at + 1 :]
    if changed != material.good:
        with pytest.raises(InvalidCredentialError):
            identity.tokens.check(changed)


@examples(deadline=None)
@given(st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]{4,40}\.[A-Za-z0-9_-]{4,40}\.[A-Za-z0-9_-]{86}"))
def test_any_text_is_refused_in_one_way(identity: IdentityServices, text: str) -> None:
    with pytest.raises(InvalidCredentialError):
        identity.tokens.check(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@examples(deadline=None)
@given(name=st.sampled_from(["iss", "aud", "sub", "account_type", "iat", "exp", "jti", "sid"]), value=json_values)
def test_a_claim_of_any_other_shape_is_refused_though_well_signed(
    material: Material, identity: IdentityServices, name: str, value: Any
) -> None:
    claims = {**material.claims, name: value}
    with pytest.raises(InvalidCredentialError):
        identity.tokens.check(material.written(json.dumps(material.header), json.dumps(claims)))
