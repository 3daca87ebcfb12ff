"""What a client asks for under one key happens once, however often it asks (draft-ietf-httpapi-idempotency-key-header).

The key is claimed in the transaction that does the work and keeps the answer, so that both are there or neither is. A
second request with the same key waits for the first and is given its answer; where the first fails, it goes on itself.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    delete,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from llm_banking.kit.clock import utc_now
from llm_banking.kit.database import Base
from llm_banking.kit.errors import LlmBankingError

KEY_PATTERN = "^[A-Za-z0-9._~-]{8,128}$"
KEPT_FOR = timedelta(hours=24)
WAIT_S = 3
"""How long a request waits for another one with its key."""
_LOCK_TIMEOUT = text("SELECT set_config('lock_timeout', :timeout, true)")
_LOCK_NOT_AVAILABLE = "55P03"


class IdempotencyMismatchError(LlmBankingError):
    """Something else was asked for under this key before."""

    code = "IDEMPOTENCY_MISMATCH"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for another request. Use a new key for a new request.")


class IdempotencyInFlightError(LlmBankingError):
    """The first request with this key is not done yet."""

    code = "IDEMPOTENCY_IN_FLIGHT"

    def __init__(self) -> None:
        super().__init__("The first request with this Idempotency-Key is still at work. Send the same again shortly.")


class IdempotencyKey(Base):
    """A key that a user's client chose, what was asked for under it, and the answer."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (
        Index("ix_idempotency_keys_user_created", "user_id", "created_at"),
        Index("ix_idempotency_keys_created_at", "created_at"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    route: Mapped[str] = mapped_column(String(200))
    body_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[int | None] = mapped_column(SmallInteger)
    response: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utc_now)


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer that was given under a key before."""

    status: int
    response: dict[str, Any]


def hash_of(body: Mapping[str, Any]) -> bytes:
    """SHA-256 of a request's canonical JSON."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).digest()


async def claim(session: AsyncSession, user_id: UUID, key: str, *, route: str, body_hash: bytes) -> Answered | None:
    """The answer that the key has, or None: then it is the caller's, who ends with `keep`, `give_back` or a rollback.

    Raises IdempotencyMismatchError, and IdempotencyInFlightError after WAIT_S: the transaction is lost then.
    """
    mine = IdempotencyKey.user_id == user_id
    now = utc_now()
    await session.execute(delete(IdempotencyKey).where(mine, IdempotencyKey.created_at < now - KEPT_FOR))
    values = {"user_id": user_id, "key": key, "route": route, "body_hash": body_hash, "created_at": now}
    await session.execute(_LOCK_TIMEOUT, {"timeout": f"{WAIT_S}s"})
    try:
        claimed = await session.scalar(
            insert(IdempotencyKey).values(values).on_conflict_do_nothing().returning(IdempotencyKey.key)
        )
    except DBAPIError as error:
        if getattr(getattr(error.orig, "__cause__", None), "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            raise IdempotencyInFlightError from error
        raise
    await session.execute(_LOCK_TIMEOUT, {"timeout": "0"})
    if claimed is not None:
        return None
    row = await session.scalar(
        select(IdempotencyKey).where(mine, IdempotencyKey.key == key).execution_options(populate_existing=True)
    )
    if row is None or row.status is None or row.response is None:
        raise IdempotencyInFlightError
    if row.route != route or not hmac.compare_digest(row.body_hash, body_hash):
        raise IdempotencyMismatchError
    return Answered(row.status, row.response)


async def keep(session: AsyncSession, user_id: UUID, key: str, answered: Answered) -> None:
    """Store the answer with the work it is about."""
    await session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.user_id == user_id, IdempotencyKey.key == key)
        .values(status=answered.status, response=answered.response)
    )


async def give_back(session: AsyncSession, user_id: UUID, key: str) -> None:
    """Nothing was done under this key; it may be used again."""
    await session.execute(delete(IdempotencyKey).where(IdempotencyKey.user_id == user_id, IdempotencyKey.key == key))


async def purge(session: AsyncSession, now: datetime, *, most: int) -> int:
    """Forget keys whose promise is over, so many at most. Returns how many there were; any user's, in the worker."""
    key = (IdempotencyKey.user_id, IdempotencyKey.key)
    over = select(*key).where(IdempotencyKey.created_at < now - KEPT_FOR).order_by(IdempotencyKey.created_at)
    found = delete(IdempotencyKey).where(tuple_(*key).in_(over.limit(most).with_for_update(skip_locked=True)))
    return len((await session.scalars(found.returning(IdempotencyKey.key))).all())
