"""Keys for programs: their form, and who they let in for how long."""

from __future__ import annotations

import asyncio
import string
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.api_key_text import ALPHABET, PREFIX, checksum, new_key, parse
from llm_banking.identity.api_keys import ApiKeyLimits, ApiKeys, IssuedKey
from llm_banking.identity.errors import (
    ConflictError,
    ForbiddenError,
    InvalidCredentialError,
    LimitExceededError,
    NotFoundError,
)
from llm_banking.identity.master_key import MasterKeys
from llm_banking.identity.models import ApiKey, Revocation, User
from llm_banking.identity.principal import Permission
from llm_banking.identity.roles import permissions_of
from llm_banking.kit.database import Database, Scope
from tests.identity.people import MASTER_KEYS, Clock, add_user, committed_user

READ, WRITE = Permission.CHAT_READ, Permission.CHAT_WRITE
HELD = frozenset({READ, WRITE, Permission.KEYS_MANAGE, Permission.MFA_MANAGE})


def api_keys(clock: Clock, most: int = 3, keys: MasterKeys = MASTER_KEYS) -> ApiKeys:
    return ApiKeys(keys, permissions_of, ApiKeyLimits(timedelta(days=365), most), clock)


async def issue(
    service: ApiKeys, session: AsyncSession, user_id: UUID, scopes: frozenset[Permission] = frozenset({READ})
) -> IssuedKey:
    return await service.create(session, user_id, held=HELD, name="robot", scopes=scopes, lifetime=timedelta(days=30))


def test_a_key_has_the_published_form() -> None:
    key = new_key()
    assert key.startswith("llmb_live_")
    assert len(key) == len(PREFIX) + 30 + 6
    assert set(key.removeprefix(PREFIX)) <= set(string.ascii_letters + string.digits)
    assert parse(key) == key
    assert len({new_key() for _ in range(100)}) == 100


def test_the_checksum_is_crc32_in_base62() -> None:
    """CRC-32's published check value: 0xCBF43926 for "123456789"."""
    number = 0
    for digit in checksum("123456789"):
        number = number * 62 + ALPHABET.index(digit)
    assert number == 0xCBF43926
    assert len(checksum("")) == 6


@given(st.integers(0, 45), st.sampled_from(ALPHABET))
def test_no_mistyped_character_is_overlooked(place: int, other: str) -> None:
    key = "llmb_live_" + "0aZ9bY8cX7" * 3
    key += checksum(key)
    mistyped = key[:place] + other + key[place + 1 :]
    if mistyped != key:
        with pytest.raises(InvalidCredentialError):
            parse(mistyped)


@given(st.text(max_size=60) | st.text(ALPHABET, min_size=36, max_size=36).map(lambda rest: PREFIX + rest))
def test_other_texts_are_no_keys(presented: str) -> None:
    try:
        parse(presented)
    except InvalidCredentialError:
        return
    assert presented[-6:] == checksum(presented[:-6])


@pytest.mark.parametrize("wrap", ["{} ", " {}", "{}\n", "{}0", "{}\x00"])
def test_a_key_with_something_around_it_is_none(wrap: str) -> None:
    with pytest.raises(InvalidCredentialError):
        parse(wrap.format(new_key()))


async def test_a_key_lets_its_owner_in_with_its_scopes(session: AsyncSession) -> None:
    service, user_id = api_keys(Clock()), await add_user(session)
    issued = await issue(service, session, user_id)
    verified = await service.verify(session, issued.text)
    assert (verified.key_id, verified.user_id, verified.scopes) == (issued.row.id, user_id, frozenset({READ}))


async def test_only_a_keyed_hash_and_the_beginning_are_stored(session: AsyncSession) -> None:
    user_id = await add_user(session)
    issued = await issue(api_keys(Clock()), session, user_id)
    stored = str((await session.execute(text("SELECT t.*::text FROM api_keys t"))).all())
    assert issued.row.prefix == issued.text[:16]
    assert issued.text not in stored
    assert issued.text[16:] not in stored
    assert issued.text not in repr(issued)
    other = api_keys(Clock(), keys=MasterKeys({1: b"another server's master key 4471"}))
    with pytest.raises(InvalidCredentialError):
        await other.verify(session, issued.text)


async def test_keys_outlive_a_rotation_of_the_master_key(session: AsyncSession) -> None:
    user_id = await add_user(session)
    issued = await issue(api_keys(Clock()), session, user_id)
    rotated = api_keys(Clock(), keys=MasterKeys({1: bytes(range(32)), 2: b"\x02" * 32}))
    assert (await rotated.verify(session, issued.text)).user_id == user_id
    newer = await issue(rotated, session, user_id)
    with pytest.raises(InvalidCredentialError):
        await api_keys(Clock()).verify(session, newer.text)


