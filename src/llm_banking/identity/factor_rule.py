"""Who must have a second factor, and what a session may do that was opened without one (ASVS 5.0, 6.3.3)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from llm_banking.identity.principal import Permission
from llm_banking.identity.roles import Role, permissions_of

MULTI_FACTOR = "mfa"
"""Among the methods of a sign-in: more than one kind of factor was used (RFC 8176, section 2)."""
TO_SET_ONE_UP = frozenset({Permission.PROFILE_READ, Permission.MFA_MANAGE})
"""Enough to see who one is, to set a second factor up and to sign out."""


@dataclass(frozen=True, slots=True)
class FactorRule:
    """The roles whose people must sign in with two factors.

    It holds for each sign-in by itself: who has just set a factor up signs in again, with it.
    """

    demanded_of: frozenset[Role] = frozenset()

    def is_lacking(self, account_type: str, methods: Collection[str]) -> bool:
        """Whether a sign-in by these methods is less than the role's people need. Raises ValueError on no role."""
        return Role(account_type) in self.demanded_of and MULTI_FACTOR not in methods

    def permissions(self, account_type: str, methods: Collection[str]) -> frozenset[Permission]:
        """What a person of a role may do after a sign-in by these methods. Raises ValueError on no role."""
        held = permissions_of(account_type)
        return held & TO_SET_ONE_UP if self.is_lacking(account_type, methods) else held
