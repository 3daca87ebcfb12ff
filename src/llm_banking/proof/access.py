"""Who may call what, as tables: from the policies that the routes declare and from the one table of roles."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from llm_banking.identity.api_keys import NOT_FOR_KEYS
from llm_banking.identity.principal import Permission
from llm_banking.identity.roles import PERMISSIONS, Role
from llm_banking.proof.markdown import NOTHING, table
from llm_banking.proof.report import filled

Route = tuple[str, str, Permission | None]
"""Method, address, and the permission it asks for; None lets anyone in."""

_YES = "yes"
_KEY = "API key"


def access_parts(routes: Iterable[Route]) -> dict[str, str]:
    """What docs/07 takes from the code: the permissions of each role, and who may call each route."""
    roles = [
        [f"`{one.value}`", *(_mark(one in PERMISSIONS[role]) for role in Role), _mark(one not in NOT_FOR_KEYS)]
        for one in Permission
    ]
    calls = [[f"`{method} {path}`", *_who(permission)] for method, path, permission in routes]
    names = [role.value for role in Role]
    return {
        "roles": table(["permission", *names, _KEY], roles),
        "access": table(["route", "permission", "no sign-in", *names, _KEY], calls),
    }


def _who(permission: Permission | None) -> list[str]:
    """The cells of a route."""
    if permission is None:
        return [NOTHING, *(_YES for _ in range(len(Role) + 2))]
    held = [_mark(permission in PERMISSIONS[role]) for role in Role]
    return [f"`{permission.value}`", NOTHING, *held, NOTHING if permission in NOT_FOR_KEYS else "with that scope"]


def _mark(held: bool) -> str:  # noqa: FBT001 - a cell is one of two
    return _YES if held else NOTHING


def write_access(document: Path, routes: Iterable[Route]) -> None:
    """Render both tables into the document. Raises ReportError."""
    text = document.read_text(encoding="utf-8")
    document.write_text(filled(text, access_parts(routes)), encoding="utf-8")
