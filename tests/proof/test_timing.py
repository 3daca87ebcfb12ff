from __future__ import annotations

import time

import pytest

from llm_banking.proof.timing import in_blocks, interleaved, percentiles


def spend(seconds: float) -> None:
    """Processor time, not time on the clock."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_every_way_gets_every_item_in_each_round_and_one_call_before() -> None:
    seen: dict[str, list[int]] = {"a": [], "b": []}
    figures = interleaved({"a": seen["a"].append, "b": seen["b"].append}, [1, 2, 3], rounds=2)
    assert seen == {"a": [1, 1, 2, 3, 1, 2, 3], "b": [1, 1, 2, 3, 1, 2, 3]}
    assert figures["a"]["ratio"] == 1.0


def test_the_ratio_is_of_processor_time_against_the_first_way() -> None:
    figures = interleaved({"once": lambda _: spend(0.001), "thrice": lambda _: spend(0.003)}, range(15))
    assert figures["thrice"]["ratio"] == pytest.approx(3, rel=0.15)
    assert figures["once"]["cpu_p50_ms"] == pytest.approx(1, rel=0.15)
    assert figures["once"]["p50_ms"] >= 0.99


def test_waiting_is_time_on_the_clock_and_no_processor_time() -> None:
    figures = interleaved({"wait": lambda _: time.sleep(0.01)}, range(5))["wait"]
    assert figures["p50_ms"] >= 10
    assert figures["cpu_p50_ms"] < 5


def test_blocks_count_texts_by_the_second_and_the_processor_time_of_each() -> None:
    def block(texts: int) -> int:
        spend(0.02)
        return texts

    figures = in_blocks({"ten": lambda: block(10), "five": lambda: block(5)}, blocks=5, pause_s=0)
    assert figures["ten"]["cpu_ms"] == pytest.approx(2, rel=0.2)
    assert figures["five"]["cpu_ms"] == pytest.approx(4, rel=0.2)
    assert 0 < figures["ten"]["texts_per_s"] <= 501


def test_percentiles_are_named_by_their_share() -> None:
    assert percentiles(list(range(101))) == {"p50_ms": 50, "p95_ms": 95, "p99_ms": 99}
