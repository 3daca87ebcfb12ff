"""The typed caller that every service signature takes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from llm_banking.identity.errors import ForbiddenError


class Permission(StrEnum):
    """What a route may ask of its caller."""

    CHAT_READ = "chat:read"
    CHAT_WRITE = "chat:write"
    ADMIN_READ = "admin:read"
    KEYS_MANAGE = "keys:manage"
    MFA_MANAGE = "mfa:manage"


@dataclass(frozen=True, slots=True)
class Policy:
    """What a route demands. `permission` None lets anyone in."""

    permission: Permission | None


PUBLIC = Policy(None)


def requires(permission: Permission) -> Policy:
    """The policy of a route whose caller must hold a permission."""
    return Policy(permission)


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller.

    `user_id` owns what the caller writes. `visible_user_ids` are the owners whose rows the caller may see; it
    scopes every repository query.
    """

    user_id: UUID
    subject: str
    permissions: frozenset[Permission]
    visible_user_ids: frozenset[UUID]
    is_demo: bool = False

    def check(self, policy: Policy) -> None:
        """Raise ForbiddenError unless the policy's permission is held."""
        if policy.permission is not None and policy.permission not in self.permissions:
            raise ForbiddenError(f"This needs the permission {policy.permission.value}.")
