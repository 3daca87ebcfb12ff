"""What the model computed, kept for the texts that come again."""

from __future__ import annotations

import secrets
from array import array
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from threading import Lock
from typing import Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

MAX_CACHED_RUNS = 2048
MAX_CACHED_TOKENS = 32
"""Longer texts do not come twice. With MAX_CACHED_RUNS it bounds the memory: about 12 MiB at 25 tags a token."""

Outputs = TypeVar("Outputs", bound=tuple[NDArray[np.float32], ...])
Source = Literal["cache", "model"]
Seen = tuple[tuple[int, ...], tuple[tuple[int, int], ...]]
"""What a run is given: the token ids of a text, and which stretches of them are read beside the whole."""


class RunCache(Generic[Outputs]):
    """What the model computed, for what it was given; the longest unused goes first. Thread-safe.

    The key is what the model sees of a text: its token ids, after normalising, lower-casing and truncation, and the
    stretches of them. Texts
    that differ only in what the model does not see share an entry, and nothing else does. Slots, spans and dates
    are no part of it: they depend on the original spelling and on the day, and are worked out for every text.

    The outputs are a function of the key alone. Nothing of who asked, or in which conversation, goes in or comes
    out, so a hit tells one customer nothing of another but that somebody wrote the same short text before. Keys are
    keyed hashes (RFC 7693) under a secret of this process: the cache holds no customer's words.
    """

    def __init__(
        self,
        max_runs: int = MAX_CACHED_RUNS,
        max_tokens: int = MAX_CACHED_TOKENS,
        on_run: Callable[[Source], None] | None = None,
    ) -> None:
        """`on_run` is told of each run where its outputs came from."""
        self._max_runs = max_runs
        self._max_tokens = max_tokens
        self._on_run = on_run
        self._secret = secrets.token_bytes(32)
        self._kept: OrderedDict[bytes, Outputs] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def run(self, seen: Seen, model: Callable[[Seen], Outputs]) -> Outputs:
        """What `model(seen)` returns, from the cache where it is there. The arrays are read-only."""
        ids, stretches = seen
        if len(ids) > self._max_tokens:
            return self._computed(seen, model)
        numbers = array("I", (len(ids), *ids, *(at for stretch in stretches for at in stretch)))
        key = blake2b(numbers.tobytes(), digest_size=16, key=self._secret).digest()
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
        if found is not None:
            self._tell("cache")
            return found
        outputs = self._computed(seen, model)
        with self._lock:
            self._kept[key] = outputs
            self._kept.move_to_end(key)
            while len(self._kept) > self._max_runs:
                self._kept.popitem(last=False)
        return outputs

    def _computed(self, seen: Seen, model: Callable[[Seen], Outputs]) -> Outputs:
        self._tell("model")
        outputs = model(seen)
        for one in outputs:
            one.setflags(write=False)
        return outputs

    def _tell(self, source: Source) -> None:
        if self._on_run is not None:
            self._on_run(source)
