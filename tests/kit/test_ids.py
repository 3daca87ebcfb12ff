from __future__ import annotations

import time
from uuid import RFC_4122

import pytest

from llm_banking.kit.ids import uuid7


def test_version_and_variant_are_those_of_rfc_9562() -> None:
    for _ in range(1_000):
        found = uuid7()
        assert found.version == 7
        assert found.variant == RFC_4122


def test_the_first_48_bits_are_the_unix_milliseconds() -> None:
    before = time.time_ns() // 1_000_000
    found = uuid7()
    after = time.time_ns() // 1_000_000
    assert before <= found.int >> 80 <= after


def test_the_published_example_has_its_time_in_the_published_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9562, appendix A.6: 2022-02-22T19:22:22Z is 017F22E2-79B0-7...."""
    monkeypatch.setattr(time, "time_ns", lambda: 0x017F22E279B0 * 1_000_000)
    assert str(uuid7()).startswith("017f22e2-79b0-7")


def test_a_later_id_sorts_after_an_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns()
    found = []
    for step in range(500):
        monkeypatch.setattr(time, "time_ns", lambda step=step: now + step * 1_000_000)
        found.append(uuid7())
    assert found == sorted(found)
    assert [str(one) for one in found] == sorted(str(one) for one in found)


def test_ids_of_one_millisecond_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)
    assert len({uuid7() for _ in range(20_000)}) == 20_000
