"""Reading for a server: a warm model, and a bounded queue in front of it.

Each text runs alone, on one thread (ADR 0004): how it reads never depends on what came in beside it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import date

from anyio import CapacityLimiter, to_thread

from llm_banking.kit.errors import LlmBankingError
from llm_banking.nlu.reader import Reader, Reading

MAX_WAITING = 256
"""Texts that may wait for a thread: at two milliseconds a text and two threads, a quarter of a second."""

WARM_UP_TEXTS = (
    "What is my account balance?",
    "Send $50.00 to Alice from my savings account tomorrow at 3pm, and email me at me@example.com",
    "I would like to know what happened to the payment that I made last week. " * 12,
)
"""A short text, one that every slot rule looks at, and one of as many tokens as the model takes."""


class ReadingBusyError(LlmBankingError):
    """As many texts wait to be read as may. Nothing was read; the same request may be sent again."""

    code = "INTENT_CLASSIFICATION_FAILED"


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class ReadingService:
    """Reads texts for one event loop without holding it up.

    At most `max_running` texts are read at once, each on a thread of its own, and `max_waiting` wait their turn.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        max_running: int | None = None,
        max_waiting: int = MAX_WAITING,
        on_refusal: Callable[[], None] | None = None,
    ) -> None:
        """`max_running` is the number of usable cores by default: more threads read no more texts a second."""
        self.reader = reader
        self._running = CapacityLimiter(max_running or usable_cores())
        self._most = int(self._running.total_tokens) + max_waiting
        self._inside = 0
        self._on_refusal = on_refusal

    async def read(self, text: str, *, today: date | None = None) -> Reading:
        """`Reader.read` off the event loop. Raises TextInvalidError, and ReadingBusyError without waiting."""
        if self._inside >= self._most:
            if self._on_refusal is not None:
                self._on_refusal()
            raise ReadingBusyError("Too many messages are being read at this moment. Send yours again shortly.")
        self._inside += 1
        try:
            return await to_thread.run_sync(lambda: self.reader.read(text, today=today), limiter=self._running)
        finally:
            self._inside -= 1

    def warm_up(self) -> float:
        """Read texts of several lengths, so that no customer waits for what is done once. Milliseconds it took."""
        started = time.perf_counter()
        for text in WARM_UP_TEXTS:
            self.reader.read(text)
        return (time.perf_counter() - started) * 1000
