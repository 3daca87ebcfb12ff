"""Step-up: one proof for one payload, soon over, and not to be guessed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from llm_banking.identity.errors import StepUpRefusedError, TryLaterError
from llm_banking.identity.models import StepUpChallenge
from llm_banking.identity.second_factors import SecondFactors
from llm_banking.identity.step_up import (
    KEPT_FOR,
    MAX_BEGUN,
    MAX_FAILURES,
    MAX_USER_FAILURES,
    Challenge,
    Method,
    PasskeyAnswer,
    Reason,
    Refusal,
    StepUpProof,
    TotpCode,
    signed_challenge,
)
from llm_banking.kit.database import Database, Scope
from tests.identity.people import (
    Clock,
    add_session,
    add_user,
    code_now,
    committed_user,
    second_factors,
    with_passkey,
    with_totp,
    wrong_code,
)
from tests.identity.software_authenticator import SoftwareAuthenticator

BOTH = frozenset(Method)
TOTP, WEBAUTHN = frozenset({Method.TOTP}), frozenset({Method.WEBAUTHN})
PAYLOAD = b'{"amount_minor":5000,"currency":"EUR","payee":"Alice"}'


@dataclass
class Scene:
    """A user with both factors, and a pending operation."""

    session: AsyncSession
    factors: SecondFactors
    clock: Clock
    user_id: UUID
    secret: bytes
    key: SoftwareAuthenticator
    pending_id: UUID

    async def begin(self, methods: frozenset[Method] = BOTH, payload: bytes = PAYLOAD) -> Challenge:
        return await self.factors.step_up.begin(
            self.session, self.user_id, pending_id=self.pending_id, payload=payload, methods_allowed=methods
        )

    async def complete(
        self,
        challenge: Challenge,
        proof: TotpCode | PasskeyAnswer,
        *,
        user_id: UUID | None = None,
        pending_id: UUID | None = None,
        payload: bytes = PAYLOAD,
    ) -> StepUpProof | Refusal:
        return await self.factors.step_up.complete(
            self.session,
            user_id or self.user_id,
            challenge_id=challenge.id,
            pending_id=pending_id or self.pending_id,
            payload=payload,
            proof=proof,
        )

    def code(self, steps: int = 1) -> TotpCode:
        return TotpCode(code_now(self.secret, self.clock, steps))

    def wrong(self) -> TotpCode:
        return TotpCode(wrong_code(self.secret, self.clock))

    def signature(self, challenge: Challenge) -> PasskeyAnswer:
        assert challenge.webauthn is not None
        return PasskeyAnswer(self.key.get(challenge.webauthn))


@pytest.fixture
async def scene(session: AsyncSession) -> Scene:
    clock, user_id, key = Clock(), await add_user(session), SoftwareAuthenticator()
    factors = second_factors(clock)
    secret = await with_totp(session, factors, user_id, clock)
    await with_passkey(session, factors, user_id, key)
    return Scene(session, factors, clock, user_id, secret, key, uuid4())


def reason(result: StepUpProof | Refusal) -> Reason:
    assert isinstance(result, Refusal)
    return result.reason


async def test_a_code_proves_one_operation(scene: Scene) -> None:
    challenge = await scene.begin()
    assert challenge.methods == BOTH
    assert (challenge.expires_at - scene.clock()).total_seconds() <= 120
    proof = await scene.complete(challenge, scene.code())
    assert isinstance(proof, StepUpProof)
    assert (proof.user_id, proof.pending_id, proof.method) == (scene.user_id, scene.pending_id, Method.TOTP)
    assert proof.payload_hash == hashlib.sha256(PAYLOAD).digest()
    assert reason(await scene.complete(challenge, scene.signature(challenge))) is Reason.USED


async def test_a_passkey_signs_the_payload(scene: Scene) -> None:
    challenge = await scene.begin()
    assert challenge.webauthn is not None
    nonce = (await scene.session.get_one(StepUpChallenge, challenge.id)).challenge
    asked = base64url_to_bytes(challenge.webauthn["challenge"])
    assert len(nonce) == 32
    assert asked == hashlib.sha256(nonce + hashlib.sha256(PAYLOAD).digest()).digest()
    assert asked != signed_challenge(nonce, hashlib.sha256(b"another").digest())
    proof = await scene.complete(challenge, scene.signature(challenge))
    assert isinstance(proof, StepUpProof)
    assert proof.method is Method.WEBAUTHN


async def test_a_signature_for_one_challenge_is_none_for_another(scene: Scene) -> None:
    first, second = await scene.begin(), await scene.begin()
    assert reason(await scene.complete(second, scene.signature(first))) is Reason.WRONG
    assert isinstance(await scene.complete(second, scene.signature(second)), StepUpProof)


async def test_a_method_that_was_not_allowed_is_refused(scene: Scene) -> None:
    strong = await scene.begin(WEBAUTHN)
    assert strong.methods == WEBAUTHN
    assert reason(await scene.complete(strong, scene.code())) is Reason.WRONG
    weak = await scene.begin(TOTP)
    assert (weak.methods, weak.webauthn) == (TOTP, None)
    for payload_hash in (hashlib.sha256(PAYLOAD).digest(), b""):
        options = {"challenge": bytes_to_base64url(signed_challenge(b"", payload_hash))}
        assert reason(await scene.complete(weak, PasskeyAnswer(scene.key.get(options)))) is Reason.WRONG
    assert isinstance(await scene.complete(weak, scene.code()), StepUpProof)


async def test_only_factors_that_are_set_up_are_offered(session: AsyncSession) -> None:
    clock, user_id = Clock(), await add_user(session)
    factors = second_factors(clock)
    scene = Scene(session, factors, clock, user_id, b"", SoftwareAuthenticator(), uuid4())
    with pytest.raises(StepUpRefusedError):
        await scene.begin()
    scene.secret = await with_totp(session, factors, user_id, clock)
    assert (await scene.begin()).methods == TOTP
    with pytest.raises(StepUpRefusedError):
        await scene.begin(WEBAUTHN)
    with pytest.raises(StepUpRefusedError):
        await scene.begin(frozenset())


async def test_another_operation_or_payload_is_refused_and_counts(scene: Scene) -> None:
    challenge = await scene.begin()
    changed = PAYLOAD.replace(b"5000", b"9000")
    for answer in (scene.code(), scene.signature(challenge)):
        assert reason(await scene.complete(challenge, answer, payload=changed)) is Reason.OTHER_OPERATION
        assert reason(await scene.complete(challenge, answer, pending_id=uuid4())) is Reason.OTHER_OPERATION
    last = await scene.complete(challenge, scene.code(), payload=b"")
    assert isinstance(last, Refusal)
    assert last.attempts_left == 0
    assert reason(await scene.complete(challenge, scene.code())) is Reason.LOCKED
    assert isinstance(await scene.complete(await scene.begin(), scene.code()), StepUpProof), "no code was used up"


async def test_somebody_elses_challenge_is_not_there_and_does_not_count(scene: Scene) -> None:
    challenge, other = await scene.begin(), await add_user(scene.session)
    for _ in range(MAX_FAILURES + 1):
        assert reason(await scene.complete(challenge, scene.code(), user_id=other)) is Reason.UNKNOWN
    theirs = await add_session(scene.session, other, scene.clock())
    enrolment = await scene.factors.begin_passkey(scene.session, other, None, session_id=theirs)
    assert not isinstance(enrolment, Refusal)
    begun = Challenge(enrolment.challenge_id, BOTH, enrolment.expires_at, None)
    assert reason(await scene.complete(begun, scene.code(), user_id=other)) is Reason.UNKNOWN, "an enrolment is none"
    assert isinstance(await scene.complete(challenge, scene.code()), StepUpProof)


async def test_it_is_over_after_two_minutes(scene: Scene) -> None:
    late, just = await scene.begin(), await scene.begin()
    scene.clock.advance(seconds=119)
    assert isinstance(await scene.complete(just, scene.code()), StepUpProof)
    scene.clock.advance(seconds=1)
    assert reason(await scene.complete(late, scene.signature(late))) is Reason.EXPIRED


async def test_after_five_failures_nothing_helps(scene: Scene) -> None:
    challenge = await scene.begin()
    left = []
    for _ in range(MAX_FAILURES):
        refusal = await scene.complete(challenge, scene.wrong())
        assert isinstance(refusal, Refusal)
        left.append(refusal.attempts_left)
    assert left == [4, 3, 2, 1, 0]
    assert reason(await scene.complete(challenge, scene.code())) is Reason.LOCKED
    assert reason(await scene.complete(challenge, scene.signature(challenge))) is Reason.LOCKED


async def test_guessing_cannot_be_spread_over_many_challenges(scene: Scene) -> None:
    spare = await scene.begin()
    for _ in range(MAX_USER_FAILURES // 4):
        challenge = await scene.begin()
        for _ in range(4):
            assert reason(await scene.complete(challenge, scene.wrong())) is Reason.WRONG
    assert reason(await scene.complete(spare, scene.code())) is Reason.LOCKED
    with pytest.raises(TryLaterError) as caught:
        await scene.begin()
    assert caught.value.retry_after_s > 0
    scene.clock.advance(hours=24, seconds=1)
    assert isinstance(await scene.complete(await scene.begin(), scene.code()), StepUpProof)


async def test_challenges_are_not_begun_without_end_and_old_ones_are_forgotten(scene: Scene) -> None:
    first = await scene.begin()
    for _ in range(MAX_BEGUN - 1):
        await scene.begin()
    with pytest.raises(TryLaterError):
        await scene.begin()
    scene.clock.advance(minutes=15, seconds=1)
    await scene.begin()
    scene.clock.now += KEPT_FOR
    await scene.begin()
    assert await scene.session.get(StepUpChallenge, first.id, populate_existing=True) is None


async def test_a_refusal_tells_the_reason_and_no_secret(scene: Scene) -> None:
    challenge = await scene.begin()
    proof = scene.wrong()
    refusal = await scene.complete(challenge, proof)
    assert isinstance(refusal, Refusal)
    error = refusal.error()
    assert (error.code, error.details) == ("STEP_UP_REQUIRED", {"reason": "wrong", "attempts_left": 4})
    assert proof.code not in repr(proof)
    assert "zebra" not in repr(PasskeyAnswer({"id": "zebra"}))


async def test_a_factor_that_was_removed_in_between_proves_nothing(scene: Scene) -> None:
    challenge = await scene.begin()
    await scene.factors.totp.remove(scene.session, scene.user_id)
    rows = await scene.factors.passkeys.of_user(scene.session, scene.user_id)
    await scene.factors.passkeys.remove(scene.session, scene.user_id, rows[0].id)
    assert reason(await scene.complete(challenge, scene.code())) is Reason.WRONG
    assert reason(await scene.complete(challenge, scene.signature(challenge))) is Reason.WRONG


async def in_parallel(
    database: Database, proofs: Callable[[Scene, Challenge], list[TotpCode | PasskeyAnswer]], challenges: int = 1
) -> list[StepUpProof | Refusal]:
    """The results of all these proofs, each given to each challenge at the same time, each in its own transaction."""
    clock = Clock()
    factors, key = second_factors(clock), SoftwareAuthenticator()
    async with committed_user(database) as user_id:
        async with database.transaction(scope=Scope.IDENTITY) as session:
            secret = await with_totp(session, factors, user_id, clock)
            await with_passkey(session, factors, user_id, key)
            scene = Scene(session, factors, clock, user_id, secret, key, uuid4())
            begun = [await scene.begin() for _ in range(challenges)]

        async def attempt(challenge: Challenge, proof: TotpCode | PasskeyAnswer) -> StepUpProof | Refusal:
            async with database.transaction(scope=Scope.IDENTITY) as session:
                own = Scene(session, factors, clock, user_id, secret, key, scene.pending_id)
                result = await own.complete(challenge, proof)
                await asyncio.sleep(0.01)
                return result

        return await asyncio.gather(*(attempt(one, proof) for one in begun for proof in proofs(scene, one)))


async def test_of_many_requests_at_once_one_gets_the_proof(database: Database) -> None:
    results = await in_parallel(database, lambda scene, one: [scene.code(), scene.code(), scene.signature(one)] * 2)
    assert sum(isinstance(result, StepUpProof) for result in results) == 1


async def test_one_code_at_once_for_two_challenges_proves_one(database: Database) -> None:
    results = await in_parallel(database, lambda scene, _: [scene.code()], challenges=4)
    assert sum(isinstance(result, StepUpProof) for result in results) == 1


async def test_failures_at_once_are_all_counted(database: Database) -> None:
    results = await in_parallel(database, lambda scene, _: [scene.wrong()] * (MAX_FAILURES + 3))
    assert sorted(reason(result).value for result in results) == ["locked"] * 3 + ["wrong"] * MAX_FAILURES


async def test_failures_at_once_over_many_challenges_are_all_counted(database: Database) -> None:
    results = await in_parallel(database, lambda scene, _: [scene.wrong()] * 4, challenges=6)
    assert [reason(result) for result in results].count(Reason.WRONG) == MAX_USER_FAILURES


def test_messages_exist_for_every_reason() -> None:
    shown = [Refusal(one, 0).error().message for one in Reason]
    assert len(set(shown)) == len(Reason)
