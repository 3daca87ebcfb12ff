from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity import repository, throttle
from llm_banking.identity.errors import TryLaterError
from llm_banking.identity.keyed_hash import KeyedHash
from llm_banking.identity.models import SignInFailure
from llm_banking.identity.throttle import ALL_PLACES, ONE_PLACE, Attempt, Bound, SignInThrottle
from llm_banking.kit.clock import utc_now

NAME = "email:zoe@example.com"
HOME = "198.51.100.7"
START = utc_now()


@pytest.fixture
def counts() -> SignInThrottle:
    return SignInThrottle(KeyedHash(bytes(32)))


async def fail(
    counts: SignInThrottle, session: AsyncSession, *, at: datetime = START, place: str = HOME, name: str = NAME
) -> Attempt:
    return await counts.begin(session, name=name, place=place, now=at)


async def wait_of(counts: SignInThrottle, session: AsyncSession, *, at: datetime, place: str = HOME) -> int:
    """Seconds that the next attempt is told to wait; 0 if it may go on, in which case it counts."""
    try:
        await fail(counts, session, at=at, place=place)
    except TryLaterError as error:
        return error.retry_after_s
    return 0


@examples(deadline=None)
@given(st.integers(0, 10_000))
def test_a_wait_never_shrinks_and_is_never_for_good(failures: int) -> None:
    for bound in (ONE_PLACE, ALL_PLACES):
        assert bound.wait_s(failures) <= bound.wait_s(failures + 1) <= bound.longest_s
        assert (bound.wait_s(failures) == 0) == (failures < bound.free)


def test_the_waits_of_one_place_double_up_to_a_quarter_of_an_hour() -> None:
    assert [ONE_PLACE.wait_s(count) for count in (4, 5, 6, 7, 14, 15, 99)] == [0, 1, 2, 4, 512, 900, 900]


async def test_each_failure_doubles_the_wait(counts: SignInThrottle, session: AsyncSession) -> None:
    at = START
    waits: list[int] = []
    for _ in range(17):
        await fail(counts, session, at=at)
        waits.append(await wait_of(counts, session, at=at) if len(waits) >= 4 else 0)
        at += timedelta(seconds=waits[-1])
    assert waits[:7] == [0, 0, 0, 0, 1, 2, 4]
    assert max(waits) == waits[-1] == 900


async def test_whoever_waits_is_not_counted(counts: SignInThrottle, session: AsyncSession) -> None:
    for _ in range(5):
        await fail(counts, session)
    for _ in range(20):
        assert await wait_of(counts, session, at=START) == 1
    assert await wait_of(counts, session, at=START + timedelta(seconds=1)) == 0


async def test_another_place_and_another_name_are_counted_apart(counts: SignInThrottle, session: AsyncSession) -> None:
    for _ in range(5):
        await fail(counts, session)
    await fail(counts, session, place="203.0.113.9")
    await fail(counts, session, name="email:other@example.com")


async def test_a_success_is_forgiven(counts: SignInThrottle, session: AsyncSession) -> None:
    for _ in range(4):
        await fail(counts, session)
    await counts.forgive(session, await fail(counts, session), START)
    for _ in range(5):
        await fail(counts, session)


async def test_failures_are_forgotten_after_a_quiet_day(counts: SignInThrottle, session: AsyncSession) -> None:
    for _ in range(5):
        await fail(counts, session)
    later = START + ONE_PLACE.quiet + timedelta(seconds=1)
    for _ in range(5):
        await fail(counts, session, at=later)


async def test_guessing_from_many_places_is_slowed_but_not_where_the_owner_signed_in_before(
    counts: SignInThrottle, session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "ALL_PLACES", Bound(free=8, longest_s=60, quiet=timedelta(hours=1)))
    await counts.forgive(session, await fail(counts, session), START)
    for number in range(8):
        await fail(counts, session, place=f"203.0.113.{number}")
    assert await wait_of(counts, session, at=START, place="203.0.113.99") == 1
    assert await wait_of(counts, session, at=START, place=HOME) == 0, "a known place"


async def test_the_bound_over_all_places_is_what_stops_that(
    counts: SignInThrottle, session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: without it, one guess from each of many places is never slowed."""
    monkeypatch.setattr(throttle, "ALL_PLACES", Bound(free=10**6, longest_s=60, quiet=timedelta(hours=1)))
    for number in range(30):
        assert await wait_of(counts, session, at=START, place=f"203.0.113.{number}") == 0


async def test_rows_age_out(counts: SignInThrottle, session: AsyncSession) -> None:
    attempt = await fail(counts, session)
    names = select(func.count()).select_from(SignInFailure).where(SignInFailure.name_hash == attempt.name_hash)
    await repository.purge(session, START + timedelta(hours=23))
    assert await session.scalar(names) == 2
    await repository.purge(session, START + timedelta(hours=25))
    assert await session.scalar(names) == 0
    await counts.forgive(session, await fail(counts, session), START)
    await repository.purge(session, START + timedelta(days=29))
    assert await session.scalar(names) == 2, "a place that was signed in from is known for a month"
    await repository.purge(session, START + timedelta(days=31))
    assert await session.scalar(names) == 0
