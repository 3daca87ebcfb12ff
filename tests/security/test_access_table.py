"""docs/07 says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from llm_banking.api.access import declared_routes
from llm_banking.identity.roles import PERMISSIONS, Role
from llm_banking.proof.access import access_parts, write_access
from llm_banking.proof.report import filled
from tests.security.matrix import CALLERS, split
from tests.security.stage import Stage

DOCUMENT = Path(__file__).parents[2] / "docs" / "07-security-compliance.md"


def test_who_may_call_what_is_what_the_document_says(stage: Stage, tmp_path: Path) -> None:
    routes = [(one.method, one.path, one.policy.permission) for one in declared_routes(stage.app)]
    text = DOCUMENT.read_text(encoding="utf-8")
    assert filled(text, access_parts(routes)) == text, "run: make evidence"
    copy = tmp_path / "07.md"
    copy.write_text(re.sub(r"^\|.*\n", "", text, flags=re.MULTILINE), encoding="utf-8")
    write_access(copy, routes)
    assert copy.read_text(encoding="utf-8") == text


def test_the_table_says_what_the_matrix_expects(stage: Stage) -> None:
    """Two ways to the same answer: the document's cells, and whom the matrix expects to be let in."""
    lines = re.findall(r"^\| `(\w+ /[^`]*)` \| (.*) \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    policies = {one.name: one.policy for one in declared_routes(stage.app)}
    assert [name for name, _ in lines] == list(policies)
    for name, cells in lines:
        permission, anyone, *roles, key = cells.split(" | ")
        allowed = {one.name for one in split(policies[name])[0]}
        assert permission.strip("`") == (policies[name].permission or "-")
        assert (anyone == "yes") == ("anonymous" in allowed)
        assert {role for role, cell in zip(Role, roles, strict=True) if cell == "yes"} == allowed & {*Role}
        assert (key == "-") == (not any(one.startswith("key ") for one in allowed))


def test_each_role_is_a_caller_of_the_matrix() -> None:
    assert {one.name for one in CALLERS} >= {*Role} == {*PERMISSIONS}
