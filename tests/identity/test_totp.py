"""Authenticator apps: the codes of RFC 6238, and none of them twice."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.errors import ConflictError, WrongCodeError
from llm_banking.identity.models import TotpSecret
from llm_banking.identity.secret_box import SealedSecretError
from llm_banking.identity.totp import TotpEnrolment, hotp, matching_step, otpauth_uri, step_at
from llm_banking.kit.database import Database, Scope
from tests.identity.people import (
    Clock,
    add_user,
    code_now,
    committed_user,
    decode_secret,
    second_factors,
    with_totp,
    wrong_code,
)

RFC_SECRET = b"12345678901234567890"
APPENDIX_B = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]
"""RFC 6238, appendix B, SHA-1. Its codes have eight digits; six are the last six of them."""
RFC_4226_APPENDIX_D = [755224, 287082, 359152, 969429, 338314, 254676, 287922, 162583, 399871, 520489]


@pytest.mark.parametrize(("unix_s", "code"), APPENDIX_B)
def test_the_codes_are_those_of_rfc_6238(unix_s: int, code: str) -> None:
    moment = datetime.fromtimestamp(unix_s, UTC)
    assert hotp(RFC_SECRET, step_at(moment)) == code[-6:]
    assert matching_step(RFC_SECRET, code[-6:], moment, None) == unix_s // 30


def test_the_codes_are_those_of_rfc_4226() -> None:
    assert [int(hotp(RFC_SECRET, counter)) for counter in range(10)] == RFC_4226_APPENDIX_D


@given(st.integers(0, 2**33), st.integers(-5, 5))
def test_a_code_counts_one_step_to_either_side_and_no_further(unix_s: int, away: int) -> None:
    moment = datetime.fromtimestamp(unix_s + 300, UTC)
    step = step_at(moment) + away
    found = matching_step(RFC_SECRET, hotp(RFC_SECRET, step), moment, None)
    if abs(away) <= 1:
        assert found is not None
    elif hotp(RFC_SECRET, step) not in [hotp(RFC_SECRET, step_at(moment) + near) for near in (-1, 0, 1)]:
        assert found is None


@given(st.integers(0, 2**33), st.integers(-1, 1), st.integers(-3, 3))
def test_no_step_counts_that_is_not_newer_than_the_last(unix_s: int, away: int, last_away: int) -> None:
    moment = datetime.fromtimestamp(unix_s + 300, UTC)
    last = step_at(moment) + last_away
    found = matching_step(RFC_SECRET, hotp(RFC_SECRET, step_at(moment) + away), moment, last)
    assert found is None or found > last


@given(st.text(max_size=20))
def test_any_text_is_taken_as_a_wrong_code(text: str) -> None:
    moment = datetime.fromtimestamp(59, UTC)
    near = {hotp(RFC_SECRET, step) for step in (0, 1, 2)}
    assert matching_step(RFC_SECRET, text, moment, None) is None or text in near
    assert matching_step(RFC_SECRET, "\ud800", moment, None) is None


def test_an_app_can_read_the_address() -> None:
    parts = urlsplit(otpauth_uri(RFC_SECRET, "Test bank: näher", "a&b?c@example.com"))
    values = {name: value[0] for name, value in parse_qs(parts.query).items()}
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert unquote(parts.path) == "/Test bank: näher:a&b?c@example.com"
    assert decode_secret(values["secret"]) == RFC_SECRET
    assert (values["issuer"], values["digits"], values["period"]) == ("Test bank: näher", "6", "30")


async def test_an_enrolment_counts_when_a_code_confirms_it(session: AsyncSession) -> None:
    clock, user_id = Clock(), await add_user(session)
    totp = second_factors(clock).totp
    enrolment = await totp.enrol(session, user_id, "somebody")
    secret = decode_secret(enrolment.secret)
    assert len(secret) == 20
    assert not await totp.is_enrolled(session, user_id)
    assert not await totp.accept(session, user_id, code_now(secret, clock)), "an unconfirmed secret proves nothing"
    with pytest.raises(WrongCodeError):
        await totp.confirm(session, user_id, wrong_code(secret, clock))
    await totp.confirm(session, user_id, code_now(secret, clock))
    assert await totp.is_enrolled(session, user_id)
    with pytest.raises(ConflictError):
        await totp.confirm(session, user_id, code_now(secret, clock, 1))
    with pytest.raises(ConflictError):
        await totp.enrol(session, user_id, "somebody")
    assert await totp.remove(session, user_id)
    assert not await totp.remove(session, user_id)
    assert not await totp.accept(session, user_id, code_now(secret, clock, 1))


async def test_an_enrolment_that_nobody_confirms_is_over_and_may_be_begun_again(session: AsyncSession) -> None:
    clock, user_id = Clock(), await add_user(session)
    totp = second_factors(clock).totp
    with pytest.raises(ConflictError):
        await totp.confirm(session, user_id, "000000")
    old = decode_secret((await totp.enrol(session, user_id, "somebody")).secret)
    clock.advance(minutes=10)
    with pytest.raises(ConflictError):
        await totp.confirm(session, user_id, code_now(old, clock))
    new = decode_secret((await totp.enrol(session, user_id, "somebody")).secret)
    with pytest.raises(WrongCodeError):
        await totp.confirm(session, user_id, code_now(old, clock))
    await totp.confirm(session, user_id, code_now(new, clock))


async def test_no_code_is_taken_twice_nor_an_older_one(session: AsyncSession) -> None:
    clock, user_id = Clock(), await add_user(session)
    factors = second_factors(clock)
    secret = await with_totp(session, factors, user_id, clock)
    assert not await factors.totp.accept(session, user_id, code_now(secret, clock)), "it confirmed the enrolment"
    assert await factors.totp.accept(session, user_id, code_now(secret, clock, 1))
    for steps in (1, 0, -1):
        assert not await factors.totp.accept(session, user_id, code_now(secret, clock, steps))
    clock.advance(seconds=60)
    assert await factors.totp.accept(session, user_id, code_now(secret, clock))
    assert not await factors.totp.accept(session, uuid4(), code_now(secret, clock))


async def test_of_two_requests_with_one_code_one_wins(database: Database) -> None:
    clock = Clock()
    factors = second_factors(clock)
    async with committed_user(database) as user_id:
        async with database.transaction(scope=Scope.IDENTITY) as session:
            secret = await with_totp(session, factors, user_id, clock)

        async def attempt(code: str) -> bool:
            async with database.transaction(scope=Scope.IDENTITY) as session:
                held = await factors.totp.accept(session, user_id, code)
                await asyncio.sleep(0.02)
                return held

        for _ in range(5):
            clock.advance(seconds=30)
            code = code_now(secret, clock)
            assert sum(await asyncio.gather(*(attempt(code) for _ in range(4)))) == 1


async def test_the_secret_is_stored_encrypted_and_for_its_user_alone(session: AsyncSession) -> None:
    clock = Clock()
    factors = second_factors(clock)
    owner, other = await add_user(session), await add_user(session)
    secret = await with_totp(session, factors, owner, clock)
    await with_totp(session, factors, other, clock)
    stored = (await session.get_one(TotpSecret, owner)).secret_encrypted
    assert secret not in stored
    await session.execute(update(TotpSecret).where(TotpSecret.user_id == other).values(secret_encrypted=stored))
    with pytest.raises(SealedSecretError):
        await factors.totp.accept(session, other, code_now(secret, clock, 1))


def test_the_enrolment_shows_nothing() -> None:
    assert "zebra" not in repr(TotpEnrolment("zebra", "otpauth://zebra", Clock()()))
