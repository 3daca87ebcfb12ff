"""Passkeys, end to end with an authenticator in software, and each way in which an answer must not hold."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.errors import LimitExceededError, NotFoundError, WrongCodeError
from llm_banking.identity.models import WebauthnCredential
from llm_banking.identity.second_factors import SecondFactors
from llm_banking.identity.webauthn_login import MAX_PASSKEYS, Passkeys, RelyingParty
from llm_banking.kit.database import Database, Scope
from tests.identity.people import Clock, add_user, committed_user, second_factors, with_passkey
from tests.identity.software_authenticator import EDDSA, ES256, ORIGIN, RP_ID, UP, SoftwareAuthenticator

CHALLENGE, OTHER = b"a" * 32, b"b" * 32


@dataclass
class Scene:
    """A user with one passkey."""

    session: AsyncSession
    factors: SecondFactors
    user_id: UUID
    key: SoftwareAuthenticator

    async def sign(self, challenge: bytes = CHALLENGE) -> dict[str, Any]:
        rows = await self.factors.passkeys.of_user(self.session, self.user_id)
        return self.key.get(self.factors.passkeys.request_options(rows, challenge))

    async def accepts(
        self, credential: dict[str, Any], challenge: bytes = CHALLENGE, user_id: UUID | None = None
    ) -> bool:
        return await self.factors.passkeys.accept(
            self.session, user_id or self.user_id, challenge=challenge, credential=credential
        )

    async def row(self) -> WebauthnCredential:
        return (await self.factors.passkeys.of_user(self.session, self.user_id))[0]


@pytest.fixture(params=[ES256, EDDSA], ids=["ES256", "EdDSA"])
async def scene(session: AsyncSession, request: pytest.FixtureRequest) -> Scene:
    factors, user_id, key = second_factors(Clock()), await add_user(session), SoftwareAuthenticator(request.param)
    await with_passkey(session, factors, user_id, key)
    return Scene(session, factors, user_id, key)


async def test_a_passkey_signs_and_its_counter_is_kept(scene: Scene) -> None:
    assert await scene.accepts(await scene.sign())
    row = await scene.row()
    assert row.sign_count == scene.key.counter == 2
    assert row.last_used_at == Clock()()
    assert await scene.accepts(await scene.sign(OTHER), OTHER)


async def test_the_options_ask_for_a_verified_user_on_our_domain(scene: Scene) -> None:
    rows = await scene.factors.passkeys.of_user(scene.session, scene.user_id)
    request = scene.factors.passkeys.request_options(rows, CHALLENGE)
    assert (request["rpId"], request["userVerification"], len(request["allowCredentials"])) == (RP_ID, "required", 1)
    creation = scene.factors.passkeys.creation_options(scene.user_id, "somebody", rows, CHALLENGE)
    assert creation["authenticatorSelection"]["userVerification"] == "required"
    assert creation["attestation"] == "none"
    assert creation["excludeCredentials"] == request["allowCredentials"]


async def test_an_authenticator_without_a_counter_is_taken(session: AsyncSession) -> None:
    factors, user_id = second_factors(Clock()), await add_user(session)
    scene = Scene(session, factors, user_id, SoftwareAuthenticator(counts=False))
    await with_passkey(session, factors, user_id, scene.key)
    assert await scene.accepts(await scene.sign())
    assert await scene.accepts(await scene.sign())


MISBEHAVIOURS: dict[str, Callable[[SoftwareAuthenticator], None]] = {
    "another origin": lambda key: setattr(key, "origin", "https://bank.example.net"),
    "our origin on another port": lambda key: setattr(key, "origin", "http://localhost:8001"),
    "our origin with a suffix": lambda key: setattr(key, "origin", ORIGIN + ".example.net"),
    "another relying party": lambda key: setattr(key, "rp_id", "example.net"),
    "inside another page": lambda key: setattr(key, "cross_origin", True),
    "user present, not verified": lambda key: setattr(key, "flags", UP),
    "user neither present nor verified": lambda key: setattr(key, "flags", 0),
    "another user's handle": lambda key: setattr(key, "user_handle", uuid4().bytes),
    "a lower counter": lambda key: setattr(key, "counter", -1),
    "the same counter": lambda key: setattr(key, "counter", 0),
    "another key": lambda key: setattr(key, "key", SoftwareAuthenticator(key.algorithm).key),
    "another kind of key": lambda key: setattr(key, "key", SoftwareAuthenticator(-15 - key.algorithm).key),
    "an unknown credential": lambda key: setattr(key, "credential_id", b"x" * 32),
}


@pytest.mark.parametrize("how", MISBEHAVIOURS)
async def test_an_answer_that_does_not_hold_is_refused_and_changes_nothing(scene: Scene, how: str) -> None:
    before = (await scene.row()).sign_count
    MISBEHAVIOURS[how](scene.key)
    assert not await scene.accepts(await scene.sign())
    row = await scene.row()
    assert (row.sign_count, row.last_used_at) == (before, None)


async def test_another_challenge_and_a_replay_are_refused(scene: Scene) -> None:
    answer = await scene.sign()
    assert not await scene.accepts(answer, OTHER)
    assert await scene.accepts(answer)
    assert not await scene.accepts(answer)


async def test_somebody_elses_passkey_is_refused(scene: Scene) -> None:
    other = await add_user(scene.session)
    scene.key.user_handle = None
    assert not await scene.accepts(await scene.sign(), user_id=other)
    theirs = SoftwareAuthenticator()
    await with_passkey(scene.session, scene.factors, other, theirs)
    theirs.user_handle = None
    rows = await scene.factors.passkeys.of_user(scene.session, other)
    assert not await scene.accepts(theirs.get(scene.factors.passkeys.request_options(rows, CHALLENGE)))


@pytest.mark.parametrize("part", ["clientDataJSON", "authenticatorData", "signature"])
async def test_no_flipped_bit_of_an_answer_is_overlooked(scene: Scene, part: str) -> None:
    answer = await scene.sign()
    raw = base64.urlsafe_b64decode(answer["response"][part] + "==")
    for index in range(0, len(raw), 7):
        altered = deepcopy(answer)
        flipped = raw[:index] + bytes([raw[index] ^ 1]) + raw[index + 1 :]
        altered["response"][part] = base64.urlsafe_b64encode(flipped).decode().rstrip("=")
        assert not await scene.accepts(altered), (part, index)
    assert await scene.accepts(answer)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


CLIENT_DATA = st.fixed_dictionaries(
    {"type": JSON, "challenge": JSON, "origin": JSON}, optional={"crossOrigin": JSON, "tokenBinding": JSON}
)
ATTESTATION = st.dictionaries(
    st.sampled_from(["fmt", "attStmt", "authData"]),
    st.none() | st.sampled_from(["none", "packed", "tpm", "apple", "fido-u2f"]) | st.binary(max_size=80) | JSON,
)
GARBLED = st.one_of(
    JSON,
    st.binary(max_size=80).map(base64url),
    (JSON | CLIENT_DATA).map(lambda one: base64url(json.dumps(one).encode())),
    ATTESTATION.map(lambda one: base64url(cbor2.dumps(one))),
)
ANSWERS = st.sampled_from(["clientDataJSON", "attestationObject"]), st.sampled_from(["authenticatorData", "signature"])
OTHERS = st.dictionaries(st.sampled_from(["userHandle", "transports"]), GARBLED)
TOP = st.dictionaries(
    st.sampled_from(["id", "rawId", "type", "response", "authenticatorAttachment"]), GARBLED, max_size=1
)


@given(made_field=ANSWERS[0], signed_field=ANSWERS[1], garbled=GARBLED, others=OTHERS, top=TOP)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_garbage_is_refused_like_any_answer(
    session: AsyncSession, made_field: str, signed_field: str, garbled: Any, others: dict[str, Any], top: dict[str, Any]
) -> None:
    factors, key, user_id = second_factors(Clock()), SoftwareAuthenticator(), await add_user(session)
    await with_passkey(session, factors, user_id, key)
    made = SoftwareAuthenticator().create(factors.passkeys.creation_options(user_id, "somebody", [], CHALLENGE))
    signed = key.get(factors.passkeys.request_options([], CHALLENGE))
    for answer, field in ((made, made_field), (signed, signed_field)):
        answer["response"].update(others)
        answer["response"][field] = garbled
        answer.update(top)
    with pytest.raises(WrongCodeError):
        await factors.passkeys.register(session, user_id, challenge=CHALLENGE, credential=made, name="key")
    assert not await factors.passkeys.accept(session, user_id, challenge=CHALLENGE, credential=signed)


VALUES = st.sampled_from([-7, -8, -257, "2.0"]) | st.binary(max_size=80) | st.lists(st.binary(max_size=80), max_size=2)
STATEMENT = st.dictionaries(
    st.sampled_from(["alg", "sig", "x5c", "ver", "response", "certInfo", "pubArea"]),
    VALUES | JSON.filter(lambda one: one is not None),
    min_size=1,
)
FORMATS = ["none", "packed", "tpm", "apple", "fido-u2f", "android-key", "android-safetynet", "x", "", 7]


@given(form=st.sampled_from(FORMATS), statement=STATEMENT)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_an_attestation_that_nobody_asked_for_is_refused(
    session: AsyncSession, form: str | int, statement: dict[str, Any]
) -> None:
    factors, user_id = second_factors(Clock()), uuid4()
    made = SoftwareAuthenticator().create(factors.passkeys.creation_options(user_id, "somebody", [], CHALLENGE))
    attested = cbor2.loads(base64.urlsafe_b64decode(made["response"]["attestationObject"] + "=="))
    attested |= {"fmt": form, "attStmt": statement}
    made["response"]["attestationObject"] = base64url(cbor2.dumps(attested))
    with pytest.raises(WrongCodeError):
        await factors.passkeys.register(session, user_id, challenge=CHALLENGE, credential=made, name="key")


async def test_a_key_may_attest_itself(session: AsyncSession) -> None:
    """What a browser leaves in place although no attestation was asked for; its signature must hold."""
    factors, user_id, key = second_factors(Clock()), await add_user(session), SoftwareAuthenticator()
    made = key.create(factors.passkeys.creation_options(user_id, "somebody", [], CHALLENGE))
    attested = cbor2.loads(base64.urlsafe_b64decode(made["response"]["attestationObject"] + "=="))
    client = base64.urlsafe_b64decode(made["response"]["clientDataJSON"] + "==")
    good = key.sign(attested["authData"] + hashlib.sha256(client).digest())
    for signature in (key.sign(b"something else"), good):
        attested |= {"fmt": "packed", "attStmt": {"alg": key.algorithm, "sig": signature}}
        made["response"]["attestationObject"] = base64url(cbor2.dumps(attested))
        if signature is good:
            await factors.passkeys.register(session, user_id, challenge=CHALLENGE, credential=made, name="key")
        else:
            with pytest.raises(WrongCodeError):
                await factors.passkeys.register(session, user_id, challenge=CHALLENGE, credential=made, name="key")
    assert len(await factors.passkeys.of_user(session, user_id)) == 1


@pytest.mark.parametrize(
    "how", ["another origin", "another relying party", "inside another page", "user present, not verified"]
)
async def test_a_registration_that_does_not_hold_is_refused(session: AsyncSession, how: str) -> None:
    factors, user_id, key = second_factors(Clock()), await add_user(session), SoftwareAuthenticator()
    MISBEHAVIOURS[how](key)
    with pytest.raises(WrongCodeError):
        await with_passkey(session, factors, user_id, key)
    assert await factors.passkeys.of_user(session, user_id) == []


async def test_a_registration_for_another_challenge_or_by_an_assertion_is_refused(session: AsyncSession) -> None:
    factors, user_id, key = second_factors(Clock()), await add_user(session), SoftwareAuthenticator()
    made = key.create(factors.passkeys.creation_options(user_id, "somebody", [], OTHER))
    signed = key.get(factors.passkeys.request_options([], CHALLENGE))
    for credential in (made, signed):
        with pytest.raises(WrongCodeError):
            await factors.passkeys.register(session, user_id, challenge=CHALLENGE, credential=credential, name="key")


async def test_a_passkey_is_registered_once_whoever_asks(scene: Scene) -> None:
    for user_id in (scene.user_id, await add_user(scene.session)):
        with pytest.raises(WrongCodeError):
            await with_passkey(scene.session, scene.factors, user_id, scene.key)


async def test_a_key_of_an_algorithm_that_was_not_offered_is_refused(session: AsyncSession) -> None:
    factors, user_id = second_factors(Clock()), await add_user(session)

    class Rs256(SoftwareAuthenticator):
        def _cose(self) -> bytes:
            return cbor2.dumps({1: 3, 3: -257, -1: b"\x01" * 256, -2: b"\x01\x00\x01"})

    with pytest.raises(WrongCodeError):
        await with_passkey(session, factors, user_id, Rs256())


async def test_there_is_a_limit_of_passkeys_and_each_is_its_owners(session: AsyncSession) -> None:
    factors, owner, other = second_factors(Clock()), await add_user(session), await add_user(session)
    ids = [await with_passkey(session, factors, owner, SoftwareAuthenticator()) for _ in range(MAX_PASSKEYS)]
    with pytest.raises(LimitExceededError):
        await with_passkey(session, factors, owner, SoftwareAuthenticator())
    rows = await factors.passkeys.of_user(session, owner)
    with pytest.raises(LimitExceededError):
        factors.passkeys.creation_options(owner, "somebody", rows, CHALLENGE)
    with pytest.raises(NotFoundError):
        await factors.passkeys.remove(session, other, ids[0])
    await factors.passkeys.remove(session, owner, ids[0])
    with pytest.raises(NotFoundError):
        await factors.passkeys.remove(session, owner, ids[0])
    assert len(await factors.passkeys.of_user(session, owner)) == MAX_PASSKEYS - 1


async def test_of_two_requests_with_one_answer_one_wins(database: Database) -> None:
    factors, key = second_factors(Clock()), SoftwareAuthenticator()
    async with committed_user(database) as user_id:
        async with database.transaction(scope=Scope.IDENTITY) as session:
            await with_passkey(session, factors, user_id, key)
        answer = key.get(factors.passkeys.request_options([], CHALLENGE))

        async def attempt() -> bool:
            async with database.transaction(scope=Scope.IDENTITY) as session:
                held = await factors.passkeys.accept(session, user_id, challenge=CHALLENGE, credential=answer)
                await asyncio.sleep(0.02)
                return held

        assert sum(await asyncio.gather(*(attempt() for _ in range(4)))) == 1


async def test_a_page_of_another_origin_of_ours_may_be_named(session: AsyncSession) -> None:
    user_id = await add_user(session)
    party = RelyingParty("bank.example", "Bank", ("https://bank.example", "https://app.bank.example"))
    passkeys = Passkeys(party, clock=Clock())
    for origin in party.origins:
        key = SoftwareAuthenticator(origin=origin, rp_id=party.id)
        options = passkeys.creation_options(user_id, "somebody", [], CHALLENGE)
        await passkeys.register(session, user_id, challenge=CHALLENGE, credential=key.create(options), name="key")
    assert len(await passkeys.of_user(session, user_id)) == 2
