"""Reads the map of OWASP ASVS 5.0.0 in docs/07-asvs.md, the requirements it has to answer, and the tests there are."""

from __future__ import annotations

import ast
import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "07-asvs.md"
REQUIREMENTS = Path(__file__).with_name("asvs-5.0.0.csv")
"""Numbers and levels of chapters V2, V3, V4, V6 to V10 and V12, as published."""
STATES = ("met", "n/a", "open")

_ROW = re.compile(r"\| (\d+\.\d+\.\d+) \| ([123]) \| (met|n/a|open) \| ([^|]+) \| ([^|]*)\|")
_LOOKS_LIKE_A_ROW = re.compile(r"\|\s*V?\d+\.\d+\.\d+\b")
_ID = re.compile(r"`([^`]+)`")
_PROVES_NOTHING = {"skip", "xfail"}
_MIN_WORDS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """What the map says of one requirement. `tests` are ids as pytest takes them."""

    requirement: str
    level: int
    state: str
    says: str
    tests: tuple[str, ...]

    @property
    def chapter(self) -> int:
        """The number of its chapter."""
        return int(self.requirement.partition(".")[0])


@dataclass(frozen=True, slots=True)
class TestFunction:
    """A test that pytest would collect: whether it has parameters, and the texts that their ids may be made of."""

    __test__ = False

    parametrised: bool
    texts: frozenset[str]


def requirements() -> dict[str, int]:
    """The level of each requirement."""
    with REQUIREMENTS.open(encoding="utf-8", newline="") as file:
        return {row["requirement"]: int(row["level"]) for row in csv.DictReader(file)}


def rows_of(text: str) -> list[Row]:
    """The rows of the map. Raises ValueError on a line that begins like a row and is none."""
    found = []
    for line in text.splitlines():
        if not _LOOKS_LIKE_A_ROW.match(line):
            continue
        match = _ROW.fullmatch(line.rstrip())
        if match is None:
            raise ValueError(f"not a row of the map: {line[:80]}")
        requirement, level, state, says, tests = match.groups()
        if tests.strip() and _ID.sub("", tests).replace("<br>", "").strip():
            raise ValueError(f"{requirement}: test ids stand in backquotes, with <br> between them")
        found.append(Row(requirement, int(level), state, says.strip(), tuple(_ID.findall(tests))))
    return found


def problems(rows: Iterable[Row], levels: Mapping[str, int], root: Path = ROOT) -> list[str]:
    """Everything that is wrong with the map, each in one line."""
    rows = list(rows)
    counts = Counter(row.requirement for row in rows)
    found = [f"{one}: stands twice" for one, times in counts.items() if times > 1]
    found += [f"{one}: is missing" for one, level in levels.items() if level < 3 and one not in counts]
    for row in rows:
        found += [f"{row.requirement}: {what}" for what in _problems_of(row, levels, root)]
    return found


def _problems_of(row: Row, levels: Mapping[str, int], root: Path) -> Iterator[str]:
    if row.requirement not in levels:
        yield "there is no such requirement"
    elif row.level != levels[row.requirement]:
        yield f"is of level {levels[row.requirement]}"
    if row.level == 3 and row.state != "met":
        yield "level 3 is listed where it is met, and not else"
    if len(row.says.split()) < _MIN_WORDS:
        yield "says nothing"
    if row.state == "met" and not row.tests:
        yield "has no test"
    if row.state == "open" and row.tests:
        yield "is open, so nothing proves it"
    for one in row.tests:
        if not is_a_test(one, root):
            yield f"there is no test {one}"


def is_a_test(test_id: str, root: Path = ROOT) -> bool:
    """Whether pytest would collect an id: `path::[Class::]test[parameters]`.

    Told from the source alone. A test that is always skipped or may fail proves nothing, and is none. The parameters
    must be made of texts that the decorator holds, or what its names stand for.
    """
    name, bracket, parameters = test_id.partition("[")
    path, *names = name.split("::")
    file = root / path
    if not (path.startswith("tests/") and file.name.startswith("test_") and file.is_file() and names):
        return False
    found = _tests_of(file, root).get("::".join(names))
    if found is None or not bracket:
        return found is not None
    return found.parametrised and parameters.endswith("]") and _is_made_of(parameters[:-1], found.texts)


@cache
def _tests_of(file: Path, root: Path) -> dict[str, TestFunction]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = {}
    for name, node, marks in _functions(tree.body, "", set()):
        decorators = [one for one in node.decorator_list if "parametrize" in _marks(one)]
        found[name] = TestFunction("parametrize" in marks, _texts_behind(decorators, tree, root))
    return found


def _functions(
    body: Iterable[ast.stmt], prefix: str, above: set[str]
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef, set[str]]]:
    """Names of collected tests, each with its function and its marks. `above` are those of the classes around."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            marks = above | {mark for one in node.decorator_list for mark in _marks(one)}
            if isinstance(node, ast.ClassDef):
                if node.name.startswith("Test"):
                    yield from _functions(node.body, f"{prefix}{node.name}::", marks)
            elif node.name.startswith("test_") and not marks & _PROVES_NOTHING:
                yield f"{prefix}{node.name}", node, marks


def _marks(decorator: ast.expr) -> set[str]:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = ast.unparse(called)
    return {name.rpartition(".")[2]} if name.startswith("pytest.mark.") else set()


def _texts_behind(nodes: Iterable[ast.AST], tree: ast.Module, root: Path) -> frozenset[str]:
    """The texts in some nodes and in what their names stand for, here or in a test module that is imported."""
    assigned = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    imported = {
        alias.asname or alias.name: root / f"{node.module.replace('.', '/')}.py"
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tests.")
        for alias in node.names
    }
    pending, seen, found = list(nodes), set[str](), set[str]()
    while pending:
        node = pending.pop()
        found |= set(_texts(node))
        for name in {one.id for one in ast.walk(node) if isinstance(one, ast.Name)} - seen:
            seen.add(name)
            if name in assigned:
                pending.append(assigned[name])
            elif name in imported and imported[name].is_file():
                found |= set(_texts(ast.parse(imported[name].read_text(encoding="utf-8"))))
    return frozenset(found)


def _texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | bool):
            yield str(node.value)


def _is_made_of(text: str, parts: frozenset[str]) -> bool:
    if text in parts:
        return True
    ends = (separator + part for part in parts if part for separator in ("-", ": "))
    return any(text.endswith(end) and _is_made_of(text[: -len(end)], parts) for end in ends)


def summary(rows: Iterable[Row]) -> str:
    """The table of how many requirements stand where, by chapter."""
    counts = Counter((row.chapter, row.state) for row in rows)
    chapters = sorted({chapter for chapter, _ in counts})
    lines = ["| chapter | " + " | ".join(STATES) + " |", "|---" * (len(STATES) + 1) + "|"]
    lines += [f"| V{one} | " + " | ".join(str(counts[one, state]) for state in STATES) + " |" for one in chapters]
    totals = [str(sum(counts[one, state] for one in chapters)) for state in STATES]
    return "\n".join([*lines, "| all | " + " | ".join(totals) + " |"])
