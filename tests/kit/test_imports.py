"""Garbage is collected again after many imports, whatever became of them."""

from __future__ import annotations

import gc

import pytest

from llm_banking import factory
from llm_banking.kit.errors import ConfigurationError
from llm_banking.kit.imports import importing


def test_garbage_is_collected_again_also_after_an_import_that_failed() -> None:
    assert gc.isenabled()
    with importing():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ModuleNotFoundError), importing():
        import llm_banking.no_such_module  # type: ignore[import-untyped]  # noqa: F401, PLC0415 - it is not there
    assert gc.isenabled()
    gc.unfreeze()


def test_a_start_without_a_database_is_refused_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "test")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    with pytest.raises(ConfigurationError, match="DATABASE_URL and REDIS_URL are needed"):
        factory.create_app()
    gc.unfreeze()
