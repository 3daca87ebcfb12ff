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
    BANKING_READ = "banking:read"
    BANKING_WRITE = "banking:write"
    PROFILE_READ = "profile:read"
    PROFILE_WRITE = "profile:write"
    KEYS_MANAGE = "keys:manage"
    AGENT_HANDLE = "agent:handle"
    AUDIT_READ = "audit:read"
    ADMIN_READ = "admin:read"
    ADMIN_WRITE = "admin:write"
    MFA_MANAGE = "mfa:manage"


class LimitClass(StrEnum):
    """What a request costs the bank, and so how often it may be made and whether it is taken without Redis."""

    UNLIMITED = "unlimited"
    PAGE = "page"
    READ = "read"
    WRITE = "write"
    CHAT = "chat"
    TRANSFER = "transfer"
    CONFIRMATION = "confirmation"
    KEYS = "keys"
    PRIVACY = "privacy"
    ADMIN = "admin"
    SIGN_IN = "sign_in"


@dataclass(frozen=True, slots=True)
class Policy:
    """What a route demands. `permission` None lets anyone in."""

    permission: Permission | None
    limit: LimitClass


PUBLIC = Policy(None, LimitClass.READ)

_LIMIT_BY_PERMISSION = {
    Permission.CHAT_READ: LimitClass.READ,
    Permission.CHAT_WRITE: LimitClass.CHAT,
    Permission.BANKING_READ: LimitClass.READ,
    Permission.BANKING_WRITE: LimitClass.TRANSFER,
    Permission.PROFILE_READ: LimitClass.READ,
    Permission.PROFILE_WRITE: LimitClass.WRITE,
    Permission.KEYS_MANAGE: LimitClass.KEYS,
    Permission.MFA_MANAGE: LimitClass.KEYS,
    Permission.AGENT_HANDLE: LimitClass.WRITE,
    Permission.AUDIT_READ: LimitClass.ADMIN,
    Permission.ADMIN_READ: LimitClass.ADMIN,
    Permission.ADMIN_WRITE: LimitClass.ADMIN,
}


def public(limit: LimitClass) -> Policy:
    """The policy of a route that anyone may call, as often as its class allows."""
    return Policy(None, limit)


def requires(permission: Permission, limit: LimitClass | None = None) -> Policy:
    """The policy of a route whose caller must hold a permission; its class follows from that where none is named."""
    return Policy(permission, limit or _LIMIT_BY_PERMISSION[permission])


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller.

    `user_id` owns what the caller writes. `visible_user_ids` are the owners whose rows the caller may see; it
    scopes every repository query. `account_type` is the role. `session_id` is the token family of a person who signed
    in, `api_key_id` the key of a program; the demo has neither. `authenticated_by` names the methods of that sign-in
    (RFC 8176).
    """

    user_id: UUID
    subject: str
    permissions: frozenset[Permission]
    visible_user_ids: frozenset[UUID]
    is_demo: bool = False
    account_type: str | None = None
    session_id: UUID | None = None
    api_key_id: UUID | None = None
    authenticated_by: tuple[str, ...] = ()

    def check(self, policy: Policy) -> None:
        """Raise ForbiddenError unless the policy's permission is held."""
        if policy.permission is not None and policy.permission not in self.permissions:
            raise ForbiddenError(f"This needs the permission {policy.permission.value}.")
