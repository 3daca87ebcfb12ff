from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.demo import (
    CUSTOMERS,
    DEMO_PRINCIPAL,
    GUEST_ID,
    STAFF,
    demo_id,
    give_passwords,
    owner_of,
    seed_users,
)
from llm_banking.identity.errors import ForbiddenError
from llm_banking.identity.hashing import PasswordHasher
from llm_banking.identity.models import User
from llm_banking.identity.passwords import check_new_password
from llm_banking.identity.principal import Permission, Principal

ANA = UUID(int=7)
SIGNED_IN = Principal(ANA, "ana", frozenset(Permission), frozenset({ANA}))
NUMBERS = [one.customer_number for one in CUSTOMERS]


@pytest.mark.parametrize(("principal", "own"), [(DEMO_PRINCIPAL, GUEST_ID), (SIGNED_IN, ANA)])
def test_naming_nobody_or_yourself_is_yourself(principal: Principal, own: UUID) -> None:
    assert owner_of(principal, None) == own
    assert owner_of(principal, principal.subject) == own


@pytest.mark.parametrize("number", NUMBERS)
def test_the_demo_principal_may_name_a_seeded_customer(number: str) -> None:
    assert owner_of(DEMO_PRINCIPAL, number) == demo_id(number)


@pytest.mark.parametrize(
    "named", ["CUST999", "cust001", "CUST001 ", "", "ana", "Ana Morales", "guest", str(demo_id("CUST001"))]
)
def test_the_demo_principal_may_not_name_a_stranger(named: str) -> None:
    with pytest.raises(ForbiddenError):
        owner_of(DEMO_PRINCIPAL, named)


@pytest.mark.parametrize("named", [*NUMBERS, "demo", "Ana", "", str(ANA)])
def test_any_other_caller_may_name_only_itself(named: str) -> None:
    with pytest.raises(ForbiddenError):
        owner_of(SIGNED_IN, named)


def test_a_refusal_does_not_repeat_the_name() -> None:
    with pytest.raises(ForbiddenError) as caught:
        owner_of(DEMO_PRINCIPAL, "secret-customer-4711")
    assert "4711" not in caught.value.message


def test_demo_ids_are_the_same_on_every_machine() -> None:
    assert demo_id("CUST001") == UUID("bcc3477b-6833-56e9-a107-52416615b5dd")
    assert CUSTOMERS[0].user_id == demo_id("CUST001")
    assert len({GUEST_ID, *(one.user_id for one in CUSTOMERS)}) == len(CUSTOMERS) + 1


def test_the_demo_principal_sees_the_demo_users_and_may_only_chat() -> None:
    assert DEMO_PRINCIPAL.visible_user_ids == {GUEST_ID, *(one.user_id for one in CUSTOMERS)}
    assert DEMO_PRINCIPAL.permissions == {Permission.CHAT_READ, Permission.CHAT_WRITE}
    assert DEMO_PRINCIPAL.is_demo


async def test_each_demo_user_is_given_a_password_once_and_it_is_stored_hashed(session: AsyncSession) -> None:
    hasher = PasswordHasher(memory_kib=64, passes=1, max_running=2, max_waiting=8)
    await seed_users(session)
    await session.execute(update(User).where(User.is_demo).values(password_hash=None))
    given = await give_passwords(session, hasher)
    names = [one.customer_number for one in CUSTOMERS] + [one.email for one in STAFF]
    assert [one.name for one in given] == names
    assert [one.account_type for one in given] == ["premium", "user", "user", "admin", "agent", "auditor"]
    assert len({one.password for one in given}) == len(given)
    for one in given:
        user = await session.get_one(User, demo_id(one.name))
        assert one.password not in repr(one)
        assert check_new_password(one.password, has_second_factor=False, context=(one.name, user.display_name))
        assert one.password not in (user.password_hash or "")
        assert (await hasher.verify(user.password_hash, one.password)).matches
    assert await give_passwords(session, hasher) == ()
    guest = await session.get_one(User, GUEST_ID)
    assert guest.password_hash is None
