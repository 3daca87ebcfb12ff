"""Processes that end with the one that started them."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ending_with_parent() -> Iterator[None]:
    """Ask this process to end (SIGTERM) when the `multiprocessing` parent is gone, however that ended.

    A server process that outlived its parent would keep the port from whoever is started in the parent's place. Does
    nothing in a process that has no such parent. Needs a running event loop.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        yield
        return
    loop = asyncio.get_running_loop()

    def gone() -> None:
        loop.remove_reader(parent.sentinel)
        os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(parent.sentinel, gone)
    try:
        yield
    finally:
        loop.remove_reader(parent.sentinel)
