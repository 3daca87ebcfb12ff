"""Rules of the house that no other tool checks."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from llm_banking.settings import Settings

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 70


def long_functions(source: str) -> list[str]:
    """Names of functions with more lines than the house allows."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, functions)]
    return [node.name for node in found if (node.end_lineno or 0) - node.lineno + 1 > MAX_FUNCTION_LINES]


def readers_of_the_environment(source: str) -> list[str]:
    """Expressions that read `os.environ` or call `os.getenv`; a whole copy for a child process is none."""
    found = []
    for node in ast.walk(ast.parse(source)):
        text = ast.unparse(node) if isinstance(node, ast.Subscript | ast.Call) else ""
        reads = isinstance(getattr(node, "ctx", None), ast.Load) and text.startswith("os.environ[")
        if reads or text.startswith(("os.getenv(", "os.environ.get(")):
            found.append(text)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_a_source_file_keeps_to_the_limits(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert source.count("\n") <= MAX_FILE_LINES
    assert long_functions(source) == []
    assert readers_of_the_environment(source) == []


def test_the_checks_see_what_they_look_for() -> None:
    assert long_functions("def long():\n" + "    pass\n" * MAX_FUNCTION_LINES) == ["long"]
    assert readers_of_the_environment("import os\na = os.environ['A']\nb = os.getenv('B')\n")
    assert readers_of_the_environment("import os\nos.environ['A'] = 'b'\n") == []


def test_the_serving_process_loads_no_training_stack() -> None:
    code = (
        "import sys, llm_banking.app, llm_banking.server, llm_banking.cli\n"
        "print([name for name in ('torch', 'transformers', 'sklearn', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_the_application_builds_nothing() -> None:
    """No file is written, no environment is needed and nothing connects before the factory is called."""
    bare = {"PATH": os.environ["PATH"], "DATABASE_URL": "nonsense"}
    subprocess.run([sys.executable, "-c", "import llm_banking.app"], env=bare, check=True)


def test_every_setting_is_documented_by_its_name() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in [ROOT / "README.md", ROOT / "docs" / "settings.md"])
    for name, field in Settings.model_fields.items():
        assert str(field.validation_alias or name).upper() in text, name
