"""What was taken back, known to every worker within a second, from PostgreSQL alone.

Each process keeps the unexpired rows of `revocations` in memory and reads the new ones twice a second. If it could not
for `stale_s`, it believes no token at all: a token that was taken back must not work because the database is away.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import event, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from llm_banking.identity.errors import InvalidCredentialError, RevocationsStaleError
from llm_banking.identity.models import Revocation

POLL_S = 0.5
OVERLAP_S = 60
"""How far behind the newest row each read begins again. A row is stamped when it is written and seen when its
transaction commits; no transaction that writes one stays open this long."""
_FULL_READ_EVERY_S = 60.0
_MARGIN = timedelta(seconds=60)

Kind = Literal["family", "user"]


class Revocations:
    """One process's knowledge of what was taken back."""

    def __init__(self, *, token_lifetime_s: int, stale_s: float) -> None:
        """`token_lifetime_s`: how long a revoked family's or user's last access token may still be about."""
        self._stale_s = stale_s
        self._token_lifetime = timedelta(seconds=token_lifetime_s)
        self._ended: dict[tuple[str, UUID], float] = {}
        self._epochs: dict[UUID, tuple[int, float]] = {}
        self._newest: datetime | None = None
        self._read_at = float("-inf")
        self._full_read_at = float("-inf")

    async def refresh(self, session: AsyncSession) -> None:
        """Read what is new. It counts as of the moment before the read."""
        began = time.monotonic()
        full = self._newest is None or began - self._full_read_at > _FULL_READ_EVERY_S
        statement = select(Revocation).where(Revocation.expires_at > func.clock_timestamp())
        if not full and self._newest is not None:
            statement = statement.where(Revocation.revoked_at > self._newest - timedelta(seconds=OVERLAP_S))
        now = (await session.scalars(select(func.clock_timestamp()))).one()
        for row in await session.scalars(statement):
            self._note(row.kind, row.subject_id, row.epoch, row.expires_at)
        self._newest = now
        self._read_at = began
        if full:
            self._full_read_at = began
            self._forget_expired()

    def check_fresh(self) -> None:
        """Raise RevocationsStaleError if the last read is too old."""
        if time.monotonic() - self._read_at > self._stale_s:
            raise RevocationsStaleError

    def check_token(self, *, session_id: UUID, user_id: UUID, epoch: int) -> None:
        """Raise InvalidCredentialError for a token that was taken back, RevocationsStaleError where it is not known."""
        self.check_fresh()
        if ("family", session_id) in self._ended or epoch < self._epochs.get(user_id, (0, 0.0))[0]:
            raise InvalidCredentialError

    async def revoke_family(self, session: AsyncSession, family_id: UUID) -> None:
        """Take back every access token of one sign-in."""
        await self._write(session, "family", family_id, None)

    async def revoke_epochs_below(self, session: AsyncSession, user_id: UUID, epoch: int) -> None:
        """Take back every access token of a person that carries a lower epoch."""
        await self._write(session, "user", user_id, epoch)

    async def revoke_many_epochs_below(self, session: AsyncSession, epochs: Mapping[UUID, int]) -> None:
        """The same for many people at once, each with an epoch. This process learns it as the others do."""
        now = (await session.scalars(select(func.clock_timestamp()))).one()
        until = now + self._token_lifetime + _MARGIN
        session.add_all(
            Revocation(kind="user", subject_id=user_id, epoch=epoch, revoked_at=now, expires_at=until)
            for user_id, epoch in epochs.items()
        )
        await session.flush()

    async def _write(self, session: AsyncSession, kind: Kind, subject_id: UUID, epoch: int | None) -> None:
        """Write a row by the database's clock; this process knows it as soon as the transaction commits."""
        now = (await session.scalars(select(func.clock_timestamp()))).one()
        until = now + self._token_lifetime + _MARGIN
        session.add(Revocation(kind=kind, subject_id=subject_id, epoch=epoch, revoked_at=now, expires_at=until))
        await session.flush()

        def committed(_: object) -> None:
            self._note(kind, subject_id, epoch, until)

        event.listen(session.sync_session, "after_commit", committed, once=True)

    def _note(self, kind: str, subject_id: UUID, epoch: int | None, expires_at: datetime) -> None:
        until = expires_at.timestamp()
        if kind == "user":
            known_epoch, known_until = self._epochs.get(subject_id, (0, 0.0))
            self._epochs[subject_id] = (max(known_epoch, epoch or 0), max(known_until, until))
        else:
            self._ended[kind, subject_id] = until

    def _forget_expired(self) -> None:
        """A minute late, so that no clock of another host makes this one forget too soon: see _MARGIN."""
        now = time.time()
        self._ended = {key: until for key, until in self._ended.items() if until > now}
        self._epochs = {key: kept for key, kept in self._epochs.items() if kept[1] > now}
