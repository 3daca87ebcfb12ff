"""The narrow waist is what its document says it is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from llm_banking.banking import core

DOCUMENT = Path(__file__).parents[2] / "docs" / "02-architecture.md"
_ROW = re.compile(r"^\| `(\w+)\(([^)]*)\)` \|", re.MULTILINE)


def test_the_document_names_each_function_with_its_parameters() -> None:
    written = {name: [one.strip() for one in listed.split(",")] for name, listed in _ROW.findall(DOCUMENT.read_text())}
    functions = {name: getattr(core, name) for name in core.__all__ if inspect.isfunction(getattr(core, name))}
    assert written.keys() == functions.keys()
    for name, function in functions.items():
        real, listed = list(inspect.signature(function).parameters), written[name]
        if listed[-1] == "…":
            listed, real = listed[:-1], real[: len(listed) - 1]
        assert listed == real, name
