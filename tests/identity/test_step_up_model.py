"""Step-up against a small model of what it promises, over any interleaving of what may happen to it.

The real service runs over the real database, each step in its own transaction. The model predicts every answer; apart
from that, each proof is held against the history: one for a challenge, for its own user, operation and payload, in
time, and after fewer than five failures. Faulty services are planted to see that the model notices.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.models import StepUpChallenge
from llm_banking.identity.step_up import (
    Challenge,
    Method,
    PasskeyAnswer,
    Reason,
    Refusal,
    StepUp,
    StepUpProof,
    TotpCode,
)
from llm_banking.identity.totp import step_at
from llm_banking.kit.database import Database, Scope
from tests.conftest import ServiceUrls
from tests.identity.people import Clock, add_user, code_now, second_factors, with_passkey, with_totp, wrong_code
from tests.identity.software_authenticator import SoftwareAuthenticator

T = TypeVar("T")
PENDING = [UUID(int=1), UUID(int=2)]
PAYLOADS = [b"50 EUR to Alice", b"5000 EUR to Mallory"]
METHODS = [frozenset({Method.TOTP}), frozenset({Method.WEBAUTHN}), frozenset(Method)]
WRONG, FOREIGN_SIGNATURE = "wrong code", "signature of another challenge"
ANSWERS = [-1, 0, 1, 2, WRONG, FOREIGN_SIGNATURE, "signature"]
MOSTLY_RIGHT = st.sampled_from([0, 0, 0, 0, 1])


@dataclass
class Person:
    user_id: UUID
    secret: bytes
    key: SoftwareAuthenticator
    last_step: int
    failures: int = 0


@dataclass
class Begun:
    owner: int
    pending: int
    payload: int
    challenge: Challenge
    ends: datetime
    failures: int = 0
    proofs: int = 0


class StepUpMachine(RuleBasedStateMachine):
    url: ClassVar[str]
    service: ClassVar[type[StepUp]]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.database = Database(self.url, max_pool_size=2)
        self.clock = Clock()
        factors = second_factors(self.clock)
        self.step_up = self.service(factors.totp, factors.passkeys, clock=self.clock)
        self.factors = factors
        self.begun: list[Begun] = []
        self.people = [self.run(self.person()) for _ in range(2)]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.run(self.close())
        self.loop.close()

    async def close(self) -> None:
        await self.database.close()

    async def person(self) -> Person:
        key = SoftwareAuthenticator()
        async with self.database.transaction(scope=Scope.IDENTITY) as session:
            user_id = await add_user(session)
            secret = await with_totp(session, self.factors, user_id, self.clock)
            await with_passkey(session, self.factors, user_id, key)
        return Person(user_id, secret, key, step_at(self.clock()))

    @rule(
        owner=st.integers(0, 1), pending=st.integers(0, 1), payload=st.integers(0, 1), methods=st.sampled_from(METHODS)
    )
    def begin(self, owner: int, pending: int, payload: int, methods: frozenset[Method]) -> None:
        if self.people[owner].failures >= 20:
            return

        async def work() -> Challenge:
            async with self.database.transaction(scope=Scope.IDENTITY) as session:
                return await self.step_up.begin(
                    session,
                    self.people[owner].user_id,
                    pending_id=PENDING[pending],
                    payload=PAYLOADS[payload],
                    methods_allowed=methods,
                )

        challenge = self.run(work())
        assert challenge.methods == methods
        ends = self.clock() + timedelta(minutes=2)
        self.begun.append(Begun(owner, pending, payload, challenge, ends))

    @rule(seconds=st.sampled_from([1, 29, 31, 119]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds=seconds)

    @precondition(lambda self: self.begun)
    @rule(
        which=st.integers(0, 30),
        foreign=MOSTLY_RIGHT,
        other_pending=MOSTLY_RIGHT,
        other_payload=MOSTLY_RIGHT,
        kind=st.sampled_from(ANSWERS),
        times=st.sampled_from([1, 1, 2, 6]),
    )
    def complete(
        self, which: int, foreign: int, other_pending: int, other_payload: int, kind: int | str, times: int
    ) -> None:
        one = self.begun[which % len(self.begun)]
        caller, pending, payload = one.owner ^ foreign, one.pending ^ other_pending, one.payload ^ other_payload
        answer = self.answer(one, self.people[caller], kind)
        for turn in range(times):
            expected = self.expected(one, caller, (pending, payload), kind, replayed=turn > 0)
            found = self.run(self.attempt(one, caller, pending, payload, answer))
            self.check_history(one, caller, pending, payload, found)
            self.learn(one, kind, expected)
            assert (found.reason if isinstance(found, Refusal) else found.method) == expected

    async def attempt(
        self, one: Begun, caller: int, pending: int, payload: int, answer: TotpCode | PasskeyAnswer
    ) -> StepUpProof | Refusal:
        async with self.database.transaction(scope=Scope.IDENTITY) as session:
            return await self.step_up.complete(
                session,
                self.people[caller].user_id,
                challenge_id=one.challenge.id,
                pending_id=PENDING[pending],
                payload=PAYLOADS[payload],
                proof=answer,
            )

    def answer(self, one: Begun, person: Person, kind: int | str) -> TotpCode | PasskeyAnswer:
        if isinstance(kind, int):
            return TotpCode(code_now(person.secret, self.clock, kind))
        if kind == WRONG:
            return TotpCode(wrong_code(person.secret, self.clock))
        options = one.challenge.webauthn or {"challenge": "AAAA"}
        return PasskeyAnswer(person.key.get({"challenge": "AAAA"} if kind == FOREIGN_SIGNATURE else options))

    def expected(
        self, one: Begun, caller: int, named: tuple[int, int], kind: int | str, *, replayed: bool
    ) -> Reason | Method:
        person = self.people[caller]
        refusals = {
            Reason.UNKNOWN: caller != one.owner,
            Reason.USED: one.proofs > 0,
            Reason.EXPIRED: self.clock() >= one.ends,
            Reason.LOCKED: one.failures >= 5 or person.failures >= 20,
            Reason.OTHER_OPERATION: named != (one.pending, one.payload),
        }
        for reason, holds in refusals.items():
            if holds:
                return reason
        if isinstance(kind, int):
            step = step_at(self.clock()) + kind
            good = Method.TOTP in one.challenge.methods and kind <= 1 and step > person.last_step
            return Method.TOTP if good else Reason.WRONG
        good = kind == "signature" and one.challenge.webauthn is not None and not replayed
        return Method.WEBAUTHN if good else Reason.WRONG

    def learn(self, one: Begun, kind: int | str, expected: Reason | Method) -> None:
        if expected in (Reason.WRONG, Reason.OTHER_OPERATION):
            one.failures += 1
            self.people[one.owner].failures += 1
        elif isinstance(expected, Method):
            one.proofs += 1
            if isinstance(kind, int):
                self.people[one.owner].last_step = step_at(self.clock()) + kind

    def check_history(self, one: Begun, caller: int, pending: int, payload: int, found: StepUpProof | Refusal) -> None:
        """What must hold of a proof, whatever the model expected."""
        if isinstance(found, Refusal):
            return
        assert one.proofs == 0
        assert one.failures < 5
        assert self.clock() < one.ends
        assert (caller, pending, payload) == (one.owner, one.pending, one.payload)
        assert found.user_id == self.people[one.owner].user_id
        assert (found.challenge_id, found.pending_id) == (one.challenge.id, PENDING[one.pending])
        assert found.payload_hash == hashlib.sha256(PAYLOADS[one.payload]).digest()


class _UsableTwice(StepUp):
    async def _closed(self, session: AsyncSession, row: StepUpChallenge, now: datetime) -> Refusal | None:
        refusal = await super()._closed(session, row, now)
        return None if refusal and refusal.reason is Reason.USED else refusal


class _NeverOver(StepUp):
    async def _closed(self, session: AsyncSession, row: StepUpChallenge, now: datetime) -> Refusal | None:
        refusal = await super()._closed(session, row, now)
        return None if refusal and refusal.reason is Reason.EXPIRED else refusal


class _NeverLocked(StepUp):
    async def _closed(self, session: AsyncSession, row: StepUpChallenge, now: datetime) -> Refusal | None:
        refusal = await super()._closed(session, row, now)
        return None if refusal and refusal.reason is Reason.LOCKED else refusal


class _Forgetful(StepUp):
    """Counts a failure and then loses the count, as an edge that raises inside its transaction would."""

    async def _count(self, session: AsyncSession, row: StepUpChallenge, reason: Reason) -> Refusal:
        nested = await session.begin_nested()
        refusal = await super()._count(session, row, reason)
        await nested.rollback()
        return refusal


class _Unbound(StepUp):
    def _is_bound(self, row: StepUpChallenge, pending_id: UUID, payload_hash: bytes) -> bool:
        return super()._is_bound(row, pending_id, row.payload_hash or payload_hash)


class _BoundToPayloadAlone(StepUp):
    def _is_bound(self, row: StepUpChallenge, pending_id: UUID, payload_hash: bytes) -> bool:
        return super()._is_bound(row, row.pending_id or pending_id, payload_hash)


def machine(urls: ServiceUrls, service: type[StepUp]) -> type[StepUpMachine]:
    return type("Machine", (StepUpMachine,), {"url": urls.database, "service": service})


def test_no_interleaving_gives_a_proof_that_should_not_be(service_urls: ServiceUrls) -> None:
    limits = settings(
        max_examples=25,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    run_state_machine_as_test(machine(service_urls, StepUp), settings=limits)


@pytest.mark.slow
@pytest.mark.parametrize("faulty", [_UsableTwice, _NeverOver, _NeverLocked, _Forgetful, _Unbound, _BoundToPayloadAlone])
def test_the_model_notices_a_planted_fault(service_urls: ServiceUrls, faulty: type[StepUp]) -> None:
    limits = settings(
        max_examples=100,
        stateful_step_count=40,
        deadline=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        run_state_machine_as_test(machine(service_urls, faulty), settings=limits)
