"""Password hashes: Argon2id (RFC 9106), off the event loop, on few threads, behind a short queue.

Parameters follow OWASP's password storage cheat sheet: at least 19 MiB, two passes, one lane (ASVS 5.0, 11.4.2).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from argon2 import PasswordHasher as Argon2
from argon2 import Type
from argon2.exceptions import InvalidHashError, VerificationError

from llm_banking.identity.errors import TryLaterError
from llm_banking.settings import Settings

BUSY_RETRY_S = 2
SALT_BYTES = 16
HASH_BYTES = 32

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether a password fits, and whether its hash was made with less than a new one costs now."""

    matches: bool
    outdated: bool


class PasswordHasher:
    """Makes and checks hashes for one event loop.

    At most `max_running` are computed at once, each on a thread of its own, and `max_waiting` wait; whoever comes then
    is told to come again, so that a flood of sign-ins can take neither the memory nor the event loop.
    """

    def __init__(self, *, memory_kib: int, passes: int, max_running: int, max_waiting: int) -> None:
        self._argon2 = Argon2(
            time_cost=passes, memory_cost=memory_kib, parallelism=1, hash_len=HASH_BYTES, salt_len=SALT_BYTES,
            type=Type.ID,
        )  # fmt: skip
        self._running = CapacityLimiter(max_running)
        self._most = max_running + max_waiting
        self._inside = 0
        self._nobodys = self._argon2.hash(secrets.token_urlsafe())

    @classmethod
    def of(cls, settings: Settings) -> PasswordHasher:
        """The hasher that the settings ask for."""
        return cls(
            memory_kib=settings.password_memory_kib,
            passes=settings.password_passes,
            max_running=settings.password_threads,
            max_waiting=settings.password_queue,
        )

    def check_room(self) -> None:
        """Raise TryLaterError if a password could not even wait now."""
        if self._inside >= self._most:
            raise TryLaterError(
                "Too many passwords are being checked at this moment. Try again shortly.", retry_after_s=BUSY_RETRY_S
            )

    async def hash(self, password: str) -> str:
        """The hash to store, in PHC form. Raises TryLaterError without waiting when the queue is full."""
        return await self._run(lambda: self._argon2.hash(password))

    async def verify(self, stored: str | None, password: str) -> Verification:
        """Whether a password fits a stored hash. With none, the same work is done and nothing fits.

        Raises TryLaterError without waiting when the queue is full.
        """
        return await self._run(lambda: self._verify(stored, password))

    def _verify(self, stored: str | None, password: str) -> Verification:
        try:
            self._argon2.verify(stored or self._nobodys, password)
        except (VerificationError, InvalidHashError):
            return Verification(matches=False, outdated=False)
        known = stored is not None
        return Verification(matches=known, outdated=known and self._argon2.check_needs_rehash(stored or ""))

    async def _run(self, work: Callable[[], T]) -> T:
        self.check_room()
        self._inside += 1
        try:
            return await to_thread.run_sync(work, limiter=self._running)
        finally:
            self._inside -= 1