async def test_a_bad_checksum_costs_no_look_up(database: Database, session: AsyncSession) -> None:
    service, statements = api_keys(Clock()), 0

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal statements
        statements += not statement.startswith("SAVEPOINT")

    event.listen(database.engine.sync_engine, "before_cursor_execute", count)
    try:
        good = new_key()
        with pytest.raises(InvalidCredentialError):
            await service.verify(session, good[:-1] + ("0" if good[-1] != "0" else "1"))
        assert statements == 0
        with pytest.raises(InvalidCredentialError):
            await service.verify(session, good)
        assert statements == 1
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", count)


async def test_every_refusal_reads_the_same(session: AsyncSession) -> None:
    clock = Clock()
    service, user_id = api_keys(clock), await add_user(session)
    revoked, expired, suspended = [await issue(service, session, user_id) for _ in range(3)]
    await service.revoke(session, user_id, revoked.row.id)
    await session.execute(update(ApiKey).where(ApiKey.id == expired.row.id).values(expires_at=clock()))
    messages = []
    for presented in (revoked.text, expired.text, new_key(), "nonsense", ""):
        with pytest.raises(InvalidCredentialError) as caught:
            await service.verify(session, presented)
        messages.append(caught.value.message)
    assert (await service.verify(session, suspended.text)).user_id == user_id
    await session.execute(update(User).where(User.id == user_id).values(status="suspended"))
    with pytest.raises(InvalidCredentialError) as caught:
        await service.verify(session, suspended.text)
    assert len({*messages, caught.value.message}) == 1


async def test_a_key_ends_at_its_time(session: AsyncSession) -> None:
    clock = Clock()
    service, user_id = api_keys(clock), await add_user(session)
    issued = await issue(service, session, user_id)
    clock.advance(days=30, seconds=-1)
    await service.verify(session, issued.text)
    clock.advance(seconds=1)
    with pytest.raises(InvalidCredentialError):
        await service.verify(session, issued.text)


async def test_scopes_are_a_part_of_what_the_owner_holds_then_and_now(session: AsyncSession) -> None:
    service, user_id = api_keys(Clock()), await add_user(session)
    refused: list[set[Permission]] = [
        set(),
        {Permission.ADMIN_READ},
        {READ, Permission.ADMIN_READ},
        {Permission.KEYS_MANAGE},
        {READ, Permission.MFA_MANAGE},
    ]
    for scopes in refused:
        with pytest.raises(ForbiddenError):
            await issue(service, session, user_id, frozenset(scopes))
    issued = await issue(service, session, user_id, frozenset({READ, WRITE}))
    await session.execute(update(User).where(User.id == user_id).values(account_type="agent"))
    assert (await service.verify(session, issued.text)).scopes == {READ}
    await session.execute(update(User).where(User.id == user_id).values(account_type="auditor"))
    assert (await service.verify(session, issued.text)).scopes == frozenset()
    await session.execute(update(User).where(User.id == user_id).values(account_type="user"))
    stored = ["chat:read", "keys:manage", "mfa:manage", "a permission of former times"]
    await session.execute(update(ApiKey).where(ApiKey.id == issued.row.id).values(scopes=stored))
    assert (await service.verify(session, issued.text)).scopes == {READ}, "even a forged row manages no keys"


@pytest.mark.parametrize("days", [0, -1, 366, 100_000])
async def test_no_key_lives_for_ever(session: AsyncSession, days: int) -> None:
    service, user_id = api_keys(Clock()), await add_user(session)
    with pytest.raises(LimitExceededError):
        await service.create(
            session, user_id, held=HELD, name="x", scopes=frozenset({READ}), lifetime=timedelta(days=days)
        )


async def rotate(
    service: ApiKeys, session: AsyncSession, user_id: UUID, key_id: UUID, hours: int = 24,
    held: frozenset[Permission] = HELD,
) -> IssuedKey:  # fmt: skip
    return await service.rotate(
        session, user_id, key_id, held=held, lifetime=timedelta(days=30), overlap=timedelta(hours=hours)
    )


async def test_while_a_key_is_rotated_both_work(session: AsyncSession) -> None:
    clock = Clock()
    service, user_id = api_keys(clock), await add_user(session)
    old = await issue(service, session, user_id, frozenset({READ, WRITE}))
    new = await rotate(service, session, user_id, old.row.id)
    assert new.row.rotated_from == old.row.id
    assert new.row.scopes == ["chat:read", "chat:write"]
    clock.advance(hours=24, seconds=-1)
    for key in (old, new):
        await service.verify(session, key.text)
    clock.advance(seconds=1)
    with pytest.raises(InvalidCredentialError):
        await service.verify(session, old.text)
    await service.verify(session, new.text)


