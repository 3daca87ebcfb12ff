"""The map of OWASP ASVS 5.0.0 leaves nothing out, and what it calls proved is proved by tests that are there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.security.asvs_map import DOCUMENT, Row, is_a_test, problems, requirements, rows_of, summary

TEXT = DOCUMENT.read_text(encoding="utf-8")
ROWS = rows_of(TEXT)
MET = next(row for row in ROWS if row.state == "met")
OPEN = next(row for row in ROWS if row.state == "open")
SOURCE = """
import pytest
from tests.words import WORDS

async def test_plain(): ...

@pytest.mark.parametrize("case", ["one", "two words"])
def test_cases(case): ...

@pytest.mark.parametrize(("kind", "case"), WORDS)
def test_words(kind, case): ...

OTHERS = ["elsewhere"]

@pytest.mark.skip(reason="later")
def test_skipped(): ...

@pytest.mark.xfail
def test_may_fail(): ...

def helper(): ...

class TestGroup:
    def test_inside(self): ...
    class TestDeeper:
        @pytest.mark.parametrize("case", [1, 2])
        def test_deep(self, case): ...

@pytest.mark.skip
class TestSkipped:
    def test_inside(self): ...

class Helper:
    def test_of_no_test_class(self): ...
"""


def test_the_map_is_whole_and_its_tests_are_there() -> None:
    assert problems(ROWS, requirements()) == []


def test_the_counts_of_the_map_are_its_rows() -> None:
    assert summary(ROWS) in TEXT, f"put this there:\n{summary(ROWS)}"


def test_the_requirements_are_those_of_nine_chapters() -> None:
    levels = requirements()
    assert len(levels) == 194
    chapters = [sum(one.startswith(f"{chapter}.") for one in levels) for chapter in (2, 3, 4, 6, 7, 8, 9, 10, 12)]
    assert chapters == [13, 31, 16, 47, 19, 13, 7, 36, 12]
    assert set(levels.values()) == {1, 2, 3}


def test_every_place_of_the_page_that_a_row_points_to_is_there() -> None:
    headings = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", one.lower()).replace(" ", "-") for one in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= anchors


PLANTED = {
    "is missing": lambda rows: [row for row in rows if row is not MET],
    "stands twice": lambda rows: [*rows, MET],
    "there is no such requirement": lambda rows: [*rows, replace(MET, requirement="6.9.1")],
    "is of level": lambda rows: [*rows, replace(MET, level=3 - MET.level)],
    "level 3 is listed": lambda rows: [*rows, replace(MET, requirement="8.1.3", level=3, state="open", tests=())],
    "has no test": lambda rows: [*rows, replace(MET, tests=())],
    "says nothing": lambda rows: [*rows, replace(OPEN, says="later")],
    "is open, so": lambda rows: [*rows, replace(OPEN, tests=MET.tests)],
    "there is no test tests/api/test_auth.py::test_gone": lambda rows: [
        *rows,
        replace(MET, tests=("tests/api/test_auth.py::test_gone",)),
    ],
}


@pytest.mark.parametrize("says", PLANTED)
def test_the_check_sees_each_fault(says: str) -> None:
    assert any(says in problem for problem in problems(PLANTED[says](ROWS), requirements()))


def test_no_applicable_requirement_may_be_left_out() -> None:
    levels = requirements()
    for row in ROWS:
        rest = [one for one in ROWS if one is not row]
        expected = [f"{row.requirement}: is missing"] if levels[row.requirement] < 3 else []
        assert problems(rest, levels) == expected


@pytest.mark.parametrize(
    "line",
    [
        "| 6.2.1 | 1 | met | Text without its tests |",
        "| 6.2.1 | 1 | done | Some text of ours | `tests/a.py::test_a` |",
        "| 6.2.1 | 4 | met | Some text of ours | `tests/a.py::test_a` |",
        "| V6.2.1 | 1 | met | Some text of ours | `tests/a.py::test_a` |",
        "| 6.2.1 | 1 | met | Some text of ours | tests/a.py::test_a |",
        "|6.2.1|1|met|Some text of ours|`tests/a.py::test_a`|",
    ],
)
def test_a_line_that_cannot_be_read_is_not_passed_over(line: str) -> None:
    with pytest.raises(ValueError, match=r"row of the map|backquotes"):
        rows_of(line)


def test_a_row_is_read() -> None:
    line = "| 6.2.1 | 1 | met | Some text of ours | `tests/a.py::test_a`<br>`tests/b.py::test_b[x: y]` |"
    assert rows_of(f"text\n{line}\n") == [
        Row("6.2.1", 1, "met", "Some text of ours", ("tests/a.py::test_a", "tests/b.py::test_b[x: y]"))
    ]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with tests of every kind."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_kinds.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "tests" / "words.py").write_text('WORDS = [("big", "a: b"), ("small", "c")]\n', encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("test_plain", True),
        ("test_plain[one]", False),
        ("test_cases", True),
        ("test_cases[two words]", True),
        ("test_cases[three]", False),
        ("test_cases[one", False),
        ("test_words[big-a: b]", True),
        ("test_words[small: c]", True),
        ("test_words[small-d]", False),
        ("test_words[elsewhere]", False),
        ("test_skipped", False),
        ("test_may_fail", False),
        ("helper", False),
        ("TestGroup", False),
        ("TestGroup::test_inside", True),
        ("test_inside", False),
        ("TestGroup::TestDeeper::test_deep[2]", True),
        ("TestGroup::TestDeeper::test_deep[3]", False),
        ("TestSkipped::test_inside", False),
        ("Helper::test_of_no_test_class", False),
        ("", False),
    ],
)
def test_ids_are_told_from_the_source(tree: Path, name: str, *, expected: bool) -> None:
    assert is_a_test(f"tests/test_kinds.py::{name}", tree) is expected


@pytest.mark.parametrize("test_id", ["tests/test_kinds.py", "tests/words.py::test_plain", "test_kinds.py::test_plain"])
def test_a_file_alone_or_of_another_name_is_no_test(tree: Path, test_id: str) -> None:
    assert not is_a_test(test_id, tree)
