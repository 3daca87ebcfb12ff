from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from llm_banking.nlu.run_cache import RunCache, Seen

Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]


class CountingModel:
    """Outputs that follow from the ids, and how often each ids were run."""

    def __init__(self) -> None:
        self.ran: list[list[int]] = []

    def __call__(self, seen: Seen) -> Outputs:
        ids, stretches = seen
        self.ran.append(list(ids))
        return np.array(ids, dtype=np.float32), np.array([sum(ids), len(stretches)], dtype=np.float32)


def text(*ids: int) -> Seen:
    return ids, ()


def test_the_same_ids_are_run_once_and_answer_the_same() -> None:
    model, told = CountingModel(), list[str]()
    cache: RunCache[Outputs] = RunCache(on_run=told.append)
    first, again, other = cache.run(text(1, 2), model), cache.run(text(1, 2), model), cache.run(text(2, 1), model)
    assert again is first
    assert other[0].tolist() == [2, 1]
    assert model.ran == [[1, 2], [2, 1]]
    assert told == ["model", "cache", "model"]


def test_ids_that_read_alike_as_digits_are_apart() -> None:
    model = CountingModel()
    cache: RunCache[Outputs] = RunCache()
    answers = [cache.run(text(*ids), model)[0].tolist() for ids in ([1, 23], [12, 3], [1, 2, 3], [123], [123, 0])]
    assert answers == [[1, 23], [12, 3], [1, 2, 3], [123], [123, 0]]


def test_stretches_of_the_same_ids_are_apart() -> None:
    cache: RunCache[Outputs] = RunCache()
    asked: list[Seen] = [((1, 2, 3), ()), ((1, 2, 3), ((0, 1),)), ((1, 2), ((3, 0),)), ((1, 2, 3, 0, 1), ())]
    for seen in (*asked, *asked):
        ids, counts = cache.run(seen, CountingModel())
        assert (tuple(ids.tolist()), int(counts[1])) == (seen[0], len(seen[1]))
    assert len(cache) == len(asked)


def test_what_was_longest_unused_goes_first() -> None:
    model = CountingModel()
    cache: RunCache[Outputs] = RunCache(max_runs=2)
    for ids in ([1], [2], [1], [3], [1], [2]):
        cache.run(text(*ids), model)
    assert model.ran == [[1], [2], [3], [2]]
    assert len(cache) == 2


def test_long_texts_are_run_and_not_kept() -> None:
    model, told = CountingModel(), list[str]()
    cache: RunCache[Outputs] = RunCache(max_tokens=3, on_run=told.append)
    for _ in range(2):
        cache.run(text(1, 2, 3, 4), model)
        cache.run(text(1, 2, 3), model)
    assert model.ran == [[1, 2, 3, 4], [1, 2, 3], [1, 2, 3, 4]]
    assert told == ["model", "model", "model", "cache"]
    assert len(cache) == 1


def test_nobody_can_change_what_the_next_one_gets() -> None:
    cache: RunCache[Outputs] = RunCache()
    for ids in ([1, 2], [1] * 100):
        for _ in range(2):
            scores, _ = cache.run(text(*ids), CountingModel())
            with pytest.raises(ValueError, match="read-only"):
                scores[0] = 7


def test_a_failed_run_is_not_kept() -> None:
    cache: RunCache[Outputs] = RunCache()

    def broken(_: Seen) -> Outputs:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        cache.run(text(1), broken)
    assert cache.run(text(1), CountingModel())[0].tolist() == [1]


def test_the_cache_holds_no_ids_and_keys_differ_between_processes() -> None:
    def keys(cache: RunCache[Outputs]) -> set[bytes]:
        return set(cache._kept)

    one: RunCache[Outputs] = RunCache()
    two: RunCache[Outputs] = RunCache()
    for cache in (one, two):
        cache.run(text(4471, 9902), lambda _: (np.zeros(1, np.float32), np.zeros(1, np.float32)))
    assert keys(one).isdisjoint(keys(two))
    assert np.array([4471, 9902], dtype=np.uint32).tobytes() not in pickle.dumps(one._kept)


def test_threads_get_the_right_answer_and_the_bound_holds() -> None:
    cache: RunCache[Outputs] = RunCache(max_runs=8)
    wanted = [[number % 20, number % 7] for number in range(2000)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda ids: cache.run(text(*ids), CountingModel())[0].tolist(), wanted))
    assert found == wanted
    assert len(cache) == 8
