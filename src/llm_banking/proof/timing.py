"""Timing several ways of doing the same thing on a machine that does other things too.

Every item goes through every way, in an order drawn anew for each item, so that a slow moment of the machine falls on
all alike. Beside the time on the clock stands the processor time of the thread, which other processes cannot inflate
by pre-empting it; ratios are taken item by item against the first way.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

Item = TypeVar("Item")

SEED = 20260105


def interleaved(
    ways: Mapping[str, Callable[[Item], object]], items: Sequence[Item], rounds: int = 1
) -> dict[str, dict[str, float]]:
    """Milliseconds of each way over all items and rounds, one call at a time on this thread.

    p50_ms, p95_ms and p99_ms are by the clock, cpu_p50_ms and so on in processor time of this thread, `ratio` the
    median over items of the processor time against the first way's. Each way is called once before, uncounted.
    """
    rng = random.Random(SEED)  # noqa: S311 - an order, no secret
    order = list(ways)
    clock: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way(items[0])
    for item in list(items) * rounds:
        rng.shuffle(order)
        for name in order:
            way = ways[name]
            thread, start = time.thread_time_ns(), time.perf_counter_ns()
            way(item)
            end, thread_end = time.perf_counter_ns(), time.thread_time_ns()
            clock[name].append((end - start) / 1e6)
            cpu[name].append((thread_end - thread) / 1e6)
    first = np.array(cpu[next(iter(ways))])
    return {
        name: {
            **percentiles(clock[name]),
            **{f"cpu_{key}": value for key, value in percentiles(cpu[name]).items()},
            "ratio": round(float(np.median(np.array(cpu[name]) / first)), 3),
        }
        for name in ways
    }


def percentiles(taken_ms: Sequence[float]) -> dict[str, float]:
    """p50_ms, p95_ms and p99_ms of durations in milliseconds."""
    found = np.percentile(np.array(taken_ms), [50, 95, 99])
    return {f"p{share}_ms": round(float(value), 4) for share, value in zip((50, 95, 99), found, strict=True)}


def in_blocks(ways: Mapping[str, Callable[[], int]], blocks: int, pause_s: float = 0.02) -> dict[str, dict[str, Any]]:
    """Throughput of ways that use several threads: each runs a block of work and returns how many texts it was.

    Blocks of all ways alternate. texts_per_s is the median block's, cpu_ms the processor time of the whole process
    for a text, spinning included: the pause after a block lets threads that spin go to sleep, at its cost.
    """
    rng = random.Random(SEED)  # noqa: S311 - an order, no secret
    order = list(ways)
    speed: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(blocks):
        rng.shuffle(order)
        for name in order:
            used, start = time.process_time(), time.perf_counter()
            texts = ways[name]()
            taken = time.perf_counter() - start
            time.sleep(pause_s)
            speed[name].append(texts / taken)
            cpu[name].append((time.process_time() - used) * 1000 / texts)
    base = np.array(speed[next(iter(ways))])
    return {
        name: {
            "texts_per_s": round(float(np.median(speed[name])), 1),
            "cpu_ms": round(float(np.median(cpu[name])), 3),
            "ratio": round(float(np.median(np.array(speed[name]) / base)), 3),
        }
        for name in ways
    }
