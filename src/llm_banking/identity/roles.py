"""Which role may do what."""

from __future__ import annotations

from llm_banking.identity.principal import Permission

_CHAT = frozenset({Permission.CHAT_READ, Permission.CHAT_WRITE})
_OWN = frozenset({Permission.KEYS_MANAGE, Permission.MFA_MANAGE})

PERMISSIONS = {
    "guest": _CHAT,
    "user": _CHAT | _OWN,
    "premium": _CHAT | _OWN,
    "agent": frozenset({Permission.CHAT_READ, Permission.MFA_MANAGE}),
    "auditor": frozenset({Permission.MFA_MANAGE}),
    "admin": _CHAT | _OWN | {Permission.ADMIN_READ},
}


def permissions_of(account_type: str) -> frozenset[Permission]:
    """What a role may do; a word that is no role may do nothing."""
    return PERMISSIONS.get(account_type, frozenset())
