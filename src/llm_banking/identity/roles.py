"""Which role may do what: one table, so that an auditor reads it in one place."""

from __future__ import annotations

from enum import StrEnum

from llm_banking.identity.principal import Permission


class Role(StrEnum):
    """The account types of `users`."""

    GUEST = "guest"
    USER = "user"
    PREMIUM = "premium"
    AGENT = "agent"
    AUDITOR = "auditor"
    ADMIN = "admin"


_CHAT = frozenset({Permission.CHAT_READ, Permission.CHAT_WRITE})
_OWN_PROFILE = frozenset({Permission.PROFILE_READ, Permission.PROFILE_WRITE, Permission.MFA_MANAGE})
_CUSTOMER = _CHAT | _OWN_PROFILE | {Permission.BANKING_READ, Permission.BANKING_WRITE, Permission.KEYS_MANAGE}

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.GUEST: _CHAT,
    Role.USER: _CUSTOMER,
    Role.PREMIUM: _CUSTOMER,
    Role.AGENT: _OWN_PROFILE | {Permission.CHAT_READ, Permission.AGENT_HANDLE},
    Role.AUDITOR: _OWN_PROFILE | {Permission.AUDIT_READ},
    Role.ADMIN: _CHAT
    | _OWN_PROFILE
    | {Permission.KEYS_MANAGE, Permission.ADMIN_READ, Permission.ADMIN_WRITE, Permission.AUDIT_READ},
}
"""Staff hold no banking permission: whoever runs the system does not move a customer's money."""


def permissions_of(account_type: str) -> frozenset[Permission]:
    """What a role may do. Raises ValueError on a word that is no role."""
    return PERMISSIONS[Role(account_type)]
