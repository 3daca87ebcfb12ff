from __future__ import annotations

from dataclasses import FrozenInstanceError
from uuid import UUID

import pytest

from llm_banking.identity.errors import ForbiddenError
from llm_banking.identity.principal import PUBLIC, Permission, Principal, requires

USER = UUID(int=1)


def holding(*permissions: Permission) -> Principal:
    return Principal(USER, "sub", frozenset(permissions), frozenset({USER}))


@pytest.mark.parametrize("permission", list(Permission))
def test_a_held_permission_lets_in(permission: Permission) -> None:
    holding(permission).check(requires(permission))


@pytest.mark.parametrize("permission", list(Permission))
def test_every_other_permission_together_does_not_let_in(permission: Permission) -> None:
    others = [one for one in Permission if one is not permission]
    with pytest.raises(ForbiddenError, match=permission.value):
        holding(*others).check(requires(permission))


def test_a_public_policy_asks_for_nothing() -> None:
    holding().check(PUBLIC)


def test_permission_words_are_those_of_the_tokens() -> None:
    assert {one.value for one in Permission} >= {"chat:read", "chat:write", "admin:read"}


def test_a_caller_cannot_widen_its_own_rights() -> None:
    with pytest.raises(FrozenInstanceError):
        holding().permissions = frozenset(Permission)  # type: ignore[misc]


def test_a_caller_is_no_demo_unless_said_so() -> None:
    assert holding().is_demo is False
