from __future__ import annotations

import re

import pytest
from sqlalchemy import CheckConstraint

from llm_banking.identity.models import User
from llm_banking.identity.principal import Permission
from llm_banking.identity.roles import PERMISSIONS, Role, permissions_of

STAFF = (Role.AGENT, Role.AUDITOR, Role.ADMIN)
HELD_BY = {
    Permission.CHAT_READ: {"guest", "user", "premium", "agent", "admin"},
    Permission.CHAT_WRITE: {"guest", "user", "premium", "admin"},
    Permission.BANKING_READ: {"user", "premium"},
    Permission.BANKING_WRITE: {"user", "premium"},
    Permission.PROFILE_READ: {"user", "premium", "agent", "auditor", "admin"},
    Permission.PROFILE_WRITE: {"user", "premium", "agent", "auditor", "admin"},
    Permission.KEYS_MANAGE: {"user", "premium", "admin"},
    Permission.MFA_MANAGE: {"user", "premium", "agent", "auditor", "admin"},
    Permission.AGENT_HANDLE: {"agent"},
    Permission.AUDIT_READ: {"auditor", "admin"},
    Permission.ADMIN_READ: {"admin"},
    Permission.ADMIN_WRITE: {"admin"},
}


def test_every_role_of_the_table_users_has_its_line() -> None:
    (check,) = [one for one in User.metadata.tables["users"].constraints if "account_type" in str(one.name)]
    assert isinstance(check, CheckConstraint)
    assert set(re.findall(r"'(\w+)'", str(check.sqltext))) == {role.value for role in Role}
    assert set(PERMISSIONS) == set(Role)


@pytest.mark.parametrize("permission", list(Permission))
def test_each_permission_is_held_by_these_roles_and_no_other(permission: Permission) -> None:
    assert {role.value for role in Role if permission in PERMISSIONS[role]} == HELD_BY[permission]


@pytest.mark.parametrize("role", STAFF)
def test_staff_cannot_move_money(role: Role) -> None:
    assert Permission.BANKING_WRITE not in permissions_of(role.value)


def test_a_word_that_is_no_role_has_no_permissions() -> None:
    with pytest.raises(ValueError, match="root"):
        permissions_of("root")
