"""How often a sign-in name may be tried: from one place, and from all places together (ASVS 5.0, 6.3.1).

An attempt counts as failed when it begins, under a row lock, and is forgiven when it succeeds: attempts side by side
cannot slip past the bound. A name that belongs to nobody is counted like any other. Nobody is ever shut out for good.

A place from which the name signed in before is kept with no failures; the bound over all places does not hold there,
so that guessing from elsewhere does not keep the owner of a name out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity import repository
from llm_banking.identity.errors import TryLaterError
from llm_banking.identity.keyed_hash import KeyedHash
from llm_banking.identity.models import SignInFailure


@dataclass(frozen=True, slots=True)
class Bound:
    """From the `free`-th failure on, the wait doubles from one second up to `longest_s`. Counts end after `quiet`."""

    free: int
    longest_s: int
    quiet: timedelta

    def wait_s(self, failures: int) -> int:
        """Seconds to wait after so many failures."""
        steps = failures - self.free
        return min(2 ** min(steps, 30), self.longest_s) if steps >= 0 else 0


ONE_PLACE = Bound(free=5, longest_s=900, quiet=timedelta(hours=24))
ALL_PLACES = Bound(free=100, longest_s=60, quiet=timedelta(hours=1))


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was counted."""

    name_hash: bytes
    place_hash: bytes
    everywhere_hash: bytes


class SignInThrottle:
    """Counts attempts in the table sign_in_failures, under hashes that cannot be guessed back."""

    def __init__(self, keyed: KeyedHash) -> None:
        self._keyed = keyed

    async def begin(self, session: AsyncSession, *, name: str, place: str, now: datetime) -> Attempt:
        """Count one attempt. Raises TryLaterError, and counts nothing, while the name must wait."""
        attempt = Attempt(
            self._keyed("sign-in name", name),
            self._keyed("sign-in place", name, place),
            self._keyed("sign-in everywhere", name),
        )
        rows, known = await self._locked(session, attempt, now)
        here, everywhere = rows[attempt.place_hash], rows[attempt.everywhere_hash]
        _check(here, now)
        if not known:
            _check(everywhere, now)
        _count(here, ONE_PLACE, now)
        _count(everywhere, ALL_PLACES, now)
        return attempt

    async def forgive(self, session: AsyncSession, attempt: Attempt, now: datetime) -> None:
        """The attempt succeeded: the place is a known one now, and elsewhere only this attempt is taken back."""
        rows, _ = await self._locked(session, attempt, now)
        here, everywhere = rows[attempt.place_hash], rows[attempt.everywhere_hash]
        here.failures, here.blocked_until, here.last_failed_at = 0, None, now
        everywhere.failures, everywhere.blocked_until = max(0, everywhere.failures - 1), None

    async def _locked(
        self, session: AsyncSession, attempt: Attempt, now: datetime
    ) -> tuple[dict[bytes, SignInFailure], bool]:
        """Both rows, and whether the place was a known one already."""
        places = (attempt.place_hash, attempt.everywhere_hash)
        made = await repository.make_failures(session, attempt.name_hash, places, now)
        rows = await repository.lock_failures(session, attempt.name_hash, places)
        return rows, attempt.place_hash not in made and rows[attempt.place_hash].failures == 0


def _check(row: SignInFailure, now: datetime) -> None:
    if row.blocked_until is not None and row.blocked_until > now:
        wait_s = math.ceil((row.blocked_until - now).total_seconds())
        raise TryLaterError("Too many sign-ins failed. Wait before you try again.", retry_after_s=wait_s)


def _count(row: SignInFailure, bound: Bound, now: datetime) -> None:
    if now - row.last_failed_at > bound.quiet:
        row.failures = 0
    row.failures += 1
    row.last_failed_at = now
    wait_s = bound.wait_s(row.failures)
    row.blocked_until = now + timedelta(seconds=wait_s) if wait_s else None