async def test_an_overlap_never_makes_a_key_live_longer(session: AsyncSession) -> None:
    clock = Clock()
    service, user_id = api_keys(clock), await add_user(session)
    old = await issue(service, session, user_id)
    clock.advance(days=29, hours=23)
    ends = old.row.expires_at
    await rotate(service, session, user_id, old.row.id)
    assert old.row.expires_at == ends
    with pytest.raises(LimitExceededError):
        await rotate(service, session, user_id, old.row.id, hours=169)


async def test_a_key_is_rotated_once_and_only_while_it_works(session: AsyncSession) -> None:
    service, user_id = api_keys(Clock(), most=9), await add_user(session)
    old, revoked = await issue(service, session, user_id), await issue(service, session, user_id)
    await rotate(service, session, user_id, old.row.id)
    await service.revoke(session, user_id, revoked.row.id)
    for key in (old, revoked):
        with pytest.raises(ConflictError):
            await rotate(service, session, user_id, key.row.id)
    third = await issue(service, session, user_id, frozenset({READ, WRITE}))
    with pytest.raises(ForbiddenError):
        await rotate(service, session, user_id, third.row.id, held=frozenset({Permission.ADMIN_READ}))
    fourth = await rotate(service, session, user_id, third.row.id, held=frozenset({WRITE}))
    assert fourth.row.scopes == ["chat:write"]
    immediate = await rotate(service, session, user_id, fourth.row.id, hours=0)
    with pytest.raises(InvalidCredentialError):
        await service.verify(session, fourth.text)
    await service.verify(session, immediate.text)


async def test_a_revoked_key_is_over_and_every_worker_is_told(session: AsyncSession) -> None:
    clock = Clock()
    service, user_id = api_keys(clock), await add_user(session)
    issued = await issue(service, session, user_id)
    row = await service.revoke(session, user_id, issued.row.id)
    clock.advance(seconds=5)
    again = await service.revoke(session, user_id, issued.row.id)
    assert row.revoked_at == again.revoked_at == Clock()()
    told = list(await session.scalars(select(Revocation).where(Revocation.subject_id == issued.row.id)))
    assert [(one.kind, one.expires_at) for one in told] == [("api_key", issued.row.expires_at)]


async def test_somebody_elses_key_is_not_there(session: AsyncSession) -> None:
    service, owner, other = api_keys(Clock()), await add_user(session), await add_user(session)
    issued = await issue(service, session, owner)
    for key_id in (issued.row.id, uuid4()):
        with pytest.raises(NotFoundError):
            await service.revoke(session, other, key_id)
        with pytest.raises(NotFoundError):
            await rotate(service, session, other, key_id)
    assert await service.list_keys(session, other) == []
    await service.verify(session, issued.text)


async def test_there_is_a_limit_of_keys(session: AsyncSession) -> None:
    clock = Clock()
    service, user_id = api_keys(clock, most=2), await add_user(session)
    first, second = [await issue(service, session, user_id) for _ in range(2)]
    with pytest.raises(LimitExceededError):
        await issue(service, session, user_id)
    third = await rotate(service, session, user_id, first.row.id)
    fourth = await rotate(service, session, user_id, second.row.id)
    for key in (third, fourth):
        with pytest.raises(LimitExceededError):
            await rotate(service, session, user_id, key.row.id)
    clock.advance(hours=24)
    await service.revoke(session, user_id, third.row.id)
    await issue(service, session, user_id)
    rows = await service.list_keys(session, user_id)
    assert [row.revoked_at is None and row.expires_at > clock() for row in rows] == [True, True, False, False, False]


async def test_two_requests_at_once_do_not_both_take_the_last_place(database: Database) -> None:
    service = api_keys(Clock(), most=1)
    async with committed_user(database) as user_id:

        async def attempt() -> bool:
            try:
                async with database.transaction(scope=Scope.IDENTITY) as session:
                    await issue(service, session, user_id)
                    await asyncio.sleep(0.02)
            except LimitExceededError:
                return False
            return True

        assert sum(await asyncio.gather(*(attempt() for _ in range(4)))) == 1


async def test_its_use_is_noted_once_a_minute_and_makes_nobody_wait(database: Database) -> None:
    clock = Clock()
    service = api_keys(clock)
    async with committed_user(database) as user_id:
        async with database.transaction(scope=Scope.IDENTITY) as session:
            issued = await issue(service, session, user_id)

        async def used_at() -> object:
            async with database.transaction(scope=Scope.IDENTITY) as session:
                await service.verify(session, issued.text)
            async with database.transaction(scope=Scope.IDENTITY) as session:
                return (await session.get_one(ApiKey, issued.row.id)).last_used_at

        start = clock()
        assert await used_at() == start
        clock.advance(seconds=59)
        assert await used_at() == start
        clock.advance(seconds=1)
        async with database.transaction(scope=Scope.IDENTITY) as holder:
            await holder.execute(select(ApiKey.id).where(ApiKey.id == issued.row.id).with_for_update())
            assert await asyncio.wait_for(used_at(), timeout=4) == start
        assert await used_at() == clock()
