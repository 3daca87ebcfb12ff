"""Servers in processes of their own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_banking.proof.bench import free_port


@pytest.fixture
def home() -> Iterator[Path]:
    """A fresh home in a path short enough for Unix sockets."""
    folder = Path(tempfile.mkdtemp(prefix="llmb-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def port() -> int:
    """A port that is free now."""
    return free_port()
